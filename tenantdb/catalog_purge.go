package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Purge removes what is left of tenants whose grace period is over: schema, role, large
// objects, a login of their own, the name, domains, which others may have then. The row of
// the tenant with its id and slugs stays, so that neither is ever used again. It takes the
// oldest first, and up to limit tenants; a limit below 1 is refused. It returns those that
// are gone now.
//
// Each tenant is one transaction, so a purge that is broken off has purged some wholly. A
// schema with very many tables is emptied in several before that, for a transaction has
// room for a bounded number of locks. A tenant whose tables somebody has locked, for longer
// than [CatalogConfig.LockTimeout], is left for the next purge and is in the error; the
// others go on. Several purges at once share the tenants.
func (c *Catalog) Purge(ctx context.Context, limit int) ([]tenant.ID, error) {
	if limit < 1 {
		return nil, fmt.Errorf("tenantdb: purge: the limit is %d: say how many tenants may be purged at most", limit)
	}
	rows, err := c.pool.Query(ctx, sqlToPurge, c.graceEnd(), limit)
	if err != nil {
		return nil, fmt.Errorf("tenantdb: purge: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[tenant.ID])
	if err != nil {
		return nil, fmt.Errorf("tenantdb: purge: %w", err)
	}
	var purged []tenant.ID
	var errs []error
	for _, id := range due {
		done, err := c.purge(ctx, id)
		if done {
			purged = append(purged, id)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tenantdb: purge tenant %s: %w", id, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return purged, errors.Join(errs...)
}

// errOthers says that a tenant is another purge's, or has been purged by it.
var errOthers = errors.New("another purge has the tenant")

// graceEnd is the time before which a tenant must have been deleted to be purged now.
func (c *Catalog) graceEnd() any { return c.now().Add(-c.cfg.GracePeriod) }

// purge removes one tenant, and reports whether it was this purge that did.
func (c *Catalog) purge(ctx context.Context, id tenant.ID) (bool, error) {
	for chunk := dropChunk; ; {
		var purged tenant.Tenant
		var left bool
		err := c.inTx(ctx, func(tx pgx.Tx) (err error) {
			purged, left, err = c.purgeTx(ctx, tx, id, chunk)
			return err
		})
		switch {
		case errors.Is(err, errOthers):
			return false, nil
		case isCode(err, codeOutOfMemory) && chunk > 1:
			chunk /= 4 // other transactions have taken their share of the locks
		case err != nil:
			return false, err
		case !left:
			c.changed(ctx, purged)
			return true, nil
		}
	}
}

// dropChunk is how many tables are dropped in one transaction. Each takes a lock for the
// table, its indexes, sequences and overflow; the standard configuration has room for
// 6,400 of them in all transactions together.
const dropChunk = 256

// purgeTx removes a tenant, or, when it has more than chunk tables or large objects, that many
// of them; it reports whether something is left. What it returns is the tenant when nothing is.
func (c *Catalog) purgeTx(ctx context.Context, tx pgx.Tx, id tenant.ID, chunk int) (after tenant.Tenant, left bool, err error) {
	before, err := scanTenant(tx.QueryRow(ctx, sqlLockToPurge, id, c.graceEnd()))
	if errors.Is(err, pgx.ErrNoRows) {
		return after, false, errOthers
	}
	if err != nil {
		return after, false, err
	}
	schema := SchemaName(id)
	rows, err := tx.Query(ctx, sqlRelations, schema, chunk+1)
	if err != nil {
		return after, false, err
	}
	relations, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return after, false, err
	}
	if len(relations) > chunk {
		_, err := tx.Exec(ctx, "DROP "+strings.Join(relations[:chunk], " CASCADE; DROP ")+" CASCADE")
		return after, true, err
	}
	if left, err := c.unlink(ctx, tx, schema, chunk); err != nil || left {
		return after, left, err
	}
	if _, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+quote(schema)+` CASCADE`); err != nil {
		return after, false, err
	}
	if err := c.dropRoles(ctx, tx, id); err != nil {
		return after, false, err
	}
	if c.cfg.OnPurge != nil {
		if err := c.cfg.OnPurge(ctx, tx, id); err != nil {
			return after, false, err
		}
	}
	if _, err := tx.Exec(ctx, sqlReleaseDomains, id); err != nil {
		return after, false, err
	}
	after, err = scanTenant(tx.QueryRow(ctx, sqlPurged, id, c.now()))
	if err != nil {
		return after, false, err
	}
	return after, false, c.tell(ctx, tx, EventPurged, after, difference(before, after))
}

// unlink removes the large objects that a tenant's sessions have made, which are in no
// schema, up to chunk of them; it reports whether more are left. Only a member of the role
// may, which control is for this moment.
func (c *Catalog) unlink(ctx context.Context, tx pgx.Tx, role string, chunk int) (left bool, err error) {
	if c.cfg.WithoutRoles {
		return false, nil // whose they are is not known
	}
	rows, err := tx.Query(ctx, sqlLargeObjects, role, chunk+1)
	if err != nil {
		return false, err
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil || len(objects) == 0 {
		return false, err
	}
	if _, err := tx.Exec(ctx, `GRANT `+quote(role)+` TO CURRENT_USER`); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, sqlUnlink, objects[:min(len(objects), chunk)]); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `REVOKE `+quote(role)+` FROM CURRENT_USER`)
	return len(objects) > chunk, err
}

// dropRoles drops a tenant's role and its login, if it has one. A role on which something
// outside the schema depends stays: roles belong to the whole server, and another database
// of it, such as a copy of this one, may have the same tenants.
func (c *Catalog) dropRoles(ctx context.Context, tx pgx.Tx, id tenant.ID) error {
	if c.cfg.WithoutRoles {
		return nil
	}
	login, err := c.forgetLogin(ctx, tx, id)
	if err != nil {
		return err
	}
	for _, role := range []string{login, SchemaName(id)} {
		if role == "" {
			continue
		}
		err := pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) error {
			_, err := sub.Exec(ctx, `DROP ROLE IF EXISTS `+quote(role))
			return err
		})
		if isCode(err, codeDependentObjects) {
			c.cfg.Logger.WarnContext(ctx, "tenantdb: a role of a purged tenant stays, because something elsewhere depends on it", "role", role, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
