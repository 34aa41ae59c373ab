package tenantdb_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryMethodOfASessionIsForItsTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	s := db.As(b)
	ctx := as(t, a) // does not matter
	want := []string{w.schema(b)}
	const all = `SELECT body FROM note`

	rows, err := s.Query(ctx, all)
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Equal(t, want, got, "Query")

	results := s.SendBatch(ctx, batchOf(all, nil))
	assert.Nil(t, results.Tx(), "a batch of ours begins none")
	rows, err = results.Query()
	require.NoError(t, err)
	got, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Equal(t, want, got, "SendBatch")
	require.NoError(t, results.Close())

	n, err := s.CopyFrom(ctx, pgx.Identifier{"note"}, []string{"body"}, pgx.CopyFromRows([][]any{{"copied"}}))
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	tag, err := s.Exec(ctx, `DELETE FROM note WHERE body = 'copied'`)
	require.NoError(t, err)
	assert.EqualValues(t, 1, tag.RowsAffected(), "Exec finds what CopyFrom wrote")

	inTx := func(tx pgx.Tx, err error) {
		t.Helper()
		require.NoError(t, err)
		got, err := body(ctx, tx)
		require.NoError(t, err)
		assert.Equal(t, w.schema(b), got)
		require.NoError(t, tx.Commit(ctx))
	}
	inTx(s.Begin(ctx))
	inTx(s.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}))
	err = s.InTxOptions(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(ctx context.Context, tx pgx.Tx) error {
		got, err := body(ctx, tx)
		assert.Equal(t, w.schema(b), got)
		require.NoError(t, err)
		return insert(ctx, tx)
	})
	assertCode(t, "25006", err, "a write in a read-only transaction")
	assertClean(t, w, pool, db, a, b)
}

// pgx says of Query that its rows may be read also when it has returned an error.
func TestRowsOfAQueryThatFailedAreEmptyAndHaveItsError(t *testing.T) {
	t.Parallel()
	_, _, db, a := one(t)
	for name, ctx := range map[string]context.Context{"before it is sent": t.Context(), "by the server": as(t, a)} {
		rows, err := db.Query(ctx, `SELECT * FROM nowhere`)
		require.Error(t, err, name)
		assert.False(t, rows.Next(), name)
		require.ErrorIs(t, rows.Err(), err, name)
		require.ErrorIs(t, rows.Scan(new(int)), err, name)
		_, valuesErr := rows.Values()
		require.ErrorIs(t, valuesErr, err, name)
		assert.Nil(t, rows.RawValues(), name)
		assert.Empty(t, rows.FieldDescriptions(), name)
		assert.Zero(t, rows.CommandTag(), name)
		assert.Nil(t, rows.Conn(), name)
		assert.Nil(t, rows.TypeMap(), name)
		rows.Close()
		_, err = pgx.CollectRows(rows, pgx.RowTo[int])
		require.Error(t, err, name)
	}
}

func TestAStatementPreparedInATransactionEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	before := backend(t, pool)
	require.NoError(t, db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		sd, err := tx.Prepare(ctx, "mine", `SELECT body FROM note WHERE id = $1`)
		require.NoError(t, err)
		assert.Len(t, sd.Fields, 1)
		var got string
		require.NoError(t, tx.QueryRow(ctx, `EXECUTE mine(1)`).Scan(&got))
		assert.Equal(t, w.schema(a), got)
		return nil
	}))
	assert.NotEqual(t, before, backend(t, pool))
	assertClean(t, w, pool, db, a)
}

func TestAnErrorOfScanClosesTheRows(t *testing.T) {
	t.Parallel()
	_, _, db, a := one(t)
	rows, err := db.Query(as(t, a), `SELECT body, id FROM note`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.ErrorContains(t, rows.Scan(new(bool), nil), "body", "the error says of which column")
	assert.False(t, rows.Next())
	require.Error(t, rows.Err())
}
