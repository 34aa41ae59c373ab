package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestEachTenantReadsItsOwnRows(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.tenant(), w.tenant()
			db := openOn(t, w.pool(w.gatewayURL(), 1, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode }))
			for range 3 {
				for _, who := range []tenant.Tenant{a, b} {
					got, err := body(as(t, who), db)
					require.NoError(t, err)
					assert.Equal(t, tenantdb.SchemaName(who.ID), got)
				}
			}
		})
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	proxy := wire.NewProxy(t, w.url)
	db := openOn(t, w.pool(w.gatewayURL(proxy.URL), 1))
	ctx := as(t, a)
	count := func(what string, want int, fn func() error) {
		t.Helper()
		proxy.Reset()
		require.NoError(t, fn(), what)
		assert.Equal(t, want, proxy.Stats().RoundTrips, what)
	}
	query := func(ctx context.Context) func() error {
		return func() error { _, err := body(ctx, db); return err }
	}
	write := func() error {
		_, err := db.Exec(ctx, `UPDATE note SET body = $1 WHERE id = $2`, "x", 99)
		return err
	}
	count("the first use of a statement", 2, query(ctx))
	count("a statement", 1, query(ctx))
	count("the first use by another tenant", 2, query(as(t, b)))
	count("the other tenant's", 1, query(as(t, b)))
	count("back again", 1, query(ctx))
	count("a write, first", 2, write)
	count("a write", 1, write)
	count("a write without arguments, first", 1, func() error {
		_, err := db.Exec(ctx, `DELETE FROM note WHERE id = 77`)
		return err
	})
	count("a transaction of three", 5, func() error {
		return db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			for range 3 {
				if _, err := body(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		})
	})
	count("a transaction that fails", 3, func() error {
		err := db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := body(ctx, tx)
			return errors.Join(err, errRefused)
		})
		if !errors.Is(err, errRefused) {
			return err
		}
		return nil
	})
	batch := func() error {
		b := &pgx.Batch{}
		for i := range 5 {
			b.Queue(`SELECT body FROM note WHERE id = $1`, i)
			b.Queue(`SELECT count(*) FROM note WHERE id > $1`, i)
		}
		return db.SendBatch(ctx, b).Close()
	}
	count("a batch with one new statement", 2, batch)
	count("a batch", 1, batch)

	// What one connection has learnt serves all.
	other := openOn(t, w.pool(w.gatewayURL(proxy.URL), 2))
	require.NoError(t, query(ctx)())
	hold, err := other.Begin(ctx)
	require.NoError(t, err)
	_, err = body(ctx, hold)
	require.NoError(t, err)
	count("a known statement on a new connection", 1, func() error { _, err := body(ctx, other); return err })
	require.NoError(t, hold.Rollback(ctx))
}

var errRefused = errors.New("refused")

func TestRow15_NoTenantIsATypedErrorAndNothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proxy := wire.NewProxy(t, w.url)
	db := openOn(t, w.pool(w.gatewayURL(proxy.URL), 1))
	proxy.Reset()
	for _, c := range []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"none", t.Context(), tenant.ErrRequired},
		{"zero", tenant.NewContext(t.Context(), tenant.Tenant{Status: tenant.StatusActive}), tenant.ErrRequired},
		{"suspended", as(t, tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusSuspended}), tenant.ErrSuspended},
		{"deleted", as(t, tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusDeleted}), tenant.ErrGone},
		{"provisioning", as(t, tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusProvisioning}), tenant.ErrUnavailable},
		{"without a status", as(t, tenant.Tenant{ID: tenant.NewID()}), tenant.ErrSuspended},
	} {
		_, err := db.Exec(c.ctx, `SELECT 1`)
		require.ErrorIs(t, err, c.want, "%s: Exec", c.name)
		rows, err := db.Query(c.ctx, `SELECT 1`)
		require.ErrorIs(t, err, c.want, "%s: Query", c.name)
		assert.False(t, rows.Next())
		rows.Close()
		var n int
		require.ErrorIs(t, db.QueryRow(c.ctx, `SELECT 1`).Scan(&n), c.want, "%s: QueryRow", c.name)
		require.ErrorIs(t, db.SendBatch(c.ctx, &pgx.Batch{}).Close(), c.want, "%s: SendBatch", c.name)
		_, err = db.CopyFrom(c.ctx, pgx.Identifier{"note"}, []string{"body"}, pgx.CopyFromRows(nil))
		require.ErrorIs(t, err, c.want, "%s: CopyFrom", c.name)
		_, err = db.Begin(c.ctx)
		require.ErrorIs(t, err, c.want, "%s: Begin", c.name)
		_, err = db.BeginTx(c.ctx, pgx.TxOptions{})
		require.ErrorIs(t, err, c.want, "%s: BeginTx", c.name)
		fn := func(context.Context, pgx.Tx) error { t.Error("called"); return nil }
		require.ErrorIs(t, db.InTx(c.ctx, fn), c.want, "%s: InTx", c.name)
		require.ErrorIs(t, db.InTxOptions(c.ctx, pgx.TxOptions{}, fn), c.want, "%s: InTxOptions", c.name)
	}
	assert.Zero(t, proxy.Stats().ToServer, "bytes sent")
}

func TestStatementErrorsLeaveTheConnectionWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	ctx := as(t, a)
	_, err := body(ctx, db)
	require.NoError(t, err)
	before := backend(t, pool)
	for _, c := range []struct {
		name, sql, code string
		args            []any
	}{
		{"syntax", `SELECT * FROM WHERE`, "42601", []any{1}},
		{"missing table", `SELECT * FROM nowhere WHERE id = $1`, "42P01", []any{1}},
		{"division", `SELECT 1 / (id - 1) FROM note WHERE id = $1`, "22012", []any{1}},
		{"constraint", `INSERT INTO note (body) VALUES ($1)`, "23502", []any{nil}},
		{"two statements", `SELECT 1; SELECT 2`, "42601", nil},
		{"two statements, no rows wanted", `DELETE FROM note; SELECT 2`, "42601", nil},
	} {
		for range 2 {
			_, err := db.Exec(ctx, c.sql, c.args...)
			var pgErr *pgconn.PgError
			require.ErrorAs(t, err, &pgErr, c.name)
			assert.Equal(t, c.code, pgErr.Code, c.name)
		}
	}
	_, err = db.Query(ctx, `SELECT body FROM note WHERE id = $1`)
	require.ErrorContains(t, err, "expected 1 arguments, got 0")
	_, err = db.Exec(ctx, `DELETE FROM note WHERE id = $1`)
	assertCode(t, "08P01", err, "no argument for Exec")
	_, err = db.Exec(ctx, `SELECT body FROM note WHERE id = $1`, struct{}{})
	require.ErrorContains(t, err, "args[0]")
	_, err = db.Exec(ctx, `SELECT 1`, pgx.QueryExecModeSimpleProtocol)
	require.ErrorIs(t, err, tenantdb.ErrSimpleProtocol)
	for _, sql := range []string{`BEGIN`, `commit`, ` /* x */ ROLLBACK`, "--\nSAVEPOINT s", `START TRANSACTION`, `END`, `abort`, `release s`} {
		_, err := db.Exec(ctx, sql)
		require.ErrorIs(t, err, tenantdb.ErrTransactionControl, sql)
		b := &pgx.Batch{}
		b.Queue(sql)
		require.ErrorIs(t, db.SendBatch(ctx, b).Close(), tenantdb.ErrTransactionControl, sql)
	}
	got, err := body(ctx, db)
	require.NoError(t, err)
	assert.Equal(t, tenantdb.SchemaName(a.ID), got)
	assert.Equal(t, before, backend(t, pool), "the connection is the same one")
}

// backend is the process of a pool's connection, which is the only one.
func backend(t testing.TB, pool *pgxpool.Pool) uint32 {
	t.Helper()
	lease, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer lease.Release()
	return lease.Conn().PgConn().PID()
}

func TestPgxOptionsBeforeTheArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := w.open(1)
	ctx := as(t, w.tenant())
	var n int
	require.NoError(t, db.QueryRow(ctx, `SELECT count(*) FROM note WHERE id = @id`, pgx.NamedArgs{"id": 1}).Scan(&n))
	assert.Equal(t, 1, n)
	for _, option := range []any{
		pgx.QueryExecModeExec, pgx.QueryExecModeCacheDescribe, pgx.QueryResultFormats{pgx.TextFormatCode},
		pgx.QueryResultFormatsByOID{20: pgx.TextFormatCode},
	} {
		require.NoError(t, db.QueryRow(ctx, `SELECT count(*) FROM note WHERE id = $1`, option, 1).Scan(&n), "%T", option)
		assert.Equal(t, 1, n)
	}
	rows, err := db.Query(ctx, `SELECT id FROM note`, pgx.QueryResultFormats{pgx.TextFormatCode})
	require.NoError(t, err)
	require.True(t, rows.Next())
	assert.Equal(t, "1", string(rows.RawValues()[0]), "in text form")
	rows.Close()
}

