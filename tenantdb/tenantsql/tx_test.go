package tenantsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// count is how many notes there are.
func count(t testing.TB, ctx context.Context, db queryer) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(ctx, `SELECT count(*) FROM note`).Scan(&n))
	return n
}

const insert = `INSERT INTO note (body) VALUES ($1)`

func TestTransactionOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := closing(t, tenantsql.OpenFor(openOn(t, w.pool(1)), w.tenant()))
	for _, c := range []struct {
		options        sql.TxOptions
		level, reading string
	}{
		{sql.TxOptions{}, "read committed", "off"},
		{sql.TxOptions{ReadOnly: true}, "read committed", "on"},
		{sql.TxOptions{Isolation: sql.LevelReadUncommitted}, "read uncommitted", "off"},
		{sql.TxOptions{Isolation: sql.LevelReadCommitted}, "read committed", "off"},
		{sql.TxOptions{Isolation: sql.LevelRepeatableRead}, "repeatable read", "off"},
		{sql.TxOptions{Isolation: sql.LevelSnapshot}, "repeatable read", "off"},
		{sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true}, "serializable", "on"},
	} {
		tx, err := db.BeginTx(t.Context(), &c.options)
		require.NoError(t, err)
		var level, reading string
		require.NoError(t, tx.QueryRowContext(t.Context(), `SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')`).Scan(&level, &reading))
		assert.Equal(t, c.level, level, c.options)
		assert.Equal(t, c.reading, reading, c.options)
		if c.options.ReadOnly {
			_, err := tx.ExecContext(t.Context(), insert, "x")
			assertCode(t, "25006", err)
		}
		require.NoError(t, tx.Rollback())
	}
	for _, level := range []sql.IsolationLevel{sql.LevelWriteCommitted, sql.LevelLinearizable, 99} {
		_, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
		require.ErrorIs(t, err, errors.ErrUnsupported, level)
		require.ErrorContains(t, err, level.String())
	}
}

func TestRow05_OnlyACommitKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool(1)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), w.tenant()))
	ctx := t.Context()
	begin := func(ctx context.Context) *sql.Tx {
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, insert, "x")
		require.NoError(t, err)
		return tx
	}
	require.NoError(t, begin(ctx).Rollback())
	assert.Equal(t, 1, count(t, ctx, db), "rolled back")

	tx := begin(ctx)
	_, err := tx.ExecContext(ctx, `SELECT 1 / 0`)
	assertCode(t, "22012", err)
	require.ErrorIs(t, tx.Commit(), pgx.ErrTxCommitRollback)
	assert.Equal(t, 1, count(t, ctx, db), "a statement failed")

	tx = begin(ctx)
	_, err = tx.ExecContext(ctx, `SET ROLE NONE`)
	require.ErrorIs(t, err, tenantdb.ErrLeftTenant)
	require.ErrorIs(t, tx.Commit(), pgx.ErrTxCommitRollback)
	assert.Equal(t, 1, count(t, ctx, db), "it left its tenant")

	cancelled, cancel := context.WithCancel(ctx)
	tx = begin(cancelled)
	cancel()
	require.Error(t, tx.Commit())
	assertNoneHeld(t, pool)
	assert.Equal(t, 1, count(t, ctx, db), "cancelled")

	require.NoError(t, begin(ctx).Commit())
	assert.Equal(t, 2, count(t, ctx, db), "committed")
	assertNoneHeld(t, pool)
}

