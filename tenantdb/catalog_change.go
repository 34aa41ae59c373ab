package tenantdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Rename gives the tenant another slug. Its old one stays taken for good: it answers
// [tenant.ErrGone], and only this tenant can take it back, by a later Rename. The schema
// and what is stored stay as they are. A slug that it has already changes nothing.
//
// The error is [tenant.ErrSlugTaken] when another tenant has or had the slug, or one of
// [Catalog]'s.
func (c *Catalog) Rename(ctx context.Context, id tenant.ID, slug tenant.Slug) (tenant.Tenant, error) {
	var in input
	in.add("slug", c.checkSlug(slug))
	if err := in.err(); err != nil {
		return tenant.Tenant{}, err
	}
	return c.change(ctx, "rename", id, EventRenamed, func(tx pgx.Tx, t *tenant.Tenant) error {
		if t.Slug == slug {
			return nil
		}
		t.Slug = slug
		return c.claim(ctx, tx, slug, t.ID)
	})
}

// claim makes the slug the tenant's, if it is nobody's or was the tenant's before.
func (c *Catalog) claim(ctx context.Context, tx pgx.Tx, slug tenant.Slug, id tenant.ID) error {
	for attempt := 1; ; attempt++ {
		tag, err := tx.Exec(ctx, sqlClaimSlug, string(slug), id, c.now())
		if err != nil || tag.RowsAffected() > 0 {
			return err
		}
		var owner tenant.ID
		var stale bool
		err = tx.QueryRow(ctx, sqlSlugOwner, string(slug), c.now().Add(-c.cfg.ReservationPeriod)).Scan(&owner, &stale)
		switch {
		case errors.Is(err, pgx.ErrNoRows): // released since we tried
		case err != nil:
			return err
		case owner == id:
			return nil
		case !stale || attempt == createAttempts:
			return tenant.ErrSlugTaken
		default: // left by a crash
			tag, err := tx.Exec(ctx, sqlRelease, owner, string(EventReleased), c.now())
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 { // and taken up again
				return tenant.ErrSlugTaken
			}
		}
	}
}

// SetName gives the tenant another name, of 1 to [tenant.MaxNameLen] bytes. Errors as of
// [Catalog].
func (c *Catalog) SetName(ctx context.Context, id tenant.ID, name string) (tenant.Tenant, error) {
	var in input
	in.add("name", checkName(name))
	if err := in.err(); err != nil {
		return tenant.Tenant{}, err
	}
	return c.change(ctx, "name", id, EventNameChanged, func(_ pgx.Tx, t *tenant.Tenant) error {
		t.Name = name
		return nil
	})
}

// SetPlan puts the tenant on a plan, whose name has up to [MaxPlanLen] bytes; empty means
// the product's default. What plans there are is not known here. Errors as of [Catalog].
func (c *Catalog) SetPlan(ctx context.Context, id tenant.ID, plan string) (tenant.Tenant, error) {
	var in input
	in.add("plan", checkPlan(plan))
	if err := in.err(); err != nil {
		return tenant.Tenant{}, err
	}
	return c.change(ctx, "set the plan of", id, EventPlanChanged, func(_ pgx.Tx, t *tenant.Tenant) error {
		t.Plan = plan
		return nil
	})
}

// Suspend has the tenant refused until [Catalog.Resume]. Its data stay, and are migrated.
// One that is suspended already stays as it is. Errors as of [Catalog].
//
// Whoever caches tenants is to be told of it, see [CatalogConfig.OnChange]: a session that
// has begun goes on.
func (c *Catalog) Suspend(ctx context.Context, id tenant.ID) (tenant.Tenant, error) {
	return c.change(ctx, "suspend", id, EventSuspended, func(_ pgx.Tx, t *tenant.Tenant) error {
		t.Status = tenant.StatusSuspended
		return nil
	})
}

// Resume ends a suspension. One that is active already stays as it is. Errors as of
// [Catalog].
func (c *Catalog) Resume(ctx context.Context, id tenant.ID) (tenant.Tenant, error) {
	return c.change(ctx, "resume", id, EventResumed, func(_ pgx.Tx, t *tenant.Tenant) error {
		t.Status = tenant.StatusActive
		return nil
	})
}

// Delete has the tenant refused for good, and its slugs stay taken. Its data are kept for
// the grace period, and then removed by [Catalog.Purge]. One that is deleted already stays
// as it is. Errors as of [Catalog]; a tenant whose creation is not finished can't be
// deleted, and needs not be: it has no data.
func (c *Catalog) Delete(ctx context.Context, id tenant.ID) (tenant.Tenant, error) {
	t, err := c.change(ctx, "delete", id, EventDeleted, func(_ pgx.Tx, t *tenant.Tenant) error {
		t.Status = tenant.StatusDeleted
		return nil
	})
	if errors.Is(err, tenant.ErrGone) {
		return t, nil
	}
	return t, err
}

// change edits a tenant that is active or suspended, in one transaction with its event. An
// edit that leaves it as it was is none: no version, no event. The deleted tenant comes
// with [tenant.ErrGone].
func (c *Catalog) change(ctx context.Context, what string, id tenant.ID, kind EventKind, edit func(pgx.Tx, *tenant.Tenant) error) (tenant.Tenant, error) {
	var after tenant.Tenant
	var changed bool
	err := c.inTx(ctx, func(tx pgx.Tx) error {
		before, err := c.lock(ctx, tx, id)
		after, changed = before, false
		if err != nil {
			return err
		}
		if err := edit(tx, &after); err != nil || after == before {
			return err
		}
		changed = true
		after, err = scanTenant(tx.QueryRow(ctx, sqlUpdate,
			id, string(after.Slug), after.Name, string(after.Status), after.Plan, c.now()))
		if err != nil {
			return err
		}
		return c.tell(ctx, tx, kind, after, difference(before, after))
	})
	switch {
	case errors.Is(err, tenant.ErrGone):
		return after, fmt.Errorf("tenantdb: %s tenant %s: %w", what, id, err)
	case err != nil:
		return tenant.Tenant{}, fmt.Errorf("tenantdb: %s tenant %s: %w", what, id, err)
	case changed:
		c.changed(ctx, after)
	}
	return after, nil
}

// lock holds a tenant until the end of the transaction. The error is that of its status,
// unless it is active or suspended.
func (c *Catalog) lock(ctx context.Context, tx pgx.Tx, id tenant.ID) (tenant.Tenant, error) {
	t, err := scanTenant(tx.QueryRow(ctx, sqlLockTenant, id))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return t, tenant.ErrNotFound
	case err != nil:
		return t, err
	case t.Status == tenant.StatusDeleted:
		return t, tenant.ErrGone
	case t.Status == tenant.StatusProvisioning:
		return t, tenant.ErrUnavailable
	}
	return t, nil
}
