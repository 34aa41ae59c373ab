package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// DB runs statements, each confined to the tenant that its context is for. Make one with
// [Open]. It is safe for concurrent use, and satisfies the DBTX interface that sqlc
// generates for pgx v5.
//
// A context without a tenant is refused with [tenant.ErrRequired] before anything is sent,
// and one whose tenant is not active with the error of [tenant.Tenant.Usable].
//
// A statement costs one round trip, the same as without a tenant. The first use of a
// statement by a tenant in this process costs one more, in which its parameters and
// columns are described (pgx spends it on each connection); a statement without results
// and arguments does not. A transaction of n statements costs n + 2.
type DB struct {
	pool      *pgxpool.Pool
	pools     func(tenant.Tenant) *pgxpool.Pool
	roles     bool
	unrevoked bool
	log       *slog.Logger

	statements *statements
	left       atomic.Int64
	poisoned   atomic.Int64
}

// Open makes a DB of a pool whose user is the gateway that [Setup] has created, and audits
// what that user may do. The error is an [*AuditError] when the roles and grants do not
// confine sessions; it says what is missing, with the SQL that mends it.
//
// The pool stays the caller's: to configure, to trace, and to close. Its
// DefaultQueryExecMode decides how statements are sent. The default keeps them prepared on
// each connection. Behind a pooler that knows no prepared statements (PgBouncer in
// transaction mode before 1.21, and with max_prepared_statements at 0) set
// default_query_exec_mode to cache_describe or exec in the connection string; statements
// are still confined, in one round trip.
func Open(ctx context.Context, pool *pgxpool.Pool, opts ...Option) (*DB, error) {
	if pool == nil {
		return nil, errors.New("tenantdb: Open needs a pool")
	}
	db := &DB{
		pool:       pool,
		pools:      func(tenant.Tenant) *pgxpool.Pool { return nil },
		roles:      true,
		log:        slog.New(slog.DiscardHandler),
		statements: newStatements(),
	}
	for _, opt := range opts {
		opt(db)
	}
	if pool.Config().ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, ErrSimpleProtocol
	}
	findings, err := audit(ctx, pool, auditOptions{withoutRoles: !db.roles, unrevokedSetConfig: db.unrevoked})
	if err != nil {
		return nil, fmt.Errorf("tenantdb: open: %w", err)
	}
	for _, f := range findings {
		db.log.WarnContext(ctx, "tenantdb: a finding of the audit that is accepted", "code", f.Code, "problem", f.Problem, "fix", f.Fix)
	}
	return db, nil
}

// Stats counts what should not happen, since [Open].
type Stats struct {
	// Left is how many statements and transactions were rolled back because they had
	// changed the role of their session.
	Left int64
	// Poisoned is how many connections were closed because their session had been left in
	// a tenant's role. The statement that found out was retried on another one.
	Poisoned int64
}

// Stats is what has been counted so far.
func (db *DB) Stats() Stats { return Stats{Left: db.left.Load(), Poisoned: db.poisoned.Load()} }

// As is a session for t, for work that has no request: jobs, imports, administration. The
// context's tenant, if there is one, does not matter to it. A session costs nothing and
// needs no closing; it may be used by several goroutines at once.
func (db *DB) As(t tenant.Tenant) *Session { return &Session{db: db, tenant: t} }

// from is the session of the context's tenant.
func (db *DB) from(ctx context.Context) Session {
	t, _ := tenant.FromContext(ctx)
	return Session{db: db, tenant: t}
}

// Query is [Session.Query] for the context's tenant.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return db.from(ctx).query(ctx, sql, args)
}

// QueryRow is [Session.QueryRow] for the context's tenant.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return db.from(ctx).queryRow(ctx, sql, args)
}

// Exec is [Session.Exec] for the context's tenant.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return db.from(ctx).exec(ctx, sql, args)
}

// SendBatch is [Session.SendBatch] for the context's tenant.
func (db *DB) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return db.from(ctx).sendBatch(ctx, b)
}

// CopyFrom is [Session.CopyFrom] for the context's tenant.
func (db *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return db.from(ctx).copyFrom(ctx, table, columns, src)
}

// Begin is [Session.Begin] for the context's tenant.
func (db *DB) Begin(ctx context.Context) (pgx.Tx, error) {
	return db.from(ctx).begin(ctx, pgx.TxOptions{})
}

// BeginTx is [Session.BeginTx] for the context's tenant.
func (db *DB) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	return db.from(ctx).begin(ctx, options)
}

// InTx is [Session.InTx] for the context's tenant.
func (db *DB) InTx(ctx context.Context, fn func(context.Context, pgx.Tx) error) error {
	return db.from(ctx).inTx(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is [Session.InTxOptions] for the context's tenant.
func (db *DB) InTxOptions(ctx context.Context, options pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	return db.from(ctx).inTx(ctx, options, fn)
}

// acquire takes a connection of the pool that serves t.
func (db *DB) acquire(ctx context.Context, t tenant.Tenant) (*pgxpool.Conn, error) {
	if err := t.Usable(); err != nil {
		return nil, err
	}
	pool := db.pools(t)
	if pool == nil {
		pool = db.pool
	}
	lease, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenantdb: acquire a connection: %w", err)
	}
	return lease, nil
}

// reportPoisoned tells of a connection that is about to be closed.
func (db *DB) reportPoisoned(ctx context.Context, lease *pgxpool.Conn) {
	db.poisoned.Add(1)
	db.log.ErrorContext(ctx, "tenantdb: a connection was left in a tenant's role; it is closed and the statement retried on another. Look for code that runs SET ROLE.",
		"backend", lease.Conn().PgConn().PID())
}
