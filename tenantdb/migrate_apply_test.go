package tenantdb

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/pgtest"
)

// with is a set of files with one more.
func with(content map[string]string, name, text string) map[string]string {
	content = maps.Clone(content)
	content[name] = text
	return content
}

func TestPendingMigrationsAreAppliedOnceAndRecorded(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	m := parsed(t, noteFiles)

	applied, err := y.apply(m, one, applyOptions{})
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 2}, applied)
	assert.Equal(t, []string{"note", "tenantwall_migration"}, y.relations(one))
	y.in(one, `INSERT INTO note (body, title) VALUES ('b', 't')`)

	applied, err = y.apply(m, one, applyOptions{})
	require.NoError(t, err)
	assert.Empty(t, applied)

	m = parsed(t, with(noteFiles, "0003_more.sql", `CREATE TABLE more ()`))
	applied, err = y.apply(m, one, applyOptions{})
	require.NoError(t, err)
	assert.Equal(t, []int64{3}, applied)

	for i, file := range m.files {
		row := y.pool.QueryRow(t.Context(), `SELECT name, checksum, now() - applied_at < '1 minute', duration BETWEEN '0' AND '1 minute', fingerprint IS NOT NULL
			FROM `+tenantLedger(one.schema).table+` WHERE version = $1`, file.version)
		var name, checksum string
		var recent, plausible, printed bool
		require.NoError(t, row.Scan(&name, &checksum, &recent, &plausible, &printed))
		assert.Equal(t, file.name, name)
		assert.Equal(t, file.checksum, checksum)
		assert.True(t, recent && plausible)
		assert.Equal(t, i == 2, printed, "the last one alone has the fingerprint")
	}
}

func TestMigrationThatCameLateIsApplied(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	y.migrated(parsed(t, map[string]string{"1_a.sql": "CREATE TABLE a ()", "3_c.sql": "CREATE TABLE c ()"}), one)
	m := parsed(t, map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "CREATE TABLE b ()", "3_c.sql": "CREATE TABLE c ()", "4_d.sql": "CREATE TABLE d ()"})
	applied, err := y.apply(m, one, applyOptions{})
	require.NoError(t, err)
	assert.Equal(t, []int64{2, 4}, applied)
	assert.Equal(t, MigrationCurrent, y.status(m, one)[0].State)
}

func TestRow43_ChangedFileIsAnErrorAndNothingIsApplied(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	y.migrated(parsed(t, noteFiles), one)
	m := parsed(t, with(with(noteFiles, "0001_note.sql", "CREATE TABLE note (id int)"), "0003_more.sql", "CREATE TABLE more ()"))

	_, err := y.apply(m, one, applyOptions{allowUnknown: true})
	require.ErrorIs(t, err, ErrChecksum)
	assert.NotErrorIs(t, err, ErrUnknownMigration)
	var ledger *LedgerError
	require.ErrorAs(t, err, &ledger)
	assert.Equal(t, []int64{1}, ledger.Changed)
	assert.ErrorContains(t, err, "migrate schema "+one.schema+": migrations changed after they were applied: 1 ")
	assert.Equal(t, []int64{1, 2}, y.versions(one))

	status := y.status(m, one)[0]
	assert.Equal(t, MigrationDrifted, status.State)
	assert.Equal(t, []string{"migration 1: was changed after it was applied"}, status.Drift)
}

func TestUnknownMigrationIsAnErrorUnlessAllowed(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	y.migrated(parsed(t, with(noteFiles, "0003_newer.sql", "CREATE TABLE newer ()")), one)

	_, err := y.apply(parsed(t, noteFiles), one, applyOptions{})
	require.ErrorIs(t, err, ErrUnknownMigration)
	assert.NotErrorIs(t, err, ErrChecksum)
	assert.ErrorContains(t, err, "applied and unknown to this program: 3 ")
	status := y.status(parsed(t, noteFiles), one)[0]
	assert.Equal(t, MigrationAhead, status.State)
	assert.Equal(t, []int64{3}, status.Unknown)

	applied, err := y.apply(parsed(t, with(noteFiles, "0004_other.sql", "CREATE TABLE other ()")), one, applyOptions{allowUnknown: true})
	require.NoError(t, err)
	assert.Equal(t, []int64{4}, applied)
}

