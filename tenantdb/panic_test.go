package tenantdb_test

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// panics is an argument, a destination and a rewriter, all of which panic.
type panics struct{}

func (panics) Value() (driver.Value, error) { panic("boom") }
func (*panics) Scan(any) error              { panic("boom") }
func (panics) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	panic("boom")
}

func TestRow3_APanicInTheMiddleOfAStatementLosesNoConnection(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	ctx := as(t, a)
	const sql = `SELECT body FROM note WHERE body = $1`
	batch := func(queue func(*pgx.Batch)) func() {
		return func() {
			b := &pgx.Batch{}
			b.Queue(`INSERT INTO note (body) VALUES ('lost')`)
			queue(b)
			b.Queue(`SELECT 1`)
			_ = db.SendBatch(ctx, b).Close()
		}
	}
	for name, run := range map[string]func(){
		"an argument of Exec":      func() { _, _ = db.Exec(ctx, sql, &panics{}) },
		"an argument of Query":     func() { _, _ = db.Query(ctx, sql, &panics{}) },
		"an argument of QueryRow":  func() { _ = db.QueryRow(ctx, sql, &panics{}) },
		"a rewriter":               func() { _, _ = db.Exec(ctx, sql, panics{}) },
		"a destination":            func() { _ = db.QueryRow(ctx, sql, w.schema(a)).Scan(&panics{}) },
		"an argument in a batch":   batch(func(b *pgx.Batch) { b.Queue(sql, &panics{}) }),
		"the batch's first result": batch(func(b *pgx.Batch) { b.QueuedQueries[0].Exec(func(pgconn.CommandTag) error { panic("boom") }) }),
		"a destination in a batch": batch(func(b *pgx.Batch) {
			b.Queue(sql, w.schema(a)).QueryRow(func(row pgx.Row) error { return row.Scan(&panics{}) })
		}),
		"rows of a batch": batch(func(b *pgx.Batch) {
			b.Queue(sql, w.schema(a)).Query(func(pgx.Rows) error { panic("boom") })
		}),
		"an argument in a transaction": func() {
			_ = db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				require.NoError(t, insert(ctx, tx))
				_, err := tx.Exec(ctx, sql, &panics{})
				return err
			})
		},
		"a batch in a transaction": func() {
			_ = db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				b := &pgx.Batch{}
				b.Queue(`INSERT INTO note (body) VALUES ('lost')`).Exec(func(pgconn.CommandTag) error { panic("boom") })
				return tx.SendBatch(ctx, b).Close()
			})
		},
	} {
		assert.PanicsWithValue(t, "boom", run, name)
		require.Eventually(t, func() bool { return pool.Stat().AcquiredConns() == 0 }, 30*time.Second, time.Millisecond, "%s: the connection is back", name)
		_, err := db.Exec(ctx, `DELETE FROM note WHERE body = 'lost'`) // a batch commits whatever its callbacks do
		require.NoError(t, err, name)
		assertClean(t, w, pool, db, a)
	}
}