func TestTypesOfAllKindsTravelAsWithPgx(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	schema := tenantdb.SchemaName(a.ID)
	w.exec(`CREATE TABLE "` + schema + `".kinds (i int4, t timestamptz, d date, j jsonb, b bytea, u uuid, a text[], n numeric);
		GRANT ALL ON "` + schema + `".kinds TO "` + schema + `"`)
	db := w.open(2)
	ctx := as(t, a)
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for range 3 {
		_, err := db.Exec(ctx, `INSERT INTO kinds VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			7, at, at, map[string]any{"k": 1}, []byte{0, 1}, a.ID, []string{"x", "y"}, 1.5)
		require.NoError(t, err)
	}
	var i int
	var when, day time.Time
	var j map[string]any
	var raw []byte
	var id tenant.ID
	var list []string
	var n float64
	require.NoError(t, db.QueryRow(ctx, `SELECT * FROM kinds LIMIT 1`).Scan(&i, &when, &day, &j, &raw, &id, &list, &n))
	assert.Equal(t, []any{7, true, true, map[string]any{"k": 1.0}, []byte{0, 1}, a.ID, []string{"x", "y"}, 1.5},
		[]any{i, when.Equal(at), day.Equal(at.Truncate(24 * time.Hour)), j, raw, id, list, n})
}

func TestRow7_LayoutsThatDifferBetweenTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	w.exec(fmt.Sprintf(`ALTER TABLE %q.note ADD COLUMN extra int NOT NULL DEFAULT 5`, tenantdb.SchemaName(b.ID)))
	db := w.open(1)
	for range 4 {
		for who, columns := range map[*tenant.Tenant]int{&a: 2, &b: 3} {
			ctx := as(t, *who)
			rows, err := db.Query(ctx, `SELECT * FROM note`)
			require.NoError(t, err)
			values, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
			require.NoError(t, err)
			require.Len(t, values, 1)
			assert.Len(t, values[0], columns)
			assert.Equal(t, tenantdb.SchemaName(who.ID), values[0][1])
			require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				rows, err := tx.Query(ctx, `SELECT * FROM note`)
				if err != nil {
					return err
				}
				_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
				return err
			}))
		}
	}
}

// Without the tenant in a statement's name each turn finds the other's plan, which is found
// out, and mended, by another trip.
func TestRow7_LayoutsThatDifferCostNoTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	w.exec(fmt.Sprintf(`ALTER TABLE %q.note ADD COLUMN extra int`, tenantdb.SchemaName(b.ID)))
	proxy := wire.NewProxy(t, w.url)
	db := openOn(t, w.pool(w.gatewayURL(proxy.URL), 1))
	columns := func(of tenant.Tenant) int {
		rows, err := db.Query(as(t, of), `SELECT * FROM note`)
		require.NoError(t, err)
		defer rows.Close()
		return len(rows.FieldDescriptions())
	}
	for turn := range 4 {
		proxy.Reset()
		assert.Equal(t, []int{2, 3}, []int{columns(a), columns(b)})
		if turn > 0 { // the first learns the types
			assert.Equal(t, 2, proxy.Stats().RoundTrips)
		}
	}
}

func TestRow7_ATableAlteredBehindAPreparedStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	db := w.open(2)
	ctx := as(t, a)
	read := func() int {
		rows, err := db.Query(ctx, `SELECT * FROM note WHERE id = $1`, 1)
		require.NoError(t, err)
		defer rows.Close()
		require.True(t, rows.Next(), "%v", rows.Err())
		values, err := rows.Values()
		require.NoError(t, err)
		assert.Equal(t, tenantdb.SchemaName(a.ID), values[1])
		return len(values)
	}
	assert.Equal(t, 2, read())
	w.exec(fmt.Sprintf(`ALTER TABLE %q.note ADD COLUMN extra int`, tenantdb.SchemaName(a.ID)))
	assert.Equal(t, 3, read(), "prepared before, on the same connection")

	w.exec(fmt.Sprintf(`ALTER TABLE %q.note ADD COLUMN more text`, tenantdb.SchemaName(a.ID)))
	hold, err := db.Begin(ctx) // takes the connection that has it prepared
	require.NoError(t, err)
	assert.Equal(t, 4, read(), "known to the process, prepared on another connection")
	require.NoError(t, hold.Rollback(ctx))
	assert.Equal(t, 4, read())
}

func TestRow8_MissingSchemaOrTableNeverFallsThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	w.exec(`CREATE TABLE public.note (id bigint, body text); INSERT INTO public.note VALUES (1, 'public');
		CREATE TABLE public.elsewhere (id bigint); GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC`)
	db := w.open(1)
	_, err := db.Exec(as(t, a), `SELECT * FROM elsewhere`)
	assertCode(t, "42P01", err, "a table that only public has")

	w.exec(fmt.Sprintf(`DROP SCHEMA %q CASCADE`, tenantdb.SchemaName(a.ID)))
	_, err = body(as(t, a), db)
	assertCode(t, "42P01", err, "a schema that is gone")

	_, err = body(as(t, tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive}), db)
	require.ErrorContains(t, err, "has no role here")
	assertCode(t, "22023", err, "a tenant that was never created")
}

func TestRow9_NoTemporaryTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := w.open(1)
	_, err := db.Exec(as(t, w.tenant()), `CREATE TEMP TABLE note (id int)`)
	assertCode(t, "42501", err, "CREATE TEMP TABLE")
}

func TestRow9_ATemporaryTableShadowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	db := w.open(1)
	w.exec(`DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$`)
	require.NoError(t, db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TEMP TABLE note AS SELECT 1::bigint AS id, 'of the connection' AS body`); err != nil {
			return err
		}
		got, err := body(ctx, tx)
		assert.Equal(t, tenantdb.SchemaName(a.ID), got)
		return err
	}))
}

