package tenantdb

import (
	"context"
	"iter"

	"github.com/tenantwall/tenantwall/tenant"
)

// Migrate brings the schemas of all tenants up to date with [CatalogConfig.Migrations],
// several at a time: of those that are active or suspended. One that is being created gets
// its tables by its creation, and the data of a deleted one wait for the purge as they are.
//
// Each tenant is one transaction: all of its pending migrations are applied or none. One
// that fails stops none of the others, and keeps its schema as it was. Run Migrate again,
// after a fix, a crash or a cancelled context: it goes on with those that are not up to
// date, and takes up to 1 ms a tenant for those that are. Several processes may run it at
// once; each migration is applied once.
//
// A process of an earlier version may create a tenant while this runs, or after it, whose
// schema is of that version. [Catalog.MigrationStatus] tells such a one pending; run
// Migrate again when the last process of that version has ended.
//
// The error is nil when all tenants are up to date, and else a [*MigrateError], which
// wraps the first failures: [*LedgerError], [*MigrationFileError], those of PostgreSQL. The
// report has the outcome of each tenant in both cases. Any other error comes before
// anything was done: bad options, or the tenants can't be listed.
//
// Behind a pooler it works too, for all is done in transactions (see [Open] for the mode of
// the pool); a direct connection is the better one for statements that take long.
func (c *Catalog) Migrate(ctx context.Context, o MigrateOptions) (MigrateReport, error) {
	return migrateAll(ctx, c.pool, c.migrations, o, c.targets(ctx, o.After, o.Limit))
}

// MigrationStatus tells how far the schema of each tenant is that [Catalog.Migrate] would
// migrate, in the order in which the catalog lists them. It changes nothing.
//
// What a schema looks like is compared with what it looked like when it was last migrated,
// and with what most of the schemas with the same migrations look like; a difference is
// drift. It sees tables, columns, defaults, constraints, indexes, views, sequences,
// functions, types, triggers and policies. It does not see data, rights, owners, comments,
// the order of columns, partitions, and what stands in other schemas. After an upgrade to
// another major version of PostgreSQL, which may print definitions otherwise, a schema is
// compared with others alone until its next migration.
//
// It takes about 1 ms a tenant. It waits for tenants that are being migrated only where
// they seem to have drifted.
func (c *Catalog) MigrationStatus(ctx context.Context) ([]MigrationStatus, error) {
	return migrationStatus(ctx, c.pool, c.migrations, c.targets(ctx, tenant.ID{}, 0))
}

// migrated are the statuses of tenants whose schemas are migrated.
var migrated = []tenant.Status{tenant.StatusActive, tenant.StatusSuspended}

// targets are the tenants whose schemas are migrated, behind an id, at most limit unless
// that is 0.
func (c *Catalog) targets(ctx context.Context, after tenant.ID, limit int) iter.Seq2[target, error] {
	return func(yield func(target, error) bool) {
		n := 0
		for t, err := range c.List(ctx, ListOptions{Status: migrated, After: after}) {
			if !yield(target{id: t.ID, schema: SchemaName(t.ID)}, err) {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
}
