package tenantdb_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder is a tracer that writes down what it is told. Each start puts its number into
// the context, by which the calls that belong to it are known.
type recorder struct {
	mu     sync.Mutex
	starts int
	events []string
	reads  []time.Time
}

type recorderKey struct{}

func (r *recorder) note(ctx context.Context, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf("%v "+format, append([]any{ctx.Value(recorderKey{})}, args...)...))
}

func (r *recorder) start(ctx context.Context) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	return context.WithValue(ctx, recorderKey{}, r.starts)
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	ctx = r.start(ctx)
	r.note(ctx, "start %s %v", data.SQL, data.Args)
	return ctx
}

func (r *recorder) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	r.note(ctx, "end %s %s", data.CommandTag, traced(data.Err))
}

func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	ctx = r.start(ctx)
	r.note(ctx, "batch of %d", data.Batch.Len())
	return ctx
}

func (r *recorder) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.mu.Lock()
	r.reads = append(r.reads, data.ReadStartTime)
	r.mu.Unlock()
	r.note(ctx, "read %s %v %s %s", data.SQL, data.Args, data.CommandTag, traced(data.Err))
}

func (r *recorder) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	r.note(ctx, "batch end %s", traced(data.Err))
}

func traced(err error) string {
	if err == nil {
		return "ok"
	}
	return errorText(err)
}

// take empties the recorder.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events, r.starts = nil, 0
	return events
}

func TestATracerSeesOneStartAndOneEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	tracer := &recorder{}
	pool := w.pool(w.gatewayURL(), 1, func(c *pgxpool.Config) { c.ConnConfig.Tracer = tracer })
	db := openOn(t, pool)
	ctx := as(t, a)
	const (
		read  = `SELECT id FROM note WHERE id = $1`
		wrong = `SELECT 1 / (id - 1) FROM note`
	)
	for range 2 { // of new statements, and of known ones
		for _, c := range []struct {
			name string
			run  func()
			want []string
		}{
			{"rows read to the end", func() {
				rows, _ := db.Query(ctx, read, 1)
				_, _ = pgx.CollectRows(rows, pgx.RowTo[int])
				rows.Close()
			}, []string{"1 start " + read + " [1]", "1 end SELECT 1 ok"}},
			{"rows closed early", func() {
				rows, _ := db.Query(ctx, read, 1)
				rows.Close()
				rows.Close()
			}, []string{"1 start " + read + " [1]", "1 end SELECT 1 ok"}},
			{"a row", func() { _ = db.QueryRow(ctx, read, 1).Scan(new(int)) },
				[]string{"1 start " + read + " [1]", "1 end SELECT 1 ok"}},
			{"no row", func() { _ = db.QueryRow(ctx, read, 7).Scan(new(int)) },
				[]string{"1 start " + read + " [7]", "1 end SELECT 0 ok"}},
			{"a row that can't be scanned", func() { _ = db.QueryRow(ctx, read, 1).Scan(new(bool)) },
				[]string{"1 start " + read + " [1]", "1 end SELECT 1 an error of the client's"}},
			{"Exec", func() { _, _ = db.Exec(ctx, `UPDATE note SET body = body`) },
				[]string{"1 start UPDATE note SET body = body []", "1 end UPDATE 1 ok"}},
			{"a statement that fails", func() { _, _ = db.Exec(ctx, wrong) },
				[]string{"1 start " + wrong + " []", "1 end  22012"}},
			{"a query that fails", func() { rows, _ := db.Query(ctx, wrong); rows.Close() },
				[]string{"1 start " + wrong + " []", "1 end  22012"}},
			{"a statement that is refused", func() { _, _ = db.Exec(ctx, `COMMIT`) },
				[]string{"1 start COMMIT []", "1 end  an error of the client's"}},
			{"too few arguments", func() { _, _ = db.Query(ctx, read) },
				[]string{"1 start " + read + " []", "1 end  an error of the client's"}},
			{"a transaction", func() {
				_ = db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, wrong); return err })
			}, []string{"1 start BEGIN []", "1 end SET ok", "2 start " + wrong + " []", "2 end  22012", "3 start rollback []", "3 end ROLLBACK ok"}},
			{"a transaction that is committed", func() {
				_ = db.InTx(ctx, func(context.Context, pgx.Tx) error { return nil })
			}, []string{"1 start BEGIN []", "1 end SET ok", "2 start commit []", "2 end COMMIT ok"}},
			{"a batch", func() { _ = db.SendBatch(ctx, batchOf(read, 1, read, 2)).Close() },
				[]string{"1 batch of 2", "1 read " + read + " [1] SELECT 1 ok", "1 read " + read + " [2] SELECT 0 ok", "1 batch end ok"}},
			{"a batch closed twice", func() { br := db.SendBatch(ctx, batchOf(read, 1)); _ = br.Close(); _ = br.Close() },
				[]string{"1 batch of 1", "1 read " + read + " [1] SELECT 1 ok", "1 batch end ok"}},
			{"a batch that fails", func() { _ = db.SendBatch(ctx, batchOf(read, 1, wrong, nil, read, 2)).Close() },
				[]string{"1 batch of 3", "1 read " + read + " [1] SELECT 1 ok", "1 read " + wrong + " []  22012", "1 batch end 22012"}},
			{"a batch that is refused", func() { _ = db.SendBatch(ctx, batchOf(read, 1, `COMMIT`, nil)).Close() },
				[]string{"1 batch of 2", "1 batch end an error of the client's"}},
			{"a batch that can't be prepared", func() { _ = db.SendBatch(ctx, batchOf(read, 1, `SELECT * FROM nowhere`, nil)).Close() },
				[]string{"1 batch of 2", "1 batch end 42P01"}},
		} {
			tracer.take()
			c.run()
			got := tracer.take()
			if len(got) > 0 && strings.HasPrefix(c.name, "a transaction") {
				got[0] = "1 start BEGIN []" // with what binds it
			}
			assert.Equal(t, c.want, got, c.name)
		}
	}
	for _, at := range tracer.reads {
		assert.WithinDuration(t, time.Now(), at, time.Minute, "when a result of a batch was asked for")
	}
}

// batchOf has statements with one argument, or none where it is nil.
func batchOf(pairs ...any) *pgx.Batch {
	b := &pgx.Batch{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			b.Queue(pairs[i].(string))
		} else {
			b.Queue(pairs[i].(string), pairs[i+1])
		}
	}
	return b
}

func TestATracerSeesEachAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	w.exec(fmt.Sprintf(`CREATE FUNCTION %[1]q.leave() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'SET ROLE %[2]q'; RETURN 1; END $f$`,
		w.schema(a), w.schema(b)))
	tracer := &recorder{}
	db := openOn(t, w.pool(w.gatewayURL(), 1, func(c *pgxpool.Config) { c.ConnConfig.Tracer = tracer }))
	_, err := db.Exec(as(t, a), `SELECT leave()`)
	require.NoError(t, err)
	tracer.take()
	_, err = db.Exec(as(t, a), `SELECT 1`)
	require.NoError(t, err)
	assert.Equal(t, []string{"1 start SELECT 1 []", "1 end  an error of the client's", "2 start SELECT 1 []", "2 end SELECT 1 ok"}, tracer.take())
}

var _ pgx.BatchTracer = (*recorder)(nil)