func TestRow10_AnotherSchemaByItsQualifiedName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := w.open(1)
	ctx := as(t, a)
	for _, sql := range []string{
		`SELECT * FROM %q.note`, `UPDATE %q.note SET body = 'x'`, `DELETE FROM %q.note`, `INSERT INTO %q.note (body) VALUES ('x')`,
		`SELECT setval('%q.note_id_seq', 1)`,
	} {
		sql = fmt.Sprintf(sql, tenantdb.SchemaName(b.ID))
		_, err := db.Exec(ctx, sql)
		assertCode(t, "42501", err, sql)
		err = db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, sql); return err })
		assertCode(t, "42501", err, sql)
	}
	got, err := body(as(t, b), db)
	require.NoError(t, err)
	assert.Equal(t, tenantdb.SchemaName(b.ID), got)
}

func TestRow11_InjectedSetConfigIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := w.open(1)
	injected := fmt.Sprintf(`SELECT body FROM %q.note, set_config('role', '%s', true)`, tenantdb.SchemaName(b.ID), tenantdb.SchemaName(b.ID))
	_, err := db.Exec(as(t, a), injected)
	assertCode(t, "42501", err, "set_config in an injected SELECT")
	_, err = db.Exec(as(t, a), `SELECT 1; SET ROLE "`+tenantdb.SchemaName(b.ID)+`"; SELECT * FROM note`)
	assertCode(t, "42601", err, "stacked statements")
	err = db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT 1; SET ROLE "`+tenantdb.SchemaName(b.ID)+`"`)
		return err
	})
	assertCode(t, "42601", err, "stacked statements in a transaction")
}

func assertCode(t testing.TB, code string, err error, what string) {
	t.Helper()
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr, what) {
		assert.Equal(t, code, pgErr.Code, "%s: %s", what, pgErr.Message)
	}
}

func TestRowsThatAreClosedShowNoOtherTenantsColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := w.open(1)
	rows, err := db.Query(as(t, a), `SELECT id, body FROM note`)
	require.NoError(t, err)
	assert.Len(t, rows.FieldDescriptions(), 2)
	rows.Close()
	others, err := db.Query(as(t, b), `SELECT body AS secret_of_another FROM note`)
	require.NoError(t, err)
	defer others.Close()
	assert.Empty(t, rows.FieldDescriptions())
}
