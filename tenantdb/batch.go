package tenantdb

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// batchResults are the results of a batch, read in its order.
type batchResults struct {
	x       exchange
	batch   *pgx.Batch
	queries []query
	next    int             // the query whose result comes next
	current *batchRows      // whose result is being read
	lease   *pgxpool.Conn   // goes back at Close; nil within a transaction
	tracer  pgx.BatchTracer // nil without one
	traced  context.Context
	asked   time.Time // when the tracer's next result was asked for
	err     error
	closed  bool
}

var (
	errBatchClosed = errors.New("batch already closed")
	errBatchEmpty  = errors.New("no more results in batch")
)

func (s Session) sendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	var br *batchResults
	err := s.onConn(ctx, func(lease *pgxpool.Conn) error {
		x := exchange{db: s.db, c: connOf(lease.Conn()), tenant: s.tenant.ID}
		br = sendBatch(ctx, x, b)
		if br.err == nil {
			br.lease = lease
		}
		return br.err
	})
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return br
}

// sendBatch sends a batch. When that fails, the results are closed and have the error, and
// the lease is the caller's to give back.
func sendBatch(ctx context.Context, x exchange, b *pgx.Batch) *batchResults {
	br := &batchResults{x: x, batch: b}
	if tracer, ok := x.c.tracer.(pgx.BatchTracer); ok {
		br.tracer = tracer
		br.traced = tracer.TraceBatchStart(ctx, x.c.Conn, pgx.TraceBatchStartData{Batch: b})
		ctx = br.traced
	}
	if br.err = br.start(ctx); br.err != nil {
		br.closed = true
		br.trace()
	}
	return br
}

func (br *batchResults) start(ctx context.Context) error {
	x := &br.x
	br.queries = make([]query, len(br.batch.QueuedQueries))
	for i, queued := range br.batch.QueuedQueries {
		var err error
		if br.queries[i], err = newQuery(ctx, x.c, queued.SQL, queued.Arguments); err != nil {
			return err
		}
	}
	if err := x.describe(ctx, br.queries); err != nil {
		return err
	}
	builders := make([]pgx.ExtendedQueryBuilder, len(br.queries))
	parsed := map[string]bool{} // a name can be prepared once
	for i := range br.queries {
		q := &br.queries[i]
		if err := q.encode(x.c, &builders[i]); err != nil {
			return err
		}
		q.parse = q.parse && !parsed[q.sql]
		parsed[q.sql] = parsed[q.sql] || q.parse
	}
	x.open(ctx)
	for i := range br.queries {
		x.queue(&br.queries[i])
	}
	return x.sync()
}

func (br *batchResults) trace() {
	if br.tracer != nil {
		br.tracer.TraceBatchEnd(br.traced, br.x.c.Conn, pgx.TraceBatchEndData{Err: br.err})
	}
}

func (br *batchResults) Query() (pgx.Rows, error) {
	r := br.read()
	return r, r.Err()
}

func (br *batchResults) QueryRow() pgx.Row { return batchRow{br.read()} }

func (br *batchResults) Exec() (pgconn.CommandTag, error) {
	r := br.read()
	r.Close()
	if err := r.Err(); err != nil {
		return pgconn.CommandTag{}, err
	}
	return r.CommandTag(), nil
}

// read turns to the next result. An error of an earlier one is the error of all that
// follow, for they were not executed.
func (br *batchResults) read() *batchRows {
	failed := func(err error) *batchRows { return &batchRows{Rows: failedRows{err: err}, closed: true} }
	if br.current != nil {
		br.current.Close()
	}
	switch {
	case br.err != nil:
		return failed(br.err)
	case br.closed:
		return failed(errBatchClosed)
	case br.next == len(br.queries):
		return failed(errBatchEmpty)
	}
	q := &br.queries[br.next]
	br.next++
	if br.tracer != nil {
		br.asked = time.Now()
	}
	reader, err := br.x.result(q)
	if err != nil {
		br.err = err
		br.traceQuery(q, pgconn.CommandTag{}, err)
		return failed(err)
	}
	br.current = &batchRows{Rows: pgx.RowsFromResultReader(br.x.c.TypeMap(), reader), br: br, q: q}
	return br.current
}

func (br *batchResults) traceQuery(q *query, tag pgconn.CommandTag, err error) {
	if br.tracer != nil {
		br.tracer.TraceBatchQuery(br.traced, br.x.c.Conn, pgx.TraceBatchQueryData{SQL: q.sql, Args: q.args, CommandTag: tag, Err: err, ReadStartTime: br.asked})
	}
}

// Close reads the remaining results, with the callbacks that were queued with them, and
// ends the transaction.
func (br *batchResults) Close() error {
	if br.closed {
		return br.err
	}
	defer br.end() // a callback may panic
	for br.err == nil && br.next < len(br.queries) {
		if fn := br.batch.QueuedQueries[br.next].Fn; fn != nil {
			if err := fn(br); err != nil {
				br.err = err // the callback's words for what it met, if it met an error
			}
		} else {
			_, _ = br.Exec() // br has the error
		}
	}
	br.end()
	return br.err
}

// end leaves what has not been read, ends the exchange, and gives the connection back.
func (br *batchResults) end() {
	if br.closed {
		return
	}
	if br.current != nil {
		br.current.Close()
	}
	br.closed = true
	br.x.abandon(br.queries[br.next:])
	if err := br.x.finish(); br.err == nil || errors.Is(err, ErrLeftTenant) {
		br.err = err
	}
	br.trace()
	if br.lease != nil {
		release(br.lease, br.lasting())
		br.lease = nil
	}
}

func (br *batchResults) lasting() bool {
	for i := range br.queries {
		if br.queries[i].verb == lasting {
			return true
		}
	}
	return false
}

// Tx is nil: a batch that begins a transaction is refused.
func (br *batchResults) Tx() pgx.Tx { return nil }

// batchRows is one result of a batch.
type batchRows struct {
	pgx.Rows
	br     *batchResults
	q      *query
	closed bool
}

func (r *batchRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	if err := r.Rows.Err(); err != nil && r.br.err == nil {
		r.br.err = err
	}
	r.br.traceQuery(r.q, r.Rows.CommandTag(), r.Rows.Err())
}

func (r *batchRows) FieldDescriptions() []pgconn.FieldDescription {
	if r.closed {
		return nil
	}
	return r.Rows.FieldDescriptions()
}

func (r *batchRows) Next() bool {
	if r.closed {
		return false
	}
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// batchRow is a result of a batch of which one row is wanted.
type batchRow struct{ r *batchRows }

func (w batchRow) Scan(dest ...any) error {
	defer w.r.Close()
	return scanRow(w.r, dest)
}
