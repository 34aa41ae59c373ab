package tenantdb

import (
	"encoding/hex"

	"github.com/tenantwall/tenantwall/tenant"
)

const namePrefix = "t_"

// SchemaName is the name of a tenant's schema, and of the role that its sessions have:
// t_ and the 32 hexadecimal digits of the id. It derives from the id alone, so a rename
// leaves it as it is, no two tenants share one, and it is far below the 63 bytes at which
// PostgreSQL cuts names. It is to be quoted wherever it stands in SQL, as all names are.
func SchemaName(id tenant.ID) string { return string(appendSchemaName(nil, id)) }

func appendSchemaName(b []byte, id tenant.ID) []byte {
	return hex.AppendEncode(append(b, namePrefix...), id[:])
}
