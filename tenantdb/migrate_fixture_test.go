package tenantdb

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
)

// yard is a database with a control role, and with schemas for tenants who have nothing
// else: the tests of migrations depend on neither the set-up nor the catalog.
type yard struct {
	t    testing.TB
	pool *pgxpool.Pool // as the control role
	url  string        // the control role's
}

func newYard(t testing.TB, size int32) *yard {
	t.Helper()
	owner := pgtest.Database(t)
	y := &yard{t: t, url: controlURL(t, owner)}
	y.pool = y.poolOn(y.url, size)
	require.NoError(t, migrateLedger(context.Background(), y.pool))
	return y
}

// controlURL makes a control role for the owner's database, and is its connection string.
func controlURL(t testing.TB, owner string) string {
	t.Helper()
	const password = "control-secret"
	conn, err := pgx.Connect(t.Context(), owner)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	control := pgtest.Name(t, "control")
	_, err = conn.Exec(t.Context(), `
		CREATE ROLE `+quote(control)+` LOGIN PASSWORD '`+password+`';
		GRANT CREATE, TEMPORARY ON DATABASE `+quote(conn.Config().Database)+` TO `+quote(control))
	require.NoError(t, err)
	u, err := url.Parse(owner)
	require.NoError(t, err)
	u.User = url.UserPassword(control, password)
	return u.String()
}

func (y *yard) poolOn(url string, size int32, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	y.t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(y.t, err)
	config.MaxConns = size
	for _, f := range change {
		f(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(y.t, err)
	y.t.Cleanup(pool.Close)
	return pool
}

// schemas makes that many, in the order in which they are returned.
func (y *yard) schemas(n int) []target {
	y.t.Helper()
	targets := make([]target, n)
	for i := range targets {
		id := tenant.NewID()
		targets[i] = target{id: id, schema: SchemaName(id)}
		y.exec(`CREATE SCHEMA ` + quote(targets[i].schema))
	}
	return targets
}

// exec runs SQL as the control role.
func (y *yard) exec(sql string, args ...any) {
	y.t.Helper()
	_, err := y.pool.Exec(context.Background(), sql, args...)
	require.NoError(y.t, err, sql)
}

// in runs SQL with the names of a target's schema.
func (y *yard) in(t target, sql string) {
	y.t.Helper()
	require.NoError(y.t, pgx.BeginFunc(context.Background(), y.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), `SET LOCAL search_path TO `+quote(t.schema)+`; `+sql)
		return err
	}), sql)
}

// value is the one value that a query in a target's schema has.
func value[T any](y *yard, t target, sql string) (v T) {
	y.t.Helper()
	require.NoError(y.t, pgx.BeginFunc(context.Background(), y.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(context.Background(), `SET LOCAL search_path TO `+quote(t.schema)); err != nil {
			return err
		}
		return tx.QueryRow(context.Background(), sql).Scan(&v)
	}), sql)
	return v
}

// apply brings one target up to date in a transaction of its own.
func (y *yard) apply(m *Migrations, t target, o applyOptions) ([]int64, error) {
	conn := &migrationConn{pool: y.pool}
	defer conn.release(context.Background())
	return conn.apply(context.Background(), m, tenantLedger(t.schema), o)
}

// migrated brings targets up to date, and fails the test if that fails.
func (y *yard) migrated(m *Migrations, targets ...target) {
	y.t.Helper()
	_, err := y.migrate(m, MigrateOptions{}, targets)
	require.NoError(y.t, err)
}

func (y *yard) migrate(m *Migrations, o MigrateOptions, targets []target) (MigrateReport, error) {
	return migrateAll(context.Background(), y.pool, m, o, each(targets))
}

// status is the status of the targets.
func (y *yard) status(m *Migrations, targets ...target) []MigrationStatus {
	y.t.Helper()
	status, err := migrationStatus(context.Background(), y.pool, m, each(targets))
	require.NoError(y.t, err)
	return status
}

// noneInUse checks that all connections are back in the pool or closed, which a pool does in
// the background.
func (y *yard) noneInUse() {
	y.t.Helper()
	require.Eventually(y.t, func() bool { return y.pool.Stat().AcquiredConns() == 0 }, 10*time.Second, time.Millisecond)
}

// versions are those in a target's ledger.
func (y *yard) versions(t target) []int64 {
	y.t.Helper()
	return value[[]int64](y, t, `SELECT coalesce(array_agg(version ORDER BY version), '{}') FROM tenantwall_migration`)
}

// relations are the tables of a target's schema.
func (y *yard) relations(t target) []string {
	y.t.Helper()
	return value[[]string](y, t, `SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}') FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`)
}

// each lists targets as a catalog does.
func each(targets []target) iter.Seq2[target, error] {
	return func(yield func(target, error) bool) {
		for t := range slices.Values(targets) {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// noteFiles are two migrations that make a table and change it.
var noteFiles = map[string]string{
	"0001_note.sql":  "CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);",
	"0002_title.sql": "ALTER TABLE note ADD COLUMN title text NOT NULL DEFAULT '';\nCREATE INDEX ON note (title);",
}
