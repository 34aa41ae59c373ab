package tenantdb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

// reading gives each tenant's schema a table reading with a column of its type.
func (w *world) reading(types map[*tenant.Tenant]string) {
	w.t.Helper()
	for who, kind := range types {
		w.exec(fmt.Sprintf(`CREATE TABLE %[1]q.reading (value %[2]s); GRANT ALL ON %[1]q.reading TO %[1]q`, w.schema(*who), kind))
	}
}

// pgx asks once a connection what the columns of a table are, by its name alone.
func TestRow7_CopyEncodesInTheTypesOfTheTenantsOwnTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	w.reading(map[*tenant.Tenant]string{&a: "int4", &b: "float4"})
	for name, change := range map[string]func(*pgxpool.Config){
		"statements are prepared":  func(*pgxpool.Config) {},
		"none can be prepared":     withCapacity(0),
		"statements are described": func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe },
		"statements are not known": func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec },
	} {
		t.Run(name, func(t *testing.T) {
			db := openOn(t, w.pool(w.gatewayURL(), 1, change))
			for range 2 {
				for _, who := range []tenant.Tenant{a, b} {
					ctx := as(t, who)
					_, err := db.Exec(ctx, `DELETE FROM reading`)
					require.NoError(t, err)
					n, err := db.CopyFrom(ctx, pgx.Identifier{"reading"}, []string{"value"}, pgx.CopyFromRows([][]any{{7}, {nil}, {"8"}}))
					require.NoError(t, err)
					assert.EqualValues(t, 3, n)
					var text string
					require.NoError(t, db.QueryRow(ctx, `SELECT string_agg(coalesce(value::text, 'null'), ' ') FROM reading`).Scan(&text))
					assert.Equal(t, "7 null 8", text)
				}
			}
		})
	}
}

func TestRow7_CopyIntoATableThatWasAltered(t *testing.T) {
	t.Parallel()
	w, _, db, a := one(t)
	w.reading(map[*tenant.Tenant]string{&a: "int4"})
	ctx := as(t, a)
	load := func() error {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"reading"}, []string{"value"}, pgx.CopyFromRows([][]any{{7}}))
		return err
	}
	require.NoError(t, load())
	w.exec(fmt.Sprintf(`ALTER TABLE %q.reading ALTER value TYPE int8`, w.schema(a)))
	require.NoError(t, load())
	w.exec(fmt.Sprintf(`ALTER TABLE %q.reading ALTER value TYPE float8`, w.schema(a))) // as long as an int8
	require.NoError(t, load())
	var sum float64
	require.NoError(t, db.QueryRow(ctx, `SELECT sum(value) FROM reading`).Scan(&sum))
	assert.InDelta(t, 21, sum, 0)
}

// sourceOf is rows that a function makes.
func sourceOf(next func(n int) ([]any, error)) pgx.CopyFromSource {
	n := -1
	return pgx.CopyFromFunc(func() ([]any, error) { n++; return next(n) })
}

func TestCopyOfASourceThatFails(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	ctx := as(t, a)
	load := func(columns []string, next func(n int) ([]any, error)) error {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"note"}, columns, sourceOf(next))
		return err
	}
	for name, test := range map[string]struct {
		columns []string
		next    func(n int) ([]any, error)
		want    string
	}{
		"an error behind many rows": {[]string{"body"}, func(n int) ([]any, error) {
			if n == 10_000 {
				return nil, errRefused
			}
			return []any{"lost"}, nil
		}, "refused"},
		"too many values":               {[]string{"body"}, func(int) ([]any, error) { return []any{"lost", 1}, nil }, "expected 1 values, got 2 values"},
		"a value of another type":       {[]string{"body"}, func(int) ([]any, error) { return []any{struct{}{}}, nil }, `column "body"`},
		"a column that there is not":    {[]string{"nowhere"}, func(int) ([]any, error) { return []any{"lost"}, nil }, "does not exist"},
		"a row that the server refuses": {[]string{"body"}, func(int) ([]any, error) { return []any{nil}, nil }, "not-null"},
	} {
		require.ErrorContains(t, load(test.columns, test.next), test.want, name)
		assertClean(t, w, pool, db, a)
	}
	assert.PanicsWithValue(t, "boom", func() {
		_ = load([]string{"body"}, func(n int) ([]any, error) {
			if n == 10_000 {
				panic("boom")
			}
			return []any{"lost"}, nil
		})
	}, "where the caller can recover")
	assertClean(t, w, pool, db, a)

	cut, cancel := context.WithCancel(ctx)
	_, err := db.CopyFrom(cut, pgx.Identifier{"note"}, []string{"body"}, sourceOf(func(n int) ([]any, error) {
		if n == 10_000 {
			cancel()
		}
		return []any{"lost"}, nil // without end
	}))
	require.ErrorIs(t, err, context.Canceled)
	assertClean(t, w, pool, db, a)
}
