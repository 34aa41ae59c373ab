package tenantdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
)

// Reserve is the first half of [Catalog.Create] alone, for who has something to do between
// the two, such as an account at another service: it reserves the id and the slug, and
// returns the tenant, with its status provisioning. Create with the same ID and Slug goes
// on from there, and does not give back the reservation when it fails.
//
// When there is a tenant with the id already, it is returned in whatever status it has, and
// made is false. n.ID must be set. A reservation is kept from others for
// [CatalogConfig.ReservationPeriod], and longer while nobody wants its slug. Errors are
// those of Create.
func (c *Catalog) Reserve(ctx context.Context, n NewTenant) (t tenant.Tenant, made bool, err error) {
	if n.ID.IsZero() {
		return tenant.Tenant{}, false, errors.New("tenantdb: reserve a tenant: the ID is zero: whoever reserves has to know it for Create and Release")
	}
	if err := c.CheckNew(n); err != nil {
		return tenant.Tenant{}, false, err
	}
	t, made, err = c.reserve(ctx, n)
	if err != nil {
		return tenant.Tenant{}, false, fmt.Errorf("tenantdb: reserve tenant %s: %w", n.ID, err)
	}
	return t, made, nil
}

// Release gives back a reservation that [Catalog.Reserve] has made, with its slug, and
// reports whether there was one. It never touches a tenant that exists, nor a reservation
// that a creation is at work on.
func (c *Catalog) Release(ctx context.Context, id tenant.ID) (bool, error) {
	tag, err := c.pool.Exec(ctx, sqlRelease, id, string(EventReleased), c.now())
	if err != nil {
		return false, fmt.Errorf("tenantdb: release tenant %s: %w", id, err)
	}
	return tag.RowsAffected() > 0, nil
}

// CheckNew says which fields of a new tenant are not valid, as [Catalog.Create] would, and
// asks nobody. The error is a [*tenant.Error] of the code validation_failed.
func (c *Catalog) CheckNew(n NewTenant) error {
	var in input
	in.add("slug", c.checkSlug(n.Slug))
	in.add("name", checkName(n.Name))
	in.add("plan", checkPlan(n.Plan))
	return in.err()
}
