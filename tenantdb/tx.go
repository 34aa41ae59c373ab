package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tx is a transaction, or a savepoint in one, that is confined to a tenant.
type tx struct {
	pgx.Tx // pgx's own
	x      exchange
	outer  *tx // of a savepoint
	closed bool

	// Of the outermost one:
	lease   *pgxpool.Conn
	lasting bool // something may be left in the session
}

func (s Session) begin(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	schema := SchemaName(s.tenant.ID)
	if err := confine(&options, s.db.roles, schema); err != nil {
		return nil, err
	}
	var begun *tx
	err := s.onConn(ctx, func(lease *pgxpool.Conn) error {
		inner, err := lease.Conn().BeginTx(ctx, options)
		x := exchange{db: s.db, c: connOf(lease.Conn()), tenant: s.tenant.ID, bound: true}
		if err != nil {
			return x.explainBind(err)
		}
		begun = &tx{Tx: inner, x: x, lease: lease}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return begun, nil
}

// confine makes BEGIN bind the transaction to the tenant, in its own round trip: a script
// of literals that come from an id alone. SET LOCAL costs the server a tenth of what
// SELECT set_config does, which has to be planned; what it does not do is to find a
// connection that was left in a tenant's role, which is bound all the same.
func confine(o *pgx.TxOptions, roles bool, schema string) error {
	if o.BeginQuery != "" || o.CommitQuery != "" {
		return fmt.Errorf("%w: BeginQuery and CommitQuery are not for the caller to choose", ErrTxOptions)
	}
	var begin strings.Builder
	begin.WriteString("begin")
	switch o.IsoLevel {
	case "":
	case pgx.Serializable, pgx.RepeatableRead, pgx.ReadCommitted, pgx.ReadUncommitted:
		begin.WriteString(" isolation level " + string(o.IsoLevel))
	default:
		return fmt.Errorf("%w: unknown isolation level", ErrTxOptions)
	}
	switch o.AccessMode {
	case "":
	case pgx.ReadWrite, pgx.ReadOnly:
		begin.WriteString(" " + string(o.AccessMode))
	default:
		return fmt.Errorf("%w: unknown access mode", ErrTxOptions)
	}
	switch o.DeferrableMode {
	case "":
	case pgx.Deferrable, pgx.NotDeferrable:
		begin.WriteString(" " + string(o.DeferrableMode))
	default:
		return fmt.Errorf("%w: unknown deferrable mode", ErrTxOptions)
	}
	if roles {
		begin.WriteString(`; set local role "` + schema + `"`)
	}
	o.BeginQuery = begin.String() + `; set local search_path = "` + schema + `", pg_temp`
	return nil
}

func (s Session) inTx(ctx context.Context, options pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	t, err := s.begin(ctx, options)
	if err != nil {
		return err
	}
	// After a commit this says ErrTxClosed; after an error, a panic or runtime.Goexit it
	// is the rollback, whose own error adds nothing: then the connection is closed.
	defer func() { _ = t.Rollback(ctx) }()
	if err := fn(ctx, t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("tenantdb: rolled back: %w", context.Cause(ctx))
	}
	return t.Commit(ctx)
}

// Begin sets a savepoint.
func (t *tx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.over() {
		return nil, pgx.ErrTxClosed
	}
	inner, err := t.Tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &tx{Tx: inner, x: t.x, outer: t}, nil
}

func (t *tx) Commit(ctx context.Context) error {
	if t.over() {
		return pgx.ErrTxClosed
	}
	if t.outer == nil && t.Tx.Conn().PgConn().TxStatus() == 'E' {
		// The check could not run in it, and what COMMIT does to it is a rollback.
		return errors.Join(pgx.ErrTxCommitRollback, t.Rollback(ctx))
	}
	t.closed = true
	var err error
	if t.outer != nil {
		err = t.Tx.Commit(ctx)
	} else if err = t.x.commit(ctx, t.lasting); err != nil && t.Tx.Conn().PgConn().TxStatus() != 'I' {
		t.lasting = true // it is open still: closed here, and not behind the back of who may read from it
	}
	t.end()
	return t.x.countLeft(err)
}

// Rollback works with a context of its own: the caller's is often the reason for it.
func (t *tx) Rollback(ctx context.Context) error {
	if t.over() {
		return pgx.ErrTxClosed
	}
	t.closed = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	err := t.Tx.Rollback(ctx)
	t.end()
	return err
}

// end gives the connection of an outermost transaction back.
func (t *tx) end() {
	if t.outer == nil {
		release(t.lease, t.lasting)
	}
}

// over reports whether the transaction has ended, or one that it is in: its connection may
// be another tenant's by now.
func (t *tx) over() bool {
	for ; t != nil; t = t.outer {
		if t.closed {
			return true
		}
	}
	return false
}

// outermost is the transaction that t is a savepoint in.
func (t *tx) outermost() *tx {
	for t.outer != nil {
		t = t.outer
	}
	return t
}

// note takes down that a statement may leave something in the session.
func (t *tx) note(v verb) {
	if v == lasting {
		t.outermost().lasting = true
	}
}

func (t *tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	r := t.ask(ctx, sql, args, false)
	return r, r.err
}

func (t *tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*row)(t.ask(ctx, sql, args, false))
}

func (t *tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.ask(ctx, sql, args, true).exec()
}

func (t *tx) ask(ctx context.Context, sql string, args []any, discard bool) *rows {
	if t.over() {
		return &rows{Rows: failedRows{err: pgx.ErrTxClosed}, err: pgx.ErrTxClosed, closed: true}
	}
	r := ask(ctx, t.x, sql, args, discard)
	t.note(r.q.verb)
	return r
}

func (t *tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.over() {
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	}
	br := sendBatch(ctx, t.x, b)
	for i := range br.queries {
		t.note(br.queries[i].verb)
	}
	return br
}

func (t *tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	if t.over() {
		return 0, pgx.ErrTxClosed
	}
	return t.x.copyFrom(ctx, table, columns, src)
}

// Prepare gives a statement a name, which lives as long as the connection, so that this is
// closed with the transaction. Statements are prepared without it.
func (t *tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if t.over() {
		return nil, pgx.ErrTxClosed
	}
	t.note(lasting)
	return t.Tx.Prepare(ctx, name, sql)
}

// Conn is the bare connection, and nil after the end: another tenant may have it by then.
func (t *tx) Conn() *pgx.Conn {
	if t.over() {
		return nil
	}
	t.note(lasting)
	return t.Tx.Conn()
}

// LargeObjects are of the database, each of the role that has made it. The handle is pgx's
// and knows nothing of the end of the transaction, so the connection is closed with it.
func (t *tx) LargeObjects() pgx.LargeObjects {
	if t.over() {
		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed).Tx().LargeObjects()
	}
	t.note(lasting)
	return t.Tx.LargeObjects()
}
