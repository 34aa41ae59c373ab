package tenantdb_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// attacked is a database after Setup with an attacker and a victim, each of whom has a note
// that bears the name of its schema.
type attacked struct {
	*site
	pool             *pgxpool.Pool // of one connection
	db               *tenantdb.DB
	attacker, victim tenant.Tenant
}

func newAttacked(t *testing.T) *attacked {
	t.Helper()
	x := &attacked{site: setUp(t)}
	catalog := x.catalog()
	x.attacker, x.victim = created(t, catalog, "attacker"), created(t, catalog, "victim")
	config, err := pgxpool.ParseConfig(x.gatewayURL())
	require.NoError(t, err)
	config.MaxConns = 1
	x.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(x.pool.Close)
	x.db = openOn(t, x.pool)
	for _, who := range []tenant.Tenant{x.attacker, x.victim} {
		_, err := x.db.Exec(as(t, who), `INSERT INTO note (body) VALUES ($1)`, tenantdb.SchemaName(who.ID))
		require.NoError(t, err)
	}
	return x
}

// fill puts the names of the victim's schema, the attacker's and the gateway into SQL.
func (x *attacked) fill(sql string) string {
	return strings.NewReplacer("{victim}", tenantdb.SchemaName(x.victim.ID), "{attacker}", tenantdb.SchemaName(x.attacker.ID),
		"{gateway}", x.roles.Gateway).Replace(sql)
}

// assertUnharmed holds the pool's connection to be nobody's, and both tenants to have their
// own notes alone.
func (x *attacked) assertUnharmed(t *testing.T, what string) {
	t.Helper()
	var user, path string
	require.NoError(t, x.pool.QueryRow(t.Context(), `SELECT current_user::text, current_setting('search_path')`).Scan(&user, &path))
	assert.Equal(t, []string{x.roles.Gateway, `""`}, []string{user, path}, "%s: a raw borrower's user and path", what)
	for _, who := range []tenant.Tenant{x.attacker, x.victim} {
		rows, err := x.db.Query(as(t, who), `SELECT body FROM note`)
		require.NoError(t, err, what)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, what)
		assert.Equal(t, []string{tenantdb.SchemaName(who.ID)}, got, what)
	}
}

