// Package tenantdb confines a service's work on PostgreSQL to one tenant at a time: its
// sessions, its catalog of tenants, and the migrations of all their schemas.
//
// Each tenant has a schema, and a role that may read and write rows in that schema and
// nothing else. A statement runs as that role, with that schema as its path, in the one
// round trip that it takes in any case. Both end with the statement's own transaction, so
// nothing is left on the connection for whoever gets it next: not when a context was
// cancelled, a handler panicked, or a pooler handed the connection on.
//
// # First use
//
// Once for each database, on a connection of its owner, [Setup] makes two logins. Control
// is for the catalog and for migrations; gateway is for tenants' statements, and can do
// nothing but become one tenant at a time:
//
//	err := tenantdb.Setup(ctx, owner, tenantdb.Roles{ControlPassword: …, GatewayPassword: …})
//
// A program has a pool for each, signed in as [DefaultControl] and as [DefaultGateway]:
//
//	//go:embed 0001_note.sql
//	var migrations embed.FS // CREATE TABLE note (…): no schema is named, no tenant_id is there
//
//	catalog, err := tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Migrations: migrations})
//	db, err := tenantdb.Open(ctx, gateway)
//
//	acme, err := catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})
//
// A handler behind the middleware of package resolve has its tenant in the context, and
// that is the tenant of each statement. Work without a request names it:
//
//	rows, err := db.Query(r.Context(), `SELECT id, body FROM note`)
//	err = db.As(acme).InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { … })
//
// [DB] has pgx's own methods and types, and is what sqlc calls DBTX. For libraries on
// database/sql there is package tenantsql.
//
// # Rules
//
//   - No tenant in the context: [tenant.ErrRequired], and nothing is sent. There is no
//     statement that runs for all tenants; what concerns all is the catalog's.
//   - One statement at a time. Rows and batch results must be closed and a QueryRow must be
//     scanned, for each holds a connection until then.
//   - One statement is one transaction. For several there is [DB.InTx], which commits when
//     its function returns nil and rolls back in every other case, or [DB.Begin]. BEGIN and
//     COMMIT as statements are refused.
//   - Nothing lasts from one statement to the next. SET, LISTEN, temporary tables and session
//     locks are no use here: what they leave behind is taken away with the connection. Use
//     SET LOCAL and pg_advisory_xact_lock in a transaction.
//   - Tenants' statements can't change tables. Migrations do, as control.
//   - A tenant that was put into the context goes on as it was then: whoever suspends or
//     deletes it ends the next look-up, not the request at work.
//
// # Lives of tenants
//
// A [Catalog] is the [tenant.Store] on PostgreSQL. [Catalog.Create] makes role, schema and
// tables, or nothing; after a crash, Create with the same ID goes on. [Catalog.Rename] keeps
// the old slug from everybody else, [Catalog.Suspend] and [Catalog.Resume] are what they
// say, [Catalog.Delete] refuses the tenant from then on and keeps its data until
// [Catalog.Purge] finds the grace period over.
//
// Each change is an [Event] of the same transaction. [Catalog.Follow] tells them all, in the
// order of their commits and through outages; [CatalogConfig.OnChange] tells those of this
// process sooner.
//
// # Migrations
//
// Files are 0001_name.sql, those of goose included; see [ParseMigrations]. A new tenant gets
// them with its creation. [Catalog.Migrate] brings all others up to date, each in a
// transaction of its own, so that one that fails stops no other; call it in each release, and
// again after a failure. [Catalog.MigrationStatus] tells who is behind, and what somebody has
// changed by hand. [MigrateControl] is for the tables of other packages in [ControlSchema].
//
// # What goes wrong
//
//   - [Open], [OpenCatalog] and [Setup] audit the roles, and return an [*AuditError] that has
//     all findings, each with the SQL that mends it.
//   - What an API client may see is a [*tenant.Error] with a code: the tenant is suspended,
//     gone, unknown, its slug is taken, a field is not valid.
//   - PostgreSQL's own errors come as *pgconn.PgError, as with pgx. 42501, permission
//     denied, on a table that is there means that the statement reached out of its schema;
//     42P01, no such table, that the tenant's schema lacks it, mid-rollout for one.
//   - [ErrLeftTenant]: the statement changed the role of its session, and was rolled back.
//     [DB.Stats] counts these, and an operator wants to know.
//   - [ErrSimpleProtocol] and [ErrTransactionControl] are mistakes of the program.
//
// # What is whose
//
// DB, Catalog, Session and Migrations are safe for concurrent use, are made by their
// functions alone (a zero DB or Catalog is of no use), and start no goroutine, so they need no
// closing. Pools stay their maker's to close.
//
// # Limits
//
// PostgreSQL 15 is the oldest that is supported. A schema a tenant is for hundreds to low
// thousands of tenants in a cluster: a connection that has touched 2,000 schemas holds 135 MB.
// [WithPools] spreads tenants over gateways and clusters. Behind a pooler that keeps no
// prepared statements, the pool needs another mode, see [Open]. What an attacker with a whole
// statement can still do is written in SECURITY.md, and [Catalog.GiveLogin] closes it.
package tenantdb
