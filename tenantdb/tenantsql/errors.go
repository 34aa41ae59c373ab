package tenantsql

import "errors"

// ErrOtherTenant says that a call's context is for one tenant, and the *sql.DB of [OpenFor]
// or the transaction that it was made on for another. Nothing was sent. To work for another
// tenant on purpose, say so: with a context of [tenant.NewContext], outside the transaction.
//
// [tenant.NewContext]: https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant#NewContext
var ErrOtherTenant = errors.New("tenantsql: the context is for another tenant than the database handle or transaction")