// What one statement can try, be it a whole one of the attacker's or a part of another.
func TestRow11_OneStatementReachesNoOtherTenant(t *testing.T) {
	t.Parallel()
	x := newAttacked(t)
	ctx := as(t, x.attacker)
	_, err := x.db.Exec(as(t, x.victim), `SELECT 'the victim''s secret' FROM note WHERE id = $1`, 1) // prepared on the connection
	require.NoError(t, err)
	for name, test := range map[string]struct{ sql, code string }{
		"set_config":                       {`SELECT pg_catalog.set_config('role', '{victim}', true)`, "42501"},
		"set_config for the session":       {`SELECT pg_catalog.set_config('search_path', '{victim}', false)`, "42501"},
		"set_config in a CTE":              {`WITH x AS MATERIALIZED (SELECT set_config('role', '{victim}', true)) SELECT body FROM {victim}.note, x`, "42501"},
		"a setting by its view":            {`UPDATE pg_catalog.pg_settings SET setting = '{victim}' WHERE name = 'role'`, "42501"},
		"a query in a function, a table":   {`SELECT query_to_xml('SELECT body FROM {victim}.note', true, true, '')`, "42501"},
		"a query in a function, a setting": {`SELECT query_to_xml('SELECT set_config(''role'', ''{victim}'', true)', true, true, '')`, "42501"},
		"a query in a function, SET":       {`SELECT query_to_xml('SET ROLE {victim}', true, true, '')`, "0A000"},
		"a query in a text search":         {`SELECT ts_stat('SELECT to_tsvector(body) FROM {victim}.note')`, "42501"},
		"a table as XML":                   {`SELECT table_to_xml('{victim}.note', true, true, '')`, "42501"},
		"a schema as XML":                  {`SELECT schema_to_xml('{victim}', true, true, '')`, "42501"},
		"texts of prepared statements":     {`SELECT statement FROM pg_prepared_statements`, "42501"},
		"texts of statements under way":    {`SELECT 1 / count(*) FROM pg_stat_activity WHERE query LIKE '%note%'`, "22012"},
		"the end of another's session":     {`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{gateway}'`, "42501"},
		"another's statistics":             {`SELECT 1 / count(*) FROM pg_stats WHERE schemaname = '{victim}'`, "22012"},
		"another's sequence":               {`SELECT last_value FROM {victim}.number`, "42501"},
		"the catalog":                      {`SELECT * FROM tenantwall.tenant`, "42501"},
		"a file":                           {`SELECT pg_read_file('PG_VERSION')`, "42501"},
		"passwords":                        {`SELECT * FROM pg_authid`, "42501"},
		"a block that goes and comes back": {`DO $$ BEGIN SET LOCAL ROLE {victim}; UPDATE {victim}.note SET body = 'stolen'; SET LOCAL ROLE {attacker}; END $$`, "42501"},
		"a block that commits":             {`DO $$ BEGIN COMMIT; SET LOCAL ROLE {victim}; UPDATE {victim}.note SET body = 'stolen'; COMMIT; SET LOCAL ROLE {attacker}; END $$`, "42501"},
		"a function of its own":            {`CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, "42501"},
		"a function in its schema":         {`CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, "42501"},
		"a table that shadows":             {`SELECT 1 AS id, 'x' AS body INTO TEMP note`, "42501"},
		"a trigger":                        {`CREATE TRIGGER t BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`, "42501"},
		"a schema":                         {`CREATE SCHEMA s`, "42501"},
		"an extension":                     {`CREATE EXTENSION pgcrypto`, "42501"},
		"the gateway's settings":           {`ALTER ROLE {gateway} SET role = '{attacker}'`, "42501"},
		"the gateway's password":           {`ALTER ROLE {gateway} PASSWORD 'x'`, "42501"},
		"a membership":                     {`GRANT {victim} TO {attacker}`, "42501"},
		"a program":                        {`COPY note TO PROGRAM 'cat'`, "42501"},
		"a file by COPY":                   {`COPY note FROM '/etc/passwd'`, "42501"},
	} {
		sql := x.fill(test.sql)
		_, err := x.db.Exec(ctx, sql)
		assertCode(t, test.code, err, name)
		err = x.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, sql); return err })
		assertCode(t, test.code, err, name+", in a transaction")
		x.assertUnharmed(t, name)
	}
	for _, sql := range []string{`COPY note TO STDOUT`, `COPY note FROM STDIN`} { // which a session does not speak
		_, err := x.db.Exec(ctx, sql)
		require.Error(t, err, sql)
		require.Error(t, x.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, sql); return err }), sql)
		x.assertUnharmed(t, sql)
	}
}

// Several whole statements of one transaction or batch, of which the first leaves the tenant
// and the last comes back.
func TestRow14b_NothingIsExecutedBehindAStatementThatLeaves(t *testing.T) {
	t.Parallel()
	x := newAttacked(t)
	ctx := as(t, x.attacker)
	read, back := x.fill(`SELECT body FROM {victim}.note`), x.fill(`SET LOCAL ROLE {attacker}`)
	for _, leave := range []string{
		`SET ROLE {victim}`, `SET LOCAL ROLE {victim}`, `SET SESSION ROLE {victim}`, `SET role = '{victim}'`, `SET LOCAL role TO '{victim}'`, `SET LOCAL "role" TO '{victim}'`, `SET LOCAL U&"\0072ole" TO '{victim}'`, `RESET ROLE`,
		`SET ROLE NONE`, `SET SESSION AUTHORIZATION DEFAULT`, `RESET SESSION AUTHORIZATION`, `SET LOCAL SESSION AUTHORIZATION DEFAULT`,
	} {
		leave = x.fill(leave)
		err := x.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			nested, err := tx.Begin(ctx)
			require.NoError(t, err)
			_, err = nested.Exec(ctx, leave)
			require.ErrorIs(t, err, tenantdb.ErrLeftTenant, leave)
			_, err = nested.Exec(ctx, read)
			assertCode(t, "25P02", err, leave)
			_, err = nested.Exec(ctx, back)
			assertCode(t, "25P02", err, leave)
			require.NoError(t, nested.Rollback(ctx))
			_, err = tx.Exec(ctx, read)
			return err
		})
		assertCode(t, "42501", err, leave+": the role is the tenant's again")
		err = x.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, leave)
			return nil // swallowed
		})
		require.ErrorIs(t, err, pgx.ErrTxCommitRollback, leave)
		for name, send := range map[string]func(*pgx.Batch) error{
			"a batch": func(b *pgx.Batch) error { return x.db.SendBatch(ctx, b).Close() },
			"a batch in a transaction": func(b *pgx.Batch) error {
				return x.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
			},
		} {
			seen := false
			b := &pgx.Batch{}
			b.Queue(leave)
			b.Queue(read, pgx.QueryExecModeExec).Query(func(rows pgx.Rows) error { seen = rows.Next(); return nil })
			b.Queue(back)
			require.ErrorIs(t, send(b), tenantdb.ErrLeftTenant, "%s: %s", leave, name)
			assert.False(t, seen, "%s: %s", leave, name)
		}
		x.assertUnharmed(t, leave)
	}
}

