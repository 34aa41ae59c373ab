package tenantdb

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// Option changes how [Open] opens a [DB].
type Option func(*DB)

// WithLogger makes the DB tell what an operator should know: a connection that had to be
// closed because a statement left its tenant, findings of the audit that are warnings.
// Without it nothing is logged; [DB.Stats] counts.
func WithLogger(log *slog.Logger) Option {
	return func(db *DB) { db.log = log }
}

// WithPools chooses the pool for each tenant, with nil for the one given to [Open]. It is
// for tenants with a login of their own, for gateways that are sharded because one has too
// many memberships, and for tenants that live in another cluster. It is called for every
// statement, by many goroutines at once. The pools are the caller's to close, and to be
// held to [Audit], which Open does for its own alone.
func WithPools(pool func(tenant.Tenant) *pgxpool.Pool) Option {
	return func(db *DB) { db.pools = pool }
}

// WithoutRoles confines sessions by the search path alone. A statement that names another
// tenant's schema then reads it; a guessed id, a forgotten WHERE, a cancelled context and
// a pooled connection still can't. It is for servers on which roles can't be created, and
// for more tenants on one login than its memberships can bear.
func WithoutRoles() Option {
	return func(db *DB) { db.roles = false }
}

// WithUnrevokedSetConfig accepts that the tenants' roles may call set_config, as on managed
// PostgreSQL, where functions of pg_catalog can't be revoked. SECURITY.md says what it
// costs: one injected SELECT can then take another tenant's role.
func WithUnrevokedSetConfig() Option {
	return func(db *DB) { db.unrevoked = true }
}
