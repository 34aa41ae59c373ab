package tenantdb

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

const (
	// maxAttempts bounds how many poisoned connections one statement may meet before it
	// gives up. Each is closed, so the next attempt is on another.
	maxAttempts = 16

	// endTimeout bounds what is said to the server when the caller's context may be over
	// already: ROLLBACK, and the farewell to a connection.
	endTimeout = 5 * time.Second
)

// Session runs statements for one tenant, see [DB.As].
type Session struct {
	db     *DB
	tenant tenant.Tenant
}

// Query runs a statement and returns its rows, as [pgx.Conn.Query] does: the rows must be
// closed, and their Err looked at then. pgx's options may stand before the arguments,
// except for the simple protocol. The connection goes back to the pool when the rows are
// closed.
//
// One statement is one transaction. A statement other than SELECT, INSERT, UPDATE, DELETE,
// MERGE, VALUES, TABLE, WITH, SET LOCAL, LOCK, NOTIFY and SHOW may leave something in the
// session for the next tenant, so its connection is closed afterwards.
//
// Errors besides PostgreSQL's and those of [tenant.Tenant.Usable] are
// [ErrTransactionControl], [ErrSimpleProtocol] and [ErrLeftTenant].
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.query(ctx, sql, args)
}

// QueryRow is [Session.Query] for one row. Its errors come from Scan, which returns
// [pgx.ErrNoRows] when there is none. Scan must be called: it gives the connection back.
func (s *Session) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return s.queryRow(ctx, sql, args)
}

// Exec is [Session.Query] for a statement whose rows are of no interest.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return s.exec(ctx, sql, args)
}

// SendBatch runs all statements of a batch in one round trip and one transaction, as
// [pgx.Conn.SendBatch] does: the results must be closed. A batch with
// [pgx.Batch.BeginTx] is refused with [ErrTransactionControl].
func (s *Session) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return s.sendBatch(ctx, b)
}

// CopyFrom loads rows into a table, as [pgx.Conn.CopyFrom] does, in a transaction. The
// table is named without a schema.
func (s *Session) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return s.copyFrom(ctx, table, columns, src)
}

// Begin is [Session.BeginTx] with PostgreSQL's defaults.
func (s *Session) Begin(ctx context.Context) (pgx.Tx, error) { return s.begin(ctx, pgx.TxOptions{}) }

// BeginTx begins a transaction that is confined to the tenant, in the round trip of its
// BEGIN. The caller must end it with Commit or Rollback; [Session.InTx] does so by itself.
//
// Nested transactions, which are savepoints, are confined as well. Rollback works with a
// context that is over. Commit returns [ErrLeftTenant] when a statement has changed the
// role of the session; everything is rolled back then. The transaction's Conn and
// LargeObjects hand out what outlives it, so to call them costs the connection, which is
// closed in the end.
//
// Options with a BeginQuery, a CommitQuery or words that PostgreSQL does not know are
// refused with [ErrTxOptions].
func (s *Session) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	return s.begin(ctx, options)
}

// InTx is [Session.InTxOptions] with PostgreSQL's defaults.
func (s *Session) InTx(ctx context.Context, fn func(context.Context, pgx.Tx) error) error {
	return s.inTx(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions calls fn with a transaction, see [Session.BeginTx], and commits it when fn
// returns nil and ctx is not over. In every other case it is rolled back: fn's error is
// returned as it is, a panic goes on, and a context that is over is the error when fn has
// none. fn must not use the transaction after it has returned.
func (s *Session) InTxOptions(ctx context.Context, options pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	return s.inTx(ctx, options, fn)
}

func (s Session) query(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	r := s.ask(ctx, sql, args, false)
	return r, r.err
}

func (s Session) queryRow(ctx context.Context, sql string, args []any) pgx.Row {
	return (*row)(s.ask(ctx, sql, args, false))
}

func (s Session) exec(ctx context.Context, sql string, args []any) (pgconn.CommandTag, error) {
	return s.ask(ctx, sql, args, true).exec()
}

func (s Session) copyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	err = s.inTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		n, err = tx.CopyFrom(ctx, table, columns, src)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// ask runs a statement on a connection of its own.
func (s Session) ask(ctx context.Context, sql string, args []any, discard bool) *rows {
	var r *rows
	err := s.onConn(ctx, func(lease *pgxpool.Conn) error {
		x := exchange{db: s.db, c: connOf(lease.Conn()), tenant: s.tenant.ID}
		r = ask(ctx, x, sql, args, discard)
		switch {
		case r.err == nil:
			r.lease = lease
		case r.q.verb == lasting:
			shut(lease) // an error does not take back all that it did before
		}
		return r.err
	})
	if err != nil {
		return &rows{Rows: failedRows{err: err}, err: err, closed: true}
	}
	return r
}

// onConn calls fn with a connection, which is fn's when it returns nil. When fn failed
// because of what the connection was, and before anything was executed, it is called again
// with another.
func (s Session) onConn(ctx context.Context, fn func(*pgxpool.Conn) error) error {
	for attempt := 1; ; attempt++ {
		lease, err := s.db.acquire(ctx, s.tenant)
		if err != nil {
			return err
		}
		err = try(lease, fn)
		if err == nil {
			return nil
		}
		poisoned := errors.Is(err, errPoisoned)
		if poisoned {
			s.db.reportPoisoned(ctx, lease)
		}
		release(lease, poisoned)
		if attempt == maxAttempts || !poisoned && (!isStale(err) || attempt > 1) {
			return err
		}
	}
}

// try calls fn with a connection, which is closed when fn panics, as an argument that
// encodes itself can.
func try(lease *pgxpool.Conn, fn func(*pgxpool.Conn) error) error {
	panicked := true
	defer func() {
		if panicked {
			release(lease, true)
		}
	}()
	err := fn(lease)
	panicked = false
	return err
}

// release gives a connection back to its pool, or closes it.
func release(lease *pgxpool.Conn, closing bool) {
	if closing {
		shut(lease)
	}
	lease.Release()
}

// shut closes a connection, which its pool sees when it is released. Where statements are
// not kept prepared there may be a pooler, for which the session outlives the connection:
// then it is asked to discard what is left in the session, for as long as that is at hand.
func shut(lease *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	c := lease.Conn()
	if connOf(c).mode != pgx.QueryExecModeCacheStatement {
		if c.PgConn().TxStatus() != 'I' {
			_, _ = c.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
		}
		_, _ = c.PgConn().Exec(ctx, "DISCARD ALL").ReadAll()
	}
	_ = c.Close(ctx) // more can't be done
}
