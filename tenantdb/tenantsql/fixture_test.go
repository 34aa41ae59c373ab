package tenantsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

const gatewayPassword = "gateway-secret"

// world is a database with a gateway and tenants, made with bare SQL. Each tenant has a
// table note(id, body) with one row, whose body is the tenant's schema.
type world struct {
	t       testing.TB
	url     string // the owner's
	owner   *pgx.Conn
	gateway string // the role
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, url: pgtest.Database(t), gateway: pgtest.Name(t, "gw")}
	var err error
	w.owner, err = pgx.Connect(context.Background(), w.url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.owner.Close(context.Background()) })
	database := pgx.Identifier{w.owner.Config().Database}.Sanitize()
	gateway := pgx.Identifier{w.gateway}.Sanitize()
	w.exec(`
		REVOKE ALL ON DATABASE ` + database + ` FROM PUBLIC;
		REVOKE ALL ON SCHEMA public FROM PUBLIC;
		REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
		CREATE ROLE ` + gateway + ` LOGIN NOINHERIT PASSWORD '` + gatewayPassword + `';
		ALTER ROLE ` + gateway + ` SET search_path = '';
		GRANT CONNECT ON DATABASE ` + database + ` TO ` + gateway + `;
		GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO ` + gateway)
	return w
}

func (w *world) exec(sql string) {
	w.t.Helper()
	_, err := w.owner.Exec(context.Background(), sql)
	require.NoError(w.t, err)
}

// tenant makes a tenant. Its role outlives the database, and is dropped with the server.
func (w *world) tenant() tenant.Tenant {
	w.t.Helper()
	id := tenant.NewID()
	schema := tenantdb.SchemaName(id)
	w.exec(`
		CREATE ROLE "` + schema + `" NOLOGIN;
		GRANT "` + schema + `" TO "` + w.gateway + `";
		CREATE SCHEMA "` + schema + `";
		GRANT USAGE ON SCHEMA "` + schema + `" TO "` + schema + `";
		CREATE TABLE "` + schema + `".note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);
		INSERT INTO "` + schema + `".note (body) VALUES ('` + schema + `');
		GRANT SELECT, INSERT, UPDATE, DELETE ON "` + schema + `".note TO "` + schema + `"`)
	return tenant.Tenant{ID: id, Slug: "some-tenant", Status: tenant.StatusActive, Version: 1}
}

// pool is a pool as the gateway; through is a proxy that stands in the server's place.
func (w *world) pool(size int32, through ...func(string) string) *pgxpool.Pool {
	w.t.Helper()
	u, err := url.Parse(w.url)
	require.NoError(w.t, err)
	u.User = url.UserPassword(w.gateway, gatewayPassword)
	s := u.String()
	for _, f := range through {
		s = f(s)
	}
	config, err := pgxpool.ParseConfig(s)
	require.NoError(w.t, err)
	config.MaxConns = size
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // it is a round trip on a slow machine
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(w.t, err)
	w.t.Cleanup(pool.Close)
	return pool
}

func openOn(t testing.TB, pool *pgxpool.Pool) *tenantdb.DB {
	t.Helper()
	db, err := tenantdb.Open(context.Background(), pool)
	require.NoError(t, err)
	return db
}

// closing closes a *sql.DB with the test.
func closing(t testing.TB, db *sql.DB) *sql.DB {
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// as is a context for a tenant.
func as(t testing.TB, who tenant.Tenant) context.Context {
	return tenant.NewContext(t.Context(), who)
}

func schema(who tenant.Tenant) string { return tenantdb.SchemaName(who.ID) }

// queryer is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// body is what the only row of the tenant says.
func body(ctx context.Context, db queryer) (s string, err error) {
	err = db.QueryRowContext(ctx, `SELECT body FROM note WHERE id = $1`, 1).Scan(&s)
	return s, err
}

func assertCode(t testing.TB, code string, err error) {
	t.Helper()
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr) {
		assert.Equal(t, code, pgErr.Code, pgErr.Message)
	}
}

// assertNoneHeld waits for all connections to be back in the pool, and uses each once.
func assertNoneHeld(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	require.Eventually(t, func() bool { return pool.Stat().AcquiredConns() == 0 }, 10*time.Second, time.Millisecond,
		"connections that did not come back")
	for _, lease := range pool.AcquireAllIdle(context.Background()) {
		_, err := lease.Exec(context.Background(), `SELECT 1`)
		assert.NoError(t, err)
		assert.Equal(t, byte('I'), lease.Conn().PgConn().TxStatus())
		lease.Release()
	}
}

// exampleTB lets an example make a world.
type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (*exampleTB) Helper()                             {}
func (*exampleTB) Name() string                        { return "Example" }
func (e *exampleTB) Cleanup(f func())                  { e.cleanups = append(e.cleanups, f) }
func (*exampleTB) Fatalf(format string, args ...any)   { panic(fmt.Sprintf(format, args...)) }
func (e *exampleTB) Errorf(format string, args ...any) { e.Fatalf(format, args...) }
func (e *exampleTB) FailNow()                          { e.Fatalf("failed") }

// exampleTenants are two tenants with a note each. done throws them away.
func exampleTenants() (db *tenantdb.DB, acme, beta tenant.Tenant, done func()) {
	e := &exampleTB{}
	w := newWorld(e)
	acme, beta = w.tenant(), w.tenant()
	w.exec(`UPDATE "` + schema(acme) + `".note SET body = 'Hello, Acme!'; UPDATE "` + schema(beta) + `".note SET body = 'Hello, Beta!'`)
	return openOn(e, w.pool(2)), acme, beta, func() {
		for _, f := range slices.Backward(e.cleanups) {
			f()
		}
	}
}