func TestFailedScriptLeavesNothingAndIsFoundByItsLine(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	m := parsed(t, with(noteFiles, "0003_bad.sql", "-- +goose Up\nCREATE TABLE ünïcode ();\nINSERT INTO ünïcode SELECT 'ä',\n  missing;\n"))

	_, err := y.apply(m, one, applyOptions{})
	var file *MigrationFileError
	require.ErrorAs(t, err, &file)
	assert.Equal(t, "0003_bad.sql", file.File)
	assert.Equal(t, 4, file.Line)
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	assert.Equal(t, "42703", pgErr.Code)
	assert.Empty(t, y.relations(one), "not even the ledger")
}

func TestHarmlessScriptsAreApplied(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	for i, one := range y.schemas(len(harmless)) {
		applied, err := y.apply(parsed(t, map[string]string{"0001_x.sql": harmless[i].script}), one, applyOptions{})
		if assert.NoError(t, err, harmless[i].name) {
			assert.Equal(t, []int64{1}, applied)
		}
	}
}

// unchecked is a set of one script whose transaction control has escaped the check, as a
// flaw of it would let it.
func unchecked(script string) *Migrations {
	m := &Migrations{files: []migration{{version: 1, name: "x", file: "0001_x.sql", script: script, line: 1}}}
	m.digest = m.sum()
	return m
}

func TestTransactionControlThatEscapedTheCheckIsTold(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	scripts := []string{"CREATE TABLE a (); COMMIT", "CREATE TABLE a (); COMMIT; BEGIN", "ROLLBACK", "COMMIT AND CHAIN"}
	for i, one := range y.schemas(len(scripts)) {
		_, err := y.apply(unchecked(scripts[i]), one, applyOptions{})
		require.ErrorIs(t, err, ErrMigrationTransaction, scripts[i])
		if schema := value[bool](y, one, `SELECT to_regclass('tenantwall_migration') IS NOT NULL`); schema {
			assert.Empty(t, y.versions(one), scripts[i])
		}
	}
	_, err := y.apply(unchecked("ROLLBACK; BEGIN"), y.schemas(1)[0], applyOptions{})
	require.Error(t, err, "the ledger is rolled back as well")
}

func TestProcedureCannotEndTheTransaction(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	m := parsed(t, map[string]string{"0001_x.sql": "CREATE TABLE a (); CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'; CALL p()"})
	_, err := y.apply(m, one, applyOptions{})
	assert.True(t, isCode(err, "2D000"), "%v", err)
	assert.Empty(t, y.relations(one))
}

func TestScriptSeesItsSchemaAlone(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	y.exec(`CREATE TABLE tenantwall.elsewhere ()`)
	m := parsed(t, map[string]string{
		"1_a.sql": "CREATE TABLE a (); CREATE TEMP TABLE b (); CREATE TABLE b (); CREATE TABLE p AS SELECT current_setting('search_path') AS path",
		"2_b.sql": "SET search_path TO tenantwall; SET SESSION statement_timeout TO 987654; SET lock_timeout TO 7; SELECT pg_sleep(0)",
		"3_c.sql": "CREATE TABLE c AS SELECT current_setting('search_path') AS path, current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement",
	})
	_, err := y.apply(m, one, applyOptions{lockTimeout: 1234 * time.Millisecond})
	require.NoError(t, err)
	path := one.schema + ", pg_temp"
	assert.Equal(t, path, value[string](y, one, `SELECT path FROM p`))
	assert.Equal(t, path+" 1234ms 0", value[string](y, one, `SELECT concat_ws(' ', path, lock, statement) FROM c`), "what a script sets ends with it")

	_, err = y.apply(parsed(t, with(map[string]string{}, "9_x.sql", "SELECT FROM elsewhere")), y.schemas(1)[0], applyOptions{})
	assert.True(t, isCode(err, "42P01"), "%v", err)
}