// The check before COMMIT is prepared under a name, which a statement can give to another.
func TestRow14b_TheCheckOfATransactionCannotBeReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	w.exec(fmt.Sprintf(`CREATE FUNCTION %[1]q.leave() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'SET LOCAL ROLE %[2]q'; RETURN 1; END $f$`,
		w.schema(a), w.schema(b)))
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	require.NoError(t, db.InTx(as(t, a), func(context.Context, pgx.Tx) error { return nil })) // prepares the check
	err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		for _, sql := range []string{
			`DEALLOCATE tenantwall_check`, `PREPARE tenantwall_check (text) AS SELECT 1`,
			`SELECT leave()`, fmt.Sprintf(`INSERT INTO %q.note (body) VALUES ('planted')`, w.schema(b)),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
	require.ErrorIs(t, err, tenantdb.ErrLeftTenant)
	assertClean(t, w, pool, db, a, b)
}

// SET LOCAL is what is to be used in a transaction, so it must not cost the connection.
func TestWhatEndsWithItsTransactionCostsNoConnection(t *testing.T) {
	t.Parallel()
	w, pool, db, a := one(t)
	before := backend(t, pool)
	for _, sql := range []string{
		`SET LOCAL statement_timeout = '7s'`, `set /* x */ local work_mem TO '1MB'`, `SET CONSTRAINTS ALL DEFERRED`, `SET TRANSACTION READ ONLY`,
		`LOCK TABLE note IN SHARE MODE`, `NOTIFY something, 'x'`, `SHOW work_mem`,
	} {
		err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, sql); return err })
		require.NoError(t, err, sql)
		assert.Equal(t, before, backend(t, pool), sql)
		assertClean(t, w, pool, db, a)
	}
	for _, sql := range []string{`SET local.x = 'y'`, `SET LOCAL /* x */ .x TO 'y'`, `SET transaction.x = 'y'`, `SET SESSION x.y = 'z'`} {
		_, err := db.Exec(as(t, a), sql)
		require.NoError(t, err, sql)
		assert.NotEqual(t, before, backend(t, pool), "%s: a setting of the session", sql)
		before = backend(t, pool)
	}
}

// The first snapshot of a transaction is taken by its first query, not by a check.
func TestSettingsAndLocksTakeNoSnapshot(t *testing.T) {
	t.Parallel()
	w, _, db, a := one(t)
	err := db.InTxOptions(as(t, a), pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(ctx context.Context, tx pgx.Tx) error {
		for _, sql := range []string{`SET LOCAL lock_timeout = '20s'`, `SET TRANSACTION READ WRITE`, `SHOW lock_timeout`} {
			_, err := tx.Exec(ctx, sql)
			require.NoError(t, err, sql)
		}
		w.exec(fmt.Sprintf(`INSERT INTO %q.note (body) VALUES ('before the lock')`, w.schema(a)))
		_, err := tx.Exec(ctx, `LOCK TABLE note IN SHARE ROW EXCLUSIVE MODE`)
		require.NoError(t, err)
		var n int
		require.NoError(t, tx.QueryRow(ctx, `SELECT count(*) FROM note WHERE body = 'before the lock'`).Scan(&n))
		assert.Equal(t, 1, n)
		return nil
	})
	require.NoError(t, err)
}

// A name that is on the connection already, as when a description was cancelled between
// the two halves of it.
func TestAStatementWhoseNameIsTakenIsPreparedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	first := w.pool(w.gatewayURL(), 1)
	_, err := body(as(t, a), openOn(t, first))
	require.NoError(t, err)
	var name string
	require.NoError(t, first.QueryRow(t.Context(), `SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM note%'`, pgx.QueryExecModeExec).Scan(&name))

	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	_, err = pool.Exec(t.Context(), fmt.Sprintf(`PREPARE %q AS SELECT 1`, name))
	require.NoError(t, err)
	before := backend(t, pool)
	for range 2 {
		got, err := body(as(t, a), db)
		require.NoError(t, err)
		assert.Equal(t, w.schema(a), got)
	}
	assert.Equal(t, before, backend(t, pool), "the connection is the same one")
}
