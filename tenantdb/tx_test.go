package tenantdb_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// insert writes a row that must not stay.
func insert(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO note (body) VALUES ($1)`, "lost")
	return err
}

func TestRow5_ErrorIsRolledBack(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, insert(ctx, tx))
		return errRefused
	})
	require.ErrorIs(t, err, errRefused)
	assertClean(t, w, pool, db, a)
}

func TestRow5_PanicIsRolledBackAndGoesOn(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	assert.PanicsWithValue(t, "boom", func() {
		_ = db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
			require.NoError(t, insert(ctx, tx))
			panic("boom")
		})
	})
	assertClean(t, w, pool, db, a)
}

func TestRow5_CancelledContextIsRolledBack(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	ctx, cancel := context.WithCancelCause(as(t, a))
	err := db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, insert(ctx, tx))
		cancel(errRefused)
		return nil
	})
	require.ErrorIs(t, err, errRefused)
	assertClean(t, w, pool, db, a)
}

func TestRow5_FailedCommitIsRolledBack(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	w.exec(`ALTER TABLE "` + w.schema(a) + `".note ADD CONSTRAINT once UNIQUE (body) DEFERRABLE INITIALLY DEFERRED`)
	err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		for range 2 {
			if err := insert(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	assertCode(t, "23505", err, "a constraint that COMMIT looks at")
	assertClean(t, w, pool, db, a)

	_, err = db.Exec(as(t, a), `INSERT INTO note (body) VALUES ('lost'), ('lost')`)
	assertCode(t, "23505", err, "the same in a statement of its own")
	assertClean(t, w, pool, db, a)
}

func TestCommitOfAFailedTransactionIsAnError(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	before := backend(t, pool)
	err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, insert(ctx, tx))
		_, err := tx.Exec(ctx, `SELECT 1 / 0`)
		require.Error(t, err)
		return nil // swallowed
	})
	require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
	assert.Equal(t, before, backend(t, pool), "the connection is the same one")
	assertClean(t, w, pool, db, a)
}

func TestRow6_RollbackWorksWithACancelledContext(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	before := backend(t, pool)
	ctx, cancel := context.WithCancel(as(t, a))
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	require.NoError(t, insert(ctx, tx))
	cancel()
	require.NoError(t, tx.Rollback(ctx))
	require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
	require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed)
	assert.Equal(t, before, backend(t, pool), "the connection is the same one")
	assertClean(t, w, pool, db, a)
}

func TestRow6_RollbackHasATimeLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the limit")
	}
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	proxy := wire.NewProxy(t, w.url)
	pool := w.pool(w.gatewayURL(proxy.URL), 1)
	db := openOn(t, pool)
	tx, err := db.Begin(as(t, a))
	require.NoError(t, err)
	require.NoError(t, insert(t.Context(), tx))
	proxy.Delay(time.Hour, 0) // a server that hangs
	require.Error(t, tx.Rollback(t.Context()))
	proxy.Delay(0, 0)
	assertClean(t, w, pool, db, a)
}

func TestRow3_CancelledBetweenSetAndReset(t *testing.T) {
	t.Parallel()
	handlers := map[string]func(*pgconn.PgConn) ctxwatch.Handler{
		"deadline": nil,
		"cancel request": func(c *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Second}
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.tenant(), w.tenant()
			pool := w.pool(w.gatewayURL(), 1, func(c *pgxpool.Config) {
				if handler != nil {
					c.ConnConfig.BuildContextWatcherHandler = handler
				}
			})
			db := openOn(t, pool)
			for name, run := range map[string]func(context.Context) error{
				"statement": func(ctx context.Context) error { _, err := db.Exec(ctx, `SELECT pg_sleep(60)`); return err },
				"rows left open": func(ctx context.Context) error {
					rows, err := db.Query(ctx, `SELECT pg_sleep(i) FROM generate_series(0, 60) i`)
					if err != nil {
						return err
					}
					defer rows.Close()
					for rows.Next() {
					}
					return rows.Err()
				},
				"transaction": func(ctx context.Context) error {
					return db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
						if err := insert(ctx, tx); err != nil {
							return err
						}
						_, err := tx.Exec(ctx, `SELECT pg_sleep(60)`)
						return err
					})
				},
				"batch": func(ctx context.Context) error {
					b := &pgx.Batch{}
					b.Queue(`INSERT INTO note (body) VALUES ('lost')`)
					b.Queue(`SELECT pg_sleep(60)`)
					return db.SendBatch(ctx, b).Close()
				},
			} {
				ctx, cancel := context.WithTimeout(as(t, a), 100*time.Millisecond)
				require.Error(t, run(ctx), name)
				cancel()
				assertClean(t, w, pool, db, b, a)
			}
		})
	}
}

func TestRow3_CancelledBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	ctx, cancel := context.WithCancel(as(t, a))
	cancel()
	_, err := db.Exec(ctx, `DELETE FROM note`)
	require.ErrorIs(t, err, context.Canceled)
	_, err = db.Begin(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assertClean(t, w, pool, db, a)
}

func TestSavepointsKeepTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	require.NoError(t, db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		for _, commit := range []bool{true, false} {
			outer, err := tx.Begin(ctx)
			require.NoError(t, err)
			inner, err := outer.Begin(ctx)
			require.NoError(t, err)
			_, err = inner.Exec(ctx, `SELECT 1 / 0`)
			assertCode(t, "22012", err, "in a savepoint")
			require.NoError(t, inner.Rollback(ctx))
			got, err := body(ctx, outer)
			require.NoError(t, err)
			assert.Equal(t, w.schema(a), got)
			require.NoError(t, insert(ctx, outer))
			if commit {
				require.NoError(t, outer.Commit(ctx))
				_, err = tx.Exec(ctx, `DELETE FROM note WHERE body = 'lost'`)
				require.NoError(t, err)
			} else {
				require.NoError(t, outer.Rollback(ctx))
			}
			require.ErrorIs(t, outer.Commit(ctx), pgx.ErrTxClosed)
			_, err = outer.Begin(ctx)
			require.ErrorIs(t, err, pgx.ErrTxClosed)
		}
		return nil
	}))
	assertClean(t, w, pool, db, a, b)
}

// A connection that has gone back may be in another tenant's transaction by now.
func TestNothingOfATransactionIsOfUseAfterItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	for name, end := range map[string]func(pgx.Tx) error{
		"commit":   func(tx pgx.Tx) error { return tx.Commit(t.Context()) },
		"rollback": func(tx pgx.Tx) error { return tx.Rollback(t.Context()) },
	} {
		tx, err := db.Begin(as(t, a))
		require.NoError(t, err)
		nested, err := tx.Begin(t.Context())
		require.NoError(t, err)
		inner, err := nested.Begin(t.Context())
		require.NoError(t, err)
		require.NoError(t, end(tx))

		other, err := db.Begin(as(t, b)) // on the same connection
		require.NoError(t, err)
		t.Cleanup(func() { _ = other.Rollback(context.Background()) })
		for _, over := range []pgx.Tx{tx, nested, inner} {
			assertOver(t, over, name)
		}
		objects := tx.LargeObjects()
		_, err = objects.Create(t.Context(), 0)
		require.ErrorIs(t, err, pgx.ErrTxClosed, name)
		got, err := body(t.Context(), other)
		require.NoError(t, err)
		assert.Equal(t, w.schema(b), got)
		require.NoError(t, other.Commit(t.Context()))
		assertClean(t, w, pool, db, a, b)
	}

	tx, err := db.Begin(as(t, a))
	require.NoError(t, err)
	nested, err := tx.Begin(t.Context())
	require.NoError(t, err)
	inner, err := nested.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, nested.Rollback(t.Context()))
	assertOver(t, inner, "its savepoint is gone")
	require.NoError(t, tx.Rollback(t.Context()))
}

func TestLargeObjectsAreOfNoUseAfterTheirTransaction(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	before := backend(t, pool)
	var objects pgx.LargeObjects
	require.NoError(t, db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		nested, err := tx.Begin(ctx)
		require.NoError(t, err)
		objects = nested.LargeObjects()
		id, err := objects.Create(ctx, 0)
		require.NoError(t, err)
		require.NoError(t, objects.Unlink(ctx, id))
		return nested.Commit(ctx)
	}))
	_, err := objects.Create(t.Context(), 0)
	require.Error(t, err)
	assert.NotEqual(t, before, backend(t, pool), "its connection is closed")
	assertClean(t, w, pool, db, a)
}

func TestResultsLeftOpenInATransactionRollItBack(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	const many = `SELECT body FROM note, generate_series(1, 10000)`
	var rows pgx.Rows
	err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, insert(ctx, tx))
		var err error
		rows, err = tx.Query(ctx, many)
		require.NoError(t, err)
		require.True(t, rows.Next())
		return nil
	})
	require.ErrorContains(t, err, "conn busy")
	for rows.Next() {
	}
	rows.Close()
	require.Error(t, rows.Err())
	assertClean(t, w, pool, db, a)

	var results pgx.BatchResults
	err = db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, insert(ctx, tx))
		results = tx.SendBatch(ctx, batchOf(many, nil, `SELECT 1`, nil))
		return nil
	})
	require.ErrorContains(t, err, "conn busy")
	_, err = results.Exec()
	require.Error(t, err)
	require.Error(t, results.Close())
	assertClean(t, w, pool, db, a)
}

// assertOver holds a transaction to refuse everything.
func assertOver(t testing.TB, tx pgx.Tx, what string) {
	t.Helper()
	ctx := t.Context()
	_, err := tx.Exec(ctx, `SELECT 1`)
	require.ErrorIs(t, err, pgx.ErrTxClosed, what)
	_, err = tx.Query(ctx, `SELECT 1`)
	require.ErrorIs(t, err, pgx.ErrTxClosed, what)
	require.ErrorIs(t, tx.QueryRow(ctx, `SELECT 1`).Scan(), pgx.ErrTxClosed, what)
	require.ErrorIs(t, tx.SendBatch(ctx, batchOf(`SELECT 1`, nil)).Close(), pgx.ErrTxClosed, what)
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"note"}, []string{"body"}, pgx.CopyFromRows([][]any{{"x"}}))
	require.ErrorIs(t, err, pgx.ErrTxClosed, what)
	_, err = tx.Begin(ctx)
	require.ErrorIs(t, err, pgx.ErrTxClosed, what)
	_, err = tx.Prepare(ctx, "x", `SELECT 1`)
	require.ErrorIs(t, err, pgx.ErrTxClosed, what)
	assert.Nil(t, tx.Conn(), "%s: another tenant's connection", what)
	require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed, what)
	require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed, what)
}

func TestTransactionOptions(t *testing.T) {
	t.Parallel()
	_, _, db, a := one(t)
	ctx := as(t, a)
	err := db.InTxOptions(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.Serializable, DeferrableMode: pgx.Deferrable},
		func(ctx context.Context, tx pgx.Tx) error {
			var level, readOnly string
			require.NoError(t, tx.QueryRow(ctx, `SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')`).Scan(&level, &readOnly))
			assert.Equal(t, []string{"serializable", "on"}, []string{level, readOnly})
			return insert(ctx, tx)
		})
	assertCode(t, "25006", err, "a write in a read-only transaction")
	for _, options := range []pgx.TxOptions{
		{BeginQuery: "begin"}, {CommitQuery: "commit"}, {IsoLevel: "x; SET ROLE victim"}, {AccessMode: "x"}, {DeferrableMode: "x"},
	} {
		_, err := db.BeginTx(ctx, options)
		require.ErrorIs(t, err, tenantdb.ErrTxOptions, "%+v", options)
	}
}

