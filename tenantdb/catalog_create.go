package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/tenant"
)

// NewTenant is what [Catalog.Create] makes a tenant of.
type NewTenant struct {
	// ID is the tenant's; zero makes a new one. Whoever may have to try again gives one.
	ID tenant.ID

	Slug tenant.Slug
	Name string // 1 to tenant.MaxNameLen bytes
	Plan string // up to MaxPlanLen bytes; empty means the product's default

	// Seed, when not nil, adds what the tenant starts with, such as the membership of its
	// owner, in the transaction in which the tenant becomes active: both are there or
	// neither. tx is the control role's, so Seed names each table with its schema, the
	// tenant's being [SchemaName]. It may run again when the transaction fails.
	Seed func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error
}

// ErrIDTaken says that a tenant with the id given to [Catalog.Create] exists, and never
// had the slug that was given with it.
var ErrIDTaken = errors.New("tenantdb: the id belongs to a tenant that never had this slug")

// Create makes a tenant and returns it once it is active: with its role, its schema, its
// tables and the right of the gateways to become it.
//
// The id and the slug are reserved first, in a transaction of their own; all else is a
// second one. So a crash leaves no half-made schema, at most a reservation. Create with the
// same ID and Slug goes on from there, whoever made the reservation and with whatever name
// and plan it was made; several at once all get the same tenant. When the tenant exists
// already, it is returned as it is and Seed does not run. After an error, Create itself
// gives back a reservation that it has made, and never one that it found; after a crash,
// others may have the slug when [CatalogConfig.ReservationPeriod] is over.
//
// Errors besides those of [Catalog]: [ErrIDTaken]; that of Seed; [tenant.ErrGone] when the
// tenant was created and deleted since. When the connection breaks at the very end, an
// error can be returned for a tenant that exists; Create with the same ID then returns it.
func (c *Catalog) Create(ctx context.Context, n NewTenant) (tenant.Tenant, error) {
	if err := c.CheckNew(n); err != nil {
		return tenant.Tenant{}, err
	}
	if n.ID.IsZero() {
		n.ID = tenant.NewID()
	}
	t, err := c.create(ctx, n)
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("tenantdb: create tenant %s: %w", n.ID, err)
	}
	return t, nil
}

// errReleased says that a reservation is gone: the creation that made it has failed.
var errReleased = errors.New("the reservation was given up meanwhile")

// createAttempts bounds how often Create begins anew, behind others that fail with the
// same id or are slow to let go of the slug.
const createAttempts = 10

func (c *Catalog) create(ctx context.Context, n NewTenant) (tenant.Tenant, error) {
	for attempt := 1; ; attempt++ {
		t, mine, err := c.reserve(ctx, n)
		if err != nil {
			return tenant.Tenant{}, err
		}
		if t.Status == tenant.StatusProvisioning {
			t, err = c.provision(ctx, t, n.Seed)
		}
		switch {
		case errors.Is(err, errReleased) && attempt < createAttempts:
			continue
		case err != nil && mine:
			c.release(ctx, t.ID)
			return tenant.Tenant{}, err
		case err != nil:
			return tenant.Tenant{}, err
		case t.Status == tenant.StatusDeleted:
			return tenant.Tenant{}, tenant.ErrGone
		}
		return t, nil
	}
}

// reserve makes the reservation, or finds the tenant that has the id.
func (c *Catalog) reserve(ctx context.Context, n NewTenant) (_ tenant.Tenant, mine bool, err error) {
	told := difference(tenant.Tenant{}, tenant.Tenant{Slug: n.Slug, Plan: n.Plan, Status: tenant.StatusProvisioning})
	for attempt := 1; ; attempt++ {
		t, err := scanTenant(c.pool.QueryRow(ctx, sqlReserve,
			n.ID, string(n.Slug), n.Name, n.Plan, c.now(), string(EventReserved), told.json()))
		switch {
		case err == nil:
			return t, true, nil
		case errors.Is(err, pgx.ErrNoRows):
			t, err := c.reserved(ctx, n)
			if errors.Is(err, pgx.ErrNoRows) && attempt < createAttempts {
				continue // released between the two
			}
			return t, false, err
		case isCode(err, codeDeadlock) && attempt < createAttempts:
			continue
		case !isSlugTaken(err):
			return t, false, err
		case attempt == createAttempts:
			return t, false, tenant.ErrSlugTaken
		}
		if free, err := c.freeSlug(ctx, n.Slug); err != nil {
			return t, false, err
		} else if !free {
			return t, false, tenant.ErrSlugTaken
		}
	}
}

// reserved is the tenant with the id of n, if n.Slug is or was its own.
func (c *Catalog) reserved(ctx context.Context, n NewTenant) (tenant.Tenant, error) {
	t, err := scanTenant(c.pool.QueryRow(ctx, sqlTenantByID, n.ID))
	if err != nil || t.Slug == n.Slug {
		return t, err
	}
	var owner tenant.ID
	var stale bool
	err = c.pool.QueryRow(ctx, sqlSlugOwner, string(n.Slug), time.Time{}).Scan(&owner, &stale)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return t, err
	}
	if owner != n.ID {
		return t, ErrIDTaken
	}
	return t, nil
}

// isSlugTaken reports whether a slug is claimed by another tenant.
func isSlugTaken(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == codeUniqueViolation && pgErr.ConstraintName == constraintSlug
}

// freeSlug gives up a reservation of the slug that was left by a crash, and reports
// whether the slug may be free now.
func (c *Catalog) freeSlug(ctx context.Context, slug tenant.Slug) (bool, error) {
	var owner tenant.ID
	var stale bool
	err := c.pool.QueryRow(ctx, sqlSlugOwner, string(slug), c.now().Add(-c.cfg.ReservationPeriod)).Scan(&owner, &stale)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // released since we tried
		return true, nil
	case err != nil || !stale:
		return false, err
	}
	tag, err := c.pool.Exec(ctx, sqlRelease, owner, string(EventReleased), c.now())
	return tag.RowsAffected() > 0, err
}

// release gives back the reservation that a failed creation made. It does so also when
// ctx is what has ended the creation. What it can't give back is freed by freeSlug later.
func (c *Catalog) release(ctx context.Context, id tenant.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if _, err := c.pool.Exec(ctx, sqlRelease, id, string(EventReleased), c.now()); err != nil {
		c.cfg.Logger.WarnContext(ctx, "tenantdb: the reservation of a tenant that could not be created stays until it expires",
			"tenant", id, "expires_in", c.cfg.ReservationPeriod, "error", err)
	}
}
