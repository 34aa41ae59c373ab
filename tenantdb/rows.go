package tenantdb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rows is a statement's result. The exchange ends, and the connection goes back, when it
// is closed.
type rows struct {
	pgx.Rows
	x      exchange
	q      query
	lease  *pgxpool.Conn   // goes back at Close; nil within a transaction
	traced context.Context // what the tracer made of the context; nil without one
	err    error
	closed bool
}

// ask sends one statement and waits for the beginning of its result. When that fails, the
// rows are closed and have the error, and the lease is the caller's to give back. With
// discard the caller does not want the rows.
func ask(ctx context.Context, x exchange, sql string, args []any, discard bool) *rows {
	r := &rows{x: x}
	if x.c.tracer != nil {
		r.traced = x.c.tracer.TraceQueryStart(ctx, x.c.Conn, pgx.TraceQueryStartData{SQL: sql, Args: args})
		ctx = r.traced
	}
	if r.err = r.start(ctx, sql, args, discard); r.err != nil {
		r.closed = true
		r.Rows = failedRows{err: r.err}
		r.trace()
	}
	return r
}

func (r *rows) start(ctx context.Context, sql string, args []any, discard bool) (err error) {
	x := &r.x
	if r.q, err = newQuery(ctx, x.c, sql, args); err != nil {
		return err
	}
	if discard && len(r.q.args) == 0 {
		r.q.mode = pgx.QueryExecModeExec // no types to be known, neither in nor out
	}
	queries := []query{r.q}
	if err := x.describe(ctx, queries); err != nil {
		return err
	}
	r.q = queries[0]
	if err := r.q.encode(x.c, &x.c.builder); err != nil {
		return err
	}
	x.open(ctx)
	x.queue(&r.q)
	if err := x.sync(); err != nil {
		return err
	}
	reader, err := x.result(&r.q)
	if err != nil {
		return x.fail(err)
	}
	r.Rows = pgx.RowsFromResultReader(x.c.TypeMap(), reader)
	return nil
}

func (r *rows) trace() {
	if r.traced != nil {
		r.x.c.tracer.TraceQueryEnd(r.traced, r.x.c.Conn, pgx.TraceQueryEndData{CommandTag: r.CommandTag(), Err: r.err})
		r.traced = nil
	}
}

func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	ended := r.x.finish()
	switch {
	case errors.Is(ended, ErrLeftTenant):
		r.err = ended
	case r.Rows.Err() != nil:
		r.err = r.Rows.Err()
	default:
		r.err = ended
	}
	r.trace()
	r.giveBack()
}

// giveBack returns the connection to its pool, unless the statement may have left
// something in it.
func (r *rows) giveBack() {
	if r.lease != nil {
		release(r.lease, r.q.verb == lasting)
		r.lease = nil
	}
}

func (r *rows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}

// FieldDescriptions are nil once the rows are closed: pgx's own would then be those of
// whatever the connection is used for next, by another tenant perhaps.
func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	if r.closed {
		return nil
	}
	return r.Rows.FieldDescriptions()
}

func (r *rows) Next() bool {
	if r.closed {
		return false
	}
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *rows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

func (r *rows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// exec reads the result to its end.
func (r *rows) exec() (pgconn.CommandTag, error) {
	r.Close()
	if r.err != nil {
		return pgconn.CommandTag{}, r.err
	}
	return r.CommandTag(), nil
}

// row is rows of which one is wanted.
type row rows

func (w *row) Scan(dest ...any) error {
	r := (*rows)(w)
	defer r.Close() // a Scanner may panic
	return scanRow(r, dest)
}

// scanRow scans the first row and closes the rows, as [pgx.Row] says.
func scanRow(r pgx.Rows, dest []any) error {
	if err := r.Err(); err != nil {
		return err
	}
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("tenantdb: cannot scan into *pgtype.DriverBytes from QueryRow: the bytes would not outlive it")
		}
	}
	if !r.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.Scan(dest...); err != nil {
		return err
	}
	r.Close()
	return r.Err()
}

// failedRows has no rows and an error.
type failedRows struct{ err error }

func (f failedRows) Close()                                       {}
func (f failedRows) Err() error                                   { return f.err }
func (f failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (f failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (f failedRows) Next() bool                                   { return false }
func (f failedRows) Scan(...any) error                            { return f.err }
func (f failedRows) Values() ([]any, error)                       { return nil, f.err }
func (f failedRows) RawValues() [][]byte                          { return nil }
func (f failedRows) Conn() *pgx.Conn                              { return nil }
func (f failedRows) TypeMap() *pgtype.Map                         { return nil }