func TestWhatAScriptSetsDoesNotReachThePool(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	y.exec(`CREATE FUNCTION tenantwall.sneak() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('work_mem', '77kB', false); END $$`)
	targets := y.schemas(2)
	m := parsed(t, map[string]string{"1_a.sql": `
		SET search_path TO tenantwall; SELECT tenantwall.sneak(); CREATE TEMP TABLE left_behind ();
		SET application_name TO 'left behind'; DO 'BEGIN EXECUTE ''LISTEN left_behind''; END'`})

	// The same connection, twice: what the first leaves would be in the way of the second.
	conn := y.poolOn(y.url, 1)
	before := settingsOf(t, conn)
	for _, one := range targets {
		require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			_, err := m.apply(t.Context(), tx, one.schema, applyOptions{})
			return err
		}))
	}
	assert.Equal(t, before, settingsOf(t, conn))

	y.migrated(m, targets...)
	assert.Equal(t, before, settingsOf(t, y.pool))
}

// settingsOf are what a script could have left on a connection of the pool.
func settingsOf(t *testing.T, pool *pgxpool.Pool) (s string) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT concat_ws(' ', current_user, current_setting('search_path'), current_setting('work_mem'),
		current_setting('application_name'), (SELECT count(*) FROM pg_listening_channels()), to_regclass('pg_temp.left_behind') IS NULL)`).Scan(&s))
	return s
}

func TestScriptThatTakesAnotherRoleLosesItWithItsEnd(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	owner, err := pgx.Connect(t.Context(), y.ownerURL())
	require.NoError(t, err)
	defer owner.Close(context.Background())
	var control string
	require.NoError(t, y.pool.QueryRow(t.Context(), `SELECT current_user::text`).Scan(&control))
	_, err = owner.Exec(t.Context(), `CREATE ROLE `+quote(one.schema)+`; GRANT `+quote(one.schema)+` TO `+quote(control))
	require.NoError(t, err)

	_, err = y.apply(parsed(t, map[string]string{"1_a.sql": `CREATE TABLE a (); SET ROLE ` + quote(one.schema)}), one, applyOptions{})
	require.NoError(t, err)
	assert.Equal(t, []int64{1}, y.versions(one))
}

func TestTenantHasNoRightsOnItsLedger(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	owner, err := pgx.Connect(t.Context(), y.ownerURL())
	require.NoError(t, err)
	defer owner.Close(context.Background())
	_, err = owner.Exec(t.Context(), `CREATE ROLE `+quote(one.schema))
	require.NoError(t, err)
	y.exec(`GRANT USAGE ON SCHEMA ` + quote(one.schema) + ` TO ` + quote(one.schema) + `;
		ALTER DEFAULT PRIVILEGES IN SCHEMA ` + quote(one.schema) + ` GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ` + quote(one.schema) + `, PUBLIC`)
	y.migrated(parsed(t, noteFiles), one)

	_, err = owner.Exec(t.Context(), `SET ROLE `+quote(one.schema))
	require.NoError(t, err)
	_, err = owner.Exec(t.Context(), `SELECT FROM `+quote(one.schema)+`.note`)
	require.NoError(t, err, "the control: on other tables it has them")
	for _, sql := range []string{`SELECT FROM `, `DELETE FROM `, `TRUNCATE `} {
		_, err = owner.Exec(t.Context(), sql+tenantLedger(one.schema).table)
		assert.True(t, isCode(err, codeInsufficientPrivilege), "%s: %v", sql, err)
	}
}

func TestApplyNeedsATransactionThatSeesWhatOthersDid(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	m := parsed(t, noteFiles)
	tx, err := y.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	require.NoError(t, err)
	defer rollback(t.Context(), tx)
	_, err = m.apply(t.Context(), tx, one.schema, applyOptions{})
	require.ErrorContains(t, err, "level repeatable read, not read committed")

	tx, err = y.pool.Begin(t.Context())
	require.NoError(t, err)
	defer rollback(t.Context(), tx)
	_, err = tx.Exec(t.Context(), `COMMIT`)
	require.NoError(t, err)
	_, err = m.apply(t.Context(), tx, one.schema, applyOptions{})
	require.ErrorContains(t, err, "not inside a transaction")
}

func TestMissingSchemaIsAnError(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	_, err := y.apply(parsed(t, noteFiles), target{schema: "t_missing"}, applyOptions{})
	require.ErrorIs(t, err, errNoSchema)
}

func TestScriptDoesNotWaitForALockForEver(t *testing.T) {
	t.Parallel()
	y := newYard(t, 3)
	one := y.schemas(1)[0]
	y.migrated(parsed(t, map[string]string{"0001_note.sql": noteFiles["0001_note.sql"]}), one)
	reader, err := y.pool.Begin(t.Context())
	require.NoError(t, err)
	defer rollback(t.Context(), reader)
	_, err = reader.Exec(t.Context(), `SELECT FROM `+quote(one.schema)+`.note`)
	require.NoError(t, err)

	_, err = y.apply(parsed(t, noteFiles), one, applyOptions{lockTimeout: 50 * time.Millisecond})
	assert.True(t, isCode(err, codeLockNotAvailable), "%v", err)
	assert.Equal(t, []int64{1}, y.versions(one))

	// Two attempts are not enough, and then the reader leaves.
	failures := 0
	_, err = withRetries(t.Context(), 10, func() error {
		_, err := y.apply(parsed(t, noteFiles), one, applyOptions{lockTimeout: 50 * time.Millisecond})
		if err != nil {
			if failures++; failures == 2 {
				rollback(t.Context(), reader)
			}
		}
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, 2, failures)
	assert.Equal(t, []int64{1, 2}, y.versions(one))
}

func TestRow13_LockHoldsThroughATransactionPooler(t *testing.T) {
	t.Parallel()
	y := newYard(t, 4)
	one := y.schemas(1)[0]
	bouncer, err := localserver.StartPgBouncer(t.Context(), localserver.PgBouncerConfig{Postgres: pgtest.Server(t), PoolSize: 4})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bouncer.Close()) })
	config := y.pool.Config().ConnConfig
	// This pooler may know no prepared statements; see Open for the mode.
	pooled := bouncer.URL(config.User, config.Password, config.Database) + "&default_query_exec_mode=exec"

	// Each of eight runs wants to apply both files, on connections that the pooler shares
	// out anew for each transaction. All but one find nothing to do.
	m := parsed(t, with(noteFiles, "0003_slow.sql", "CREATE TABLE slow (); SELECT pg_sleep(0.1)"))
	applied := make(chan []int64, 8)
	for range cap(applied) {
		pool := y.poolOn(pooled, 1)
		go func() {
			conn := &migrationConn{pool: pool}
			defer conn.release(t.Context())
			versions, err := conn.apply(t.Context(), m, tenantLedger(one.schema), applyOptions{})
			assert.NoError(t, err)
			applied <- versions
		}()
	}
	total := 0
	for range cap(applied) {
		total += len(<-applied)
	}
	assert.Equal(t, len(m.files), total)

	// The control: with a lock of the session, through the same pooler, both clients have it.
	first, second := y.poolOn(pooled, 1), y.poolOn(pooled, 1)
	got := 0
	for range 20 {
		for _, pool := range []*pgxpool.Pool{first, second} {
			var ok bool
			require.NoError(t, pool.QueryRow(t.Context(), `SELECT pg_try_advisory_lock(13)`, pgx.QueryExecModeExec).Scan(&ok))
			if ok {
				got++
			}
		}
	}
	assert.Greater(t, got, 1, "a session's lock is expected to leak")
}

func TestLockKeysDifferBySchemaAndComponent(t *testing.T) {
	t.Parallel()
	keys := map[int64]bool{}
	for _, l := range []ledger{tenantLedger("a"), tenantLedger("b"), controlLedger("a"), controlLedger("b")} {
		keys[l.lockKey()] = true
	}
	assert.Len(t, keys, 4)
	assert.Equal(t, int64(-3753563249339739718), tenantLedger("t_0123").lockKey(), "a change lets two versions of the program migrate at once")
}

// ownerURL is the superuser's connection string of the yard's database.
func (y *yard) ownerURL() string {
	return pgtest.Server(y.t).SuperuserURL(y.pool.Config().ConnConfig.Database)
}

func TestVersionListIsBounded(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1, 2", versionList([]int64{1, 2}))
	assert.True(t, strings.HasSuffix(versionList(make([]int64, 12)), ", 0 and 2 more"))
}