func TestCopyFrom(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	n, err := db.CopyFrom(as(t, a), pgx.Identifier{"note"}, []string{"body"}, pgx.CopyFromRows([][]any{{"x"}, {"y"}}))
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
	_, err = db.Exec(as(t, a), `DELETE FROM note WHERE body IN ('x', 'y')`)
	require.NoError(t, err)

	other := w.tenant()
	_, err = db.CopyFrom(as(t, a), pgx.Identifier{w.schema(other), "note"}, []string{"body"}, pgx.CopyFromRows([][]any{{"x"}}))
	assertCode(t, "42501", err, "into another tenant's table")
	assertClean(t, w, pool, db, a, other)
}

func TestAsIsForWorkWithoutARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := w.open(1)
	s := db.As(b)
	ctx := as(t, a) // does not matter
	got, err := body(ctx, s)
	require.NoError(t, err)
	assert.Equal(t, w.schema(b), got)
	require.NoError(t, s.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		got, err := body(ctx, tx)
		assert.Equal(t, w.schema(b), got)
		return err
	}))
	_, err = db.As(tenant.Tenant{ID: b.ID, Status: tenant.StatusSuspended}).Exec(ctx, `SELECT 1`)
	require.ErrorIs(t, err, tenant.ErrSuspended)
	_, err = db.As(tenant.Tenant{}).Exec(ctx, `SELECT 1`)
	require.ErrorIs(t, err, tenant.ErrRequired)
}

// one is a tenant with a pool of one connection.
func one(t *testing.T) (*world, *pgxpool.Pool, *tenantdb.DB, tenant.Tenant) {
	t.Helper()
	w := newWorld(t)
	a := w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	return w, pool, openOn(t, pool), a
}
