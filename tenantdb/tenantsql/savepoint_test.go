package tenantsql_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

func TestSavepointsAsSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(1)
	db := closing(t, tenantsql.Open(openOn(t, pool)))
	ctx := as(t, a)
	// Each step is a statement, or the number of notes to be seen then.
	for name, steps := range map[string][]any{
		"rolled back to":            {`SAVEPOINT x`, insert, 2, `ROLLBACK TO SAVEPOINT x`, 1, insert, 2},
		"rolled back to, twice":     {`SAVEPOINT x`, insert, `ROLLBACK TO x`, 1, insert, insert, 3, `ROLLBACK TO x`, 1},
		"released":                  {`SAVEPOINT x`, insert, `RELEASE SAVEPOINT x`, 2},
		"released after a rollback": {`SAVEPOINT x`, insert, `ROLLBACK TO x`, `RELEASE x`, 1},
		"nested":                    {`SAVEPOINT x`, insert, `SAVEPOINT y`, insert, 3, `ROLLBACK TO y`, 2, `ROLLBACK TO x`, 1},
		"an outer one":              {`SAVEPOINT x`, insert, `SAVEPOINT y`, insert, `ROLLBACK TO x`, 1, insert, 2},
		"an outer one, released":    {`SAVEPOINT x`, insert, `SAVEPOINT y`, insert, `RELEASE x`, 3},
		"the same name again":       {`SAVEPOINT x`, insert, `SAVEPOINT x`, insert, `ROLLBACK TO x`, 2, `RELEASE x`, `ROLLBACK TO x`, 1},
		"after a failure":           {insert, `SAVEPOINT x`, `fail`, `ROLLBACK TO x`, 2, insert, 3},
	} {
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err, name)
		for i, step := range steps {
			at := fmt.Sprintf("%s: step %d", name, i)
			switch step {
			case insert:
				_, err := tx.ExecContext(ctx, insert, "x")
				require.NoError(t, err, at)
			case `fail`:
				_, err := tx.ExecContext(ctx, `SELECT 1 / 0`)
				assertCode(t, "22012", err)
			default:
				if sql, ok := step.(string); ok {
					_, err := tx.ExecContext(ctx, sql)
					require.NoError(t, err, at)
					continue
				}
				assert.Equal(t, step, count(t, ctx, tx), at)
			}
		}
		got, err := body(ctx, tx)
		require.NoError(t, err, name)
		assert.Equal(t, schema(a), got, name)
		require.NoError(t, tx.Rollback(), name)
		assert.Equal(t, 1, count(t, ctx, db), name)
		assert.Equal(t, 1, count(t, as(t, b), db), name)
	}
	assert.EqualValues(t, 1, pool.Stat().NewConnsCount(), "no connection was given up for it")
}

func TestSavepointsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.tenant())
	db := closing(t, tenantsql.Open(openOn(t, w.pool(2))))
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer tx.Rollback()
	for _, sql := range []string{`ROLLBACK TO x`, `RELEASE x`} {
		_, err := tx.ExecContext(ctx, sql)
		require.ErrorContains(t, err, `savepoint "x" does not exist`)
	}
	for _, sql := range []string{`ROLLBACK`, `COMMIT`, `SAVEPOINT`, `SAVEPOINT a b`, `SAVEPOINT x; COMMIT`, `BEGIN`, `RELEASE`, `ROLLBACK TO`} {
		_, err := tx.ExecContext(ctx, sql)
		require.ErrorIs(t, err, tenantdb.ErrTransactionControl, sql)
	}
	_, err = db.ExecContext(ctx, `SAVEPOINT x`)
	require.ErrorIs(t, err, tenantdb.ErrTransactionControl, "outside a transaction")
}
