package tenant

import (
	"context"
	"time"
)

// Tenant is one customer of a service: an organisation, a workspace, an account. It is a
// value that nobody changes; a later state of the same tenant has a higher Version.
type Tenant struct {
	ID        ID        `json:"id"`
	Slug      Slug      `json:"slug"`
	Name      string    `json:"name"` // for people; any text up to MaxNameLen bytes
	Status    Status    `json:"status"`
	Plan      string    `json:"plan"`    // the name of a plan; empty means the product's default
	Version   int64     `json:"version"` // grows with each change, starting at 1
	CreatedAt time.Time `json:"created_at"`
}

// MaxNameLen bounds a tenant's name, in bytes of UTF-8.
const MaxNameLen = 200

// Status says whether a tenant may be worked for. The zero Status is none that allows it.
type Status string

const (
	StatusProvisioning Status = "provisioning" // being created; not yet usable
	StatusActive       Status = "active"
	StatusSuspended    Status = "suspended" // kept, and refused until it is resumed
	StatusDeleted      Status = "deleted"   // refused for good; its data are dropped after a grace period
)

// Usable is nil for a tenant that is active, and otherwise the error for those who asked
// for it: [ErrRequired] for the zero Tenant, [ErrSuspended], [ErrGone], or
// [ErrUnavailable] while it is provisioned. A status that this version does not know is
// refused like a suspension.
func (t Tenant) Usable() error {
	switch {
	case t.ID.IsZero():
		return ErrRequired
	case t.Status == StatusActive:
		return nil
	case t.Status == StatusDeleted:
		return ErrGone
	case t.Status == StatusProvisioning:
		return ErrUnavailable
	}
	return ErrSuspended
}

// Store looks tenants up. tenantdb.Catalog is the one on PostgreSQL, tenanttest.Store one
// in memory, and package tenanttest has the tests that every Store is to pass.
//
// Lookup returns the tenant that ref names, in whatever Status it has. It returns an
// error that [errors.Is] tells to be
//
//   - [ErrNotFound] when there is no such tenant and there never was, or ref is zero,
//   - [ErrGone] when there was one: it is deleted, or ref is a slug that it no longer has.
//     A slug once given up never leads to another tenant.
//
// Any other error means that the store could not tell; it says nothing about the tenant,
// and is not to be taken for either of these. Lookup is called by many goroutines at
// once, and on every request: wrap a store that is slow.
type Store interface {
	Lookup(ctx context.Context, ref Ref) (Tenant, error)
}
