package tenantdb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// withCapacity bounds the statements that are prepared on a connection.
func withCapacity(n int) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.StatementCacheCapacity = n }
}

// preparedNames asks a tenant's session what is prepared on its connection. The question
// itself is sent without a name.
func preparedNames(t testing.TB, ctx context.Context, db *tenantdb.DB) []string {
	t.Helper()
	rows, err := db.Query(ctx, `SELECT name FROM pg_prepared_statements ORDER BY prepare_time`, pgx.QueryExecModeExec)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

func TestAConnectionKeepsNoMoreStatementsThanItsCapacity(t *testing.T) {
	t.Parallel()
	const capacity = 3
	w := newWorld(t)
	tenants := []tenant.Tenant{w.tenant(), w.tenant(), w.tenant()}
	pool := w.pool(w.gatewayURL(), 1, withCapacity(capacity))
	db := openOn(t, pool)
	before := backend(t, pool)
	for i := range 30 {
		who := tenants[i%len(tenants)]
		ctx := as(t, who)
		var got string
		sql := fmt.Sprintf(`SELECT body, %d FROM note WHERE id = $1`, i%5)
		require.NoError(t, db.QueryRow(ctx, sql, 1).Scan(&got, nil))
		assert.Equal(t, w.schema(who), got)
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql, 1)
			return err
		}))
		assert.LessOrEqual(t, len(preparedNames(t, ctx, db)), capacity+2, "the statements, the one that binds, and the one that checks")
	}
	assert.Equal(t, before, backend(t, pool), "the connection is the same one")
}

func TestWithoutCapacityNothingIsPrepared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := openOn(t, w.pool(w.gatewayURL(), 1, withCapacity(0)))
	for range 3 {
		for _, who := range []tenant.Tenant{a, b} {
			got, err := body(as(t, who), db)
			require.NoError(t, err)
			assert.Equal(t, w.schema(who), got)
			_, err = db.Exec(as(t, who), `SELECT $1::int`, pgx.QueryExecModeCacheStatement, 1)
			require.NoError(t, err)
			assert.Empty(t, preparedNames(t, as(t, who), db))
		}
	}
}

// A statement that is evicted to make room for another one of the same batch is still
// needed by it.
func TestABatchOfMoreStatementsThanTheCapacity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	db := openOn(t, w.pool(w.gatewayURL(), 1, withCapacity(2)))
	ctx := as(t, a)
	for range 3 {
		b := &pgx.Batch{}
		for i := range 5 {
			b.Queue(fmt.Sprintf(`SELECT body, %d FROM note WHERE id = $1`, i), 1).QueryRow(func(row pgx.Row) error {
				var got string
				var n int
				err := row.Scan(&got, &n)
				assert.Equal(t, w.schema(a), got)
				assert.Equal(t, i, n)
				return err
			})
		}
		require.NoError(t, db.SendBatch(ctx, b).Close())
		assert.LessOrEqual(t, len(preparedNames(t, ctx, db)), 3)
	}
}

// What was parsed by a batch of which the caller read no more is prepared nevertheless.
func TestABatchThatIsNotReadToItsEndLeavesNoNameBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	pool := w.pool(w.gatewayURL(), 2)
	db := openOn(t, pool)
	ctx := as(t, a)
	first, err := db.Begin(ctx) // what is known to the process is prepared on this connection alone
	defer func() { _ = first.Rollback(ctx) }()
	require.NoError(t, err)
	_, err = body(ctx, first)
	require.NoError(t, err)

	b := &pgx.Batch{}
	b.Queue(`SELECT 1`).Exec(func(pgconn.CommandTag) error { return errRefused })
	b.Queue(`SELECT body FROM note WHERE id = $1`, 1)
	require.ErrorIs(t, db.SendBatch(ctx, b).Close(), errRefused)
	for range 2 {
		got, err := body(ctx, db)
		require.NoError(t, err)
		assert.Equal(t, w.schema(a), got)
	}
	require.NoError(t, first.Rollback(ctx))
}

func TestABatchThatMixesNamedAndUnnamedFormsOfAStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	db := w.open(1)
	const sql = `SELECT body FROM note WHERE id = $1`
	for _, modes := range [][]any{
		{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeCacheStatement},
		{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe},
	} {
		b := &pgx.Batch{}
		for _, mode := range modes {
			b.Queue(sql, mode, 1)
		}
		require.NoError(t, db.SendBatch(as(t, a), b).Close(), "%v", modes)
	}
}