func TestRow03_ACancelledContextGivesTheConnectionBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool(2)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), w.tenant()))
	for name, work := range map[string]func(context.Context, context.CancelFunc) error{
		"while a statement runs": func(ctx context.Context, cancel context.CancelFunc) error {
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err := db.ExecContext(ctx, `SELECT pg_sleep(60)`)
			return err
		},
		"between rows": func(ctx context.Context, cancel context.CancelFunc) error {
			rows, err := db.QueryContext(ctx, `SELECT generate_series(1, 1000000)`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for i := 0; rows.Next(); i++ {
				if i == 10 {
					cancel()
				}
			}
			return rows.Err()
		},
		"while a statement of a transaction runs": func(ctx context.Context, cancel context.CancelFunc) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err = tx.ExecContext(ctx, `SELECT pg_sleep(60)`)
			return errors.Join(err, tx.Commit())
		},
		"while a statement of a transaction runs that has a context of its own": func(ctx context.Context, cancel context.CancelFunc) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err = tx.ExecContext(context.WithoutCancel(ctx), `SELECT pg_sleep(0.1)`)
			<-ctx.Done()
			return errors.Join(err, tx.Commit())
		},
		"between statements of a transaction, with rows open": func(ctx context.Context, cancel context.CancelFunc) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			rows, err := tx.QueryContext(ctx, `SELECT generate_series(1, 1000)`)
			if err != nil {
				return err
			}
			defer rows.Close()
			rows.Next()
			cancel()
			return errors.Join(tx.Commit(), rows.Err())
		},
		"before anything": func(ctx context.Context, cancel context.CancelFunc) error {
			cancel()
			_, err := db.ExecContext(ctx, `SELECT 1`)
			return err
		},
	} {
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			err := work(ctx, cancel)
			cancel()
			assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone), "%s: %v", name, err)
		}
		assertNoneHeld(t, pool)
		assert.Equal(t, 1, count(t, t.Context(), db), name)
	}
}

func TestRow06_ATransactionEndsAlthoughTheServerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proxy := wire.NewProxy(t, w.url)
	pool := w.pool(1, proxy.URL)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), w.tenant()))
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	proxy.Cut()
	_, err = tx.ExecContext(t.Context(), insert, "x")
	require.Error(t, err)
	require.Error(t, tx.Rollback())
	require.Error(t, db.PingContext(t.Context()))
	proxy.Restore()
	assert.Equal(t, 1, count(t, t.Context(), db), "and then again")
	assertNoneHeld(t, pool)
}

func TestAPinnedConnectionHasOneTransactionAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool(1)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), w.tenant()))
	ctx := t.Context()
	pinned, err := db.Conn(ctx)
	require.NoError(t, err)
	defer pinned.Close()
	tx, err := pinned.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = pinned.BeginTx(ctx, nil)
	require.ErrorContains(t, err, "a transaction is open on this connection")
	_, err = pinned.ExecContext(ctx, insert, "x")
	require.NoError(t, err, "on the connection of a transaction is in it")
	require.NoError(t, pinned.PingContext(ctx))
	require.NoError(t, tx.Rollback())
	assert.Equal(t, 1, count(t, ctx, pinned))
	assertNoneHeld(t, pool)
}

// A driver's user who reaches behind database/sql can leave a transaction open.
func TestATransactionLeftOpenEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool(1)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), w.tenant()))
	for _, closes := range []bool{true, false} {
		pinned, err := db.Conn(t.Context())
		require.NoError(t, err)
		require.NoError(t, pinned.Raw(func(c any) error {
			_, err := c.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
			if !closes {
				assert.ErrorIs(t, c.(driver.SessionResetter).ResetSession(t.Context()), driver.ErrBadConn)
			}
			return err
		}))
		assert.EqualValues(t, 1, pool.Stat().AcquiredConns())
		require.NoError(t, pinned.Close())
		assertNoneHeld(t, pool)
	}
}

func TestASecondStatementWhileRowsAreOpenFailsAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	pool := w.pool(1)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), a))
	ctx := t.Context()
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	rows, err := tx.QueryContext(ctx, `SELECT body, $1::int + generate_series(1, 3) FROM note`, 0)
	require.NoError(t, err)
	require.True(t, rows.Next())
	_, err = body(ctx, tx)
	require.ErrorContains(t, err, "conn busy")
	n := 1
	for rows.Next() {
		var s string
		var i int
		require.NoError(t, rows.Scan(&s, &i))
		assert.Equal(t, schema(a), s)
		n++
		assert.Equal(t, n, i)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	assert.Equal(t, 3, n)
	_, err = body(ctx, tx)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	assertNoneHeld(t, pool)
}
