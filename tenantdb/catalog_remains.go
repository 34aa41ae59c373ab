package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Remains is what there is of a tenant in the database, in whatever status it is.
type Remains struct {
	Schema string `json:"schema,omitempty"` // empty when there is none
	Role   string `json:"role,omitempty"`   // as well
	Login  string `json:"login,omitempty"`  // of the tenant's own, see [Catalog.GiveLogin]

	// Relations are the schema's tables and views by their names, up to
	// [MaxRemainsRelations] of them, and Count is the number of all.
	Relations []Relation `json:"relations,omitempty"`
	Count     int        `json:"count"`

	// Bytes is the size of all of them with their indexes.
	Bytes int64 `json:"bytes"`
}

// Relation is a table or a view.
type Relation struct {
	Name string `json:"name"`

	// Rows is PostgreSQL's estimate, as of the last time that it has looked; -1 when it
	// never has, and for views.
	Rows int64 `json:"rows"`
}

// MaxRemainsRelations bounds [Remains.Relations].
const MaxRemainsRelations = 1000

// sqlRemains is what there is of the tenant $1, whose schema and role have the name $2.
const sqlRemains = `
SELECT coalesce((SELECT nspname::text FROM pg_namespace WHERE nspname = $2), ''),
       coalesce((SELECT rolname::text FROM pg_roles WHERE rolname = $2), ''),
       coalesce((SELECT role FROM tenantwall.own_login WHERE tenant_id = $1), ''),
       count(c.oid), coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`

// sqlRemainingRelations are at most $2 tables and views of the schema $1.
const sqlRemainingRelations = `
SELECT c.relname::text, c.reltuples::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY c.relname LIMIT $2`

// Remains looks at what there is of a tenant: what [Catalog.Purge] would remove of one that
// is deleted. It changes nothing, and of an id that is nobody's there is nothing.
func (c *Catalog) Remains(ctx context.Context, id tenant.ID) (Remains, error) {
	var r Remains
	schema := SchemaName(id)
	err := c.pool.QueryRow(ctx, sqlRemains, id, schema).Scan(&r.Schema, &r.Role, &r.Login, &r.Count, &r.Bytes)
	if err == nil {
		var rows pgx.Rows
		if rows, err = c.pool.Query(ctx, sqlRemainingRelations, schema, MaxRemainsRelations); err == nil {
			r.Relations, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Relation])
		}
	}
	if err != nil {
		return Remains{}, fmt.Errorf("tenantdb: look at what there is of tenant %s: %w", id, err)
	}
	return r, nil
}

// Errors of [Catalog.PurgeTenant].
var (
	ErrNotDeleted  = errors.New("tenantdb: the tenant is not deleted")
	ErrGracePeriod = errors.New("tenantdb: the grace period of the tenant is not over")
)

// sqlPurgeable tells how far the deletion of the tenant $1 is: its status, whether it was
// deleted by the time $2, and whether it has been purged.
const sqlPurgeable = `
SELECT status, coalesce(deleted_at <= $2, false), purged_at IS NOT NULL FROM tenantwall.tenant WHERE id = $1`

// PurgeTenant does for one tenant what [Catalog.Purge] does for all, with a grace period of
// its own, which may be 0: an owner may want the data gone at once. It is nil when they are
// gone, whoever has removed them.
//
// The errors are [ErrNotDeleted], [ErrGracePeriod], [tenant.ErrNotFound], and those of
// PostgreSQL: a lock that others keep on the tenant's tables, above all. Try again after
// one of these.
func (c *Catalog) PurgeTenant(ctx context.Context, id tenant.ID, grace time.Duration) error {
	if grace < 0 {
		return fmt.Errorf("tenantdb: purge tenant %s: the grace period is %s, below 0", id, grace)
	}
	own := *c
	own.cfg.GracePeriod = grace
	done, err := own.purge(ctx, id)
	if err == nil && !done {
		err = own.whyNotPurged(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("tenantdb: purge tenant %s: %w", id, err)
	}
	return nil
}

// whyNotPurged is why a tenant was not found to be purged: nil if it has been.
func (c *Catalog) whyNotPurged(ctx context.Context, id tenant.ID) error {
	var status tenant.Status
	var due, purged bool
	err := c.pool.QueryRow(ctx, sqlPurgeable, id, c.graceEnd()).Scan((*string)(&status), &due, &purged)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return tenant.ErrNotFound
	case err != nil:
		return err
	case purged:
		return nil
	case status != tenant.StatusDeleted:
		return ErrNotDeleted
	case !due:
		return ErrGracePeriod
	}
	return errOthers
}
