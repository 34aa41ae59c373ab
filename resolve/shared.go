package resolve

import (
	"context"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Shared is a layer of tenants between the [Cache] of each process and the store, so that
// what one process has read the others need not. Package rediscache has one on Redis. Its
// methods are called by several goroutines at once.
//
// It can only help: its errors cost a look-up in the store and nothing else, so its methods
// are to give up soon when it is away. What it holds is believed, so nobody may write to it
// but the processes of the service.
type Shared interface {
	// Get is the tenant that ref names or, by slug, once named, and how long ago it was read
	// from the store, or longer. It reports false when nothing is known. What one domain
	// leads to is known only for the version that the tenant had when it was found.
	Get(ctx context.Context, ref tenant.Ref) (t tenant.Tenant, age time.Duration, found bool, err error)

	// Set keeps a tenant to which ref led, and that was read so long ago, unless there is a
	// newer version of it or Forget was told of one.
	Set(ctx context.Context, ref tenant.Ref, t tenant.Tenant, age time.Duration) error

	// Forget drops what is older than a version of a tenant, and keeps it from being set
	// again. Version 0 drops whatever there is.
	Forget(ctx context.Context, id tenant.ID, version int64) error
}
