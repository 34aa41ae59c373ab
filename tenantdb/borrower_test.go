package tenantdb_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// work is each way in which a tenant may use a connection.
var work = map[string]func(ctx context.Context, db *tenantdb.DB) error{
	"a statement": func(ctx context.Context, db *tenantdb.DB) error { _, err := body(ctx, db); return err },
	"a statement without results": func(ctx context.Context, db *tenantdb.DB) error {
		_, err := db.Exec(ctx, `UPDATE note SET body = body`)
		return err
	},
	"a statement that fails": func(ctx context.Context, db *tenantdb.DB) error {
		_, err := db.Exec(ctx, `SELECT 1 / 0`)
		return refusedWith(err, "22012")
	},
	"rows closed early": func(ctx context.Context, db *tenantdb.DB) error {
		rows, err := db.Query(ctx, `SELECT body FROM note, generate_series(1, 1000)`)
		if err != nil {
			return err
		}
		rows.Next()
		rows.Close()
		return rows.Err()
	},
	"a batch": func(ctx context.Context, db *tenantdb.DB) error {
		b := &pgx.Batch{}
		b.Queue(`SELECT body FROM note WHERE id = $1`, 1)
		b.Queue(`UPDATE note SET body = body`)
		return db.SendBatch(ctx, b).Close()
	},
	"a batch that fails": func(ctx context.Context, db *tenantdb.DB) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO note (body) VALUES ('lost')`)
		b.Queue(`SELECT 1 / 0`)
		return refusedWith(db.SendBatch(ctx, b).Close(), "22012")
	},
	"a transaction": func(ctx context.Context, db *tenantdb.DB) error {
		return db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { _, err := body(ctx, tx); return err })
	},
	"a transaction that fails": func(ctx context.Context, db *tenantdb.DB) error {
		return refusedWith(db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, `SELECT 1 / 0`); return err }), "22012")
	},
	"a copy": func(ctx context.Context, db *tenantdb.DB) error {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"note"}, []string{"body"}, pgx.CopyFromRows(nil))
		return err
	},
	"a temporary table": func(ctx context.Context, db *tenantdb.DB) error {
		_, err := db.Exec(ctx, `CREATE TEMP TABLE note (id int)`)
		return refusedWith(err, "42501")
	},
	"a SET LOCAL": func(ctx context.Context, db *tenantdb.DB) error {
		_, err := db.Exec(ctx, `SET LOCAL search_path = pg_catalog`)
		return err
	},
}

// refusedWith is nil for an error of that code.
func refusedWith(err error, code string) error {
	if pgErr, ok := err.(*pgconn.PgError); ok && pgErr.Code == code { //nolint:errorlint // as it is, not wrapped
		return nil
	}
	return fmt.Errorf("want SQLSTATE %s, got: %w", code, err)
}

func TestRow1_ARawBorrowerAfterATenantSeesNothingOfIt(t *testing.T) {
	t.Parallel()
	for name, use := range work {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, pool, db, a := one(t)
			for range 2 {
				require.NoError(t, use(as(t, a), db))
				assertClean(t, w, pool, db, a)
				var settings, tables, locks int
				require.NoError(t, pool.QueryRow(t.Context(), `SELECT
					(SELECT count(*) FROM pg_settings WHERE source = 'session' AND name <> 'client_encoding'),
					(SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
					(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')`).Scan(&settings, &tables, &locks))
				assert.Equal(t, []int{0, 0, 0}, []int{settings, tables, locks}, "settings of the session, temporary tables, locks")
			}
		})
	}
}

// The statements of a tenant stay prepared on the connection. Who knows their names gets
// no further with them than with their SQL.
func TestRow1_PreparedStatementsOfATenantAreHarmless(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	b := w.tenant()
	read := func(ctx context.Context, run func(context.Context, string, ...any) pgx.Row, name string) (string, error) {
		var got string
		err := run(ctx, fmt.Sprintf(`EXECUTE %q (1)`, name), pgx.QueryExecModeExec).Scan(&got)
		return got, err
	}
	_, err := body(as(t, a), db)
	require.NoError(t, err)
	var name string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM note%'`, pgx.QueryExecModeExec).Scan(&name))

	_, err = read(t.Context(), pool.QueryRow, name)
	assertCode(t, "42P01", err, "a raw borrower")
	got, err := read(as(t, b), db.QueryRow, name)
	require.NoError(t, err)
	assert.Equal(t, w.schema(b), got, "another tenant reads its own rows")
	assertClean(t, w, pool, db, a, b)
}

func TestRow4_NothingIsSetOutsideATransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	var mu sync.Mutex
	var notices []string
	pool := w.pool(w.gatewayURL(), 1, func(c *pgxpool.Config) {
		c.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
			mu.Lock()
			defer mu.Unlock()
			notices = append(notices, n.Code+" "+n.Message)
		}
	})
	db := openOn(t, pool)
	for name, use := range work {
		require.NoError(t, use(as(t, a), db), name)
		assertClean(t, w, pool, db, a)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, n := range notices {
		// What PostgreSQL says of a SET LOCAL that has no effect, when the caller's own is
		// the only statement of its transaction. Ours would be told of too.
		assert.True(t, strings.HasPrefix(n, "25P01 SET LOCAL"), n)
	}
	assert.LessOrEqual(t, len(notices), 1, "%v", notices)
}

// The tenant is in force from the first statement of a transaction on, and not after it.
func TestRow4_TheTenantIsInForceWithinTheStatementAlone(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	const sql = `SELECT current_user::text, current_setting('search_path')`
	type state struct{ user, path string }
	scan := func(row pgx.Row) (s state) {
		require.NoError(t, row.Scan(&s.user, &s.path))
		return s
	}
	within := state{w.schema(a), `"` + w.schema(a) + `", pg_temp`}
	inTx := state{w.schema(a), w.schema(a) + `, pg_temp`} // SET quotes only what needs it
	outside := state{w.gateway, `""`}
	for range 2 {
		assert.Equal(t, within, scan(db.QueryRow(as(t, a), sql)), "a statement")
		assert.Equal(t, outside, scan(pool.QueryRow(t.Context(), sql)), "after a statement")
		b := &pgx.Batch{}
		for range 2 {
			b.Queue(sql).QueryRow(func(row pgx.Row) error { assert.Equal(t, within, scan(row), "a batch"); return nil })
		}
		require.NoError(t, db.SendBatch(as(t, a), b).Close())
		assert.Equal(t, outside, scan(pool.QueryRow(t.Context(), sql)), "after a batch")
		require.NoError(t, db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
			assert.Equal(t, inTx, scan(tx.QueryRow(ctx, sql)), "a transaction")
			nested, err := tx.Begin(ctx)
			require.NoError(t, err)
			assert.Equal(t, inTx, scan(nested.QueryRow(ctx, sql)), "a savepoint")
			require.NoError(t, nested.Rollback(ctx))
			assert.Equal(t, inTx, scan(tx.QueryRow(ctx, sql)), "after a savepoint")
			return nil
		}))
		assert.Equal(t, outside, scan(pool.QueryRow(t.Context(), sql)), "after a transaction")
	}
}
