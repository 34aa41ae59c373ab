// Package tenantsql is a [database/sql.DB] that is confined to one tenant at a time, for
// GORM, ent, bun, sqlx, and whatever else is built on database/sql.
//
// On database/sql alone a tenant can't be kept: its pool gives a connection to the next
// waiter as the last one left it, and between setting a session up and querying there is
// always room for somebody else. Here each call is confined by itself, on the sessions of
// package tenantdb, so there is no set-up that could be inherited or forgotten.
//
// Make one for the whole service. The tenant is that of each call's context, where the
// middleware of package resolve has put it:
//
//	pool, err := pgxpool.New(ctx, gatewayURL)
//	…
//	core, err := tenantdb.Open(ctx, pool)
//	…
//	db := tenantsql.Open(core)
//	defer db.Close()
//
//	rows, err := db.QueryContext(r.Context(), `SELECT id, title FROM note`)
//
// A call whose context has no tenant is refused with tenant.ErrRequired, and that is every
// call without a context: db.Query, db.Exec, db.Begin. For work that has no request, and
// for libraries that pass no context on, [OpenFor] makes a *sql.DB for one tenant.
//
// A transaction belongs to the tenant that it was begun for. Statements in it may come
// without a tenant, but not with another one: that is [ErrOtherTenant].
//
// # With libraries
//
//	gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{}) // then g.WithContext(ctx)
//	ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db)))
//	bun.NewDB(db, pgdialect.New())
//	sqlx.NewDb(db, "pgx")
//
// Nested transactions work: the SAVEPOINT, RELEASE and ROLLBACK TO that these libraries send
// as SQL are understood within a transaction. bun writes values into the SQL, so give it a
// *sql.DB of its own with [WithExecMode]. Tenants' schemas are changed by tenantdb's
// migrations and not by a library: a tenant's role may create nothing.
//
// # What it costs
//
// As with tenantdb: one round trip for a statement, and one more for its first use by a
// tenant; n + 2 for a transaction of n statements. PrepareContext costs none, and need not
// be used: tenantdb keeps every statement prepared, for each tenant. A prepared *sql.Stmt
// serves all tenants; what is wrong with its SQL is told when it is run.
//
// Connections are tenantdb's, of the pool that it was opened on: this is where their number
// is bounded. What database/sql calls a connection is a few words of memory, to which
// [database/sql.DB.SetMaxOpenConns] and the like may be applied but need not, and which
// [database/sql.DB.Stats] counts. It holds a connection of the pool while a result or a
// transaction is open: rows must be closed and transactions ended, as ever. The pool's
// tracer sees the statements.
//
// # What it is not
//
// A [database/sql.Conn] is no session. Each call on it is confined to its own context's
// tenant and runs on any connection of the pool, so SET, LISTEN, temporary tables and
// session locks do not last. Use a transaction for what belongs together, with SET LOCAL
// and transaction locks. BEGIN and COMMIT as SQL are refused.
//
// Values are those that pgx's own package stdlib gives: dates and times as [time.Time], json
// and bytea as []byte, numeric, uuid, arrays and other types as strings in PostgreSQL's text
// form. Arguments may be of any type that pgx can send. There is no LastInsertId (use
// RETURNING), and sql.Named is refused (pgx.NamedArgs as the only argument is not).
//
// COPY, batches and pgx's other powers are with tenantdb, on the same pool.
package tenantsql
