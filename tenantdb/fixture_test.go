package tenantdb_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// gatewayPassword is the password of the gateways that tests make.
const gatewayPassword = "gateway-secret"

// world is a database with a gateway and tenants, made with bare SQL so that the tests of
// sessions depend on nothing but sessions. Each tenant has a table note(id, body), with one
// row, whose body is the tenant's schema.
type world struct {
	t       testing.TB
	owner   *pgx.Conn
	url     string // the owner's
	gateway string // the role
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, url: pgtest.Database(t), gateway: pgtest.Name(t, "gw")}
	var err error
	w.owner, err = pgx.Connect(t.Context(), w.url)
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

// gatewayURL is the gateway's connection string; through is a server or proxy that stands
// in its place.
func (w *world) gatewayURL(through ...func(string) string) string {
	u, err := url.Parse(w.url)
	require.NoError(w.t, err)
	u.User = url.UserPassword(w.gateway, gatewayPassword)
	s := u.String()
	for _, f := range through {
		s = f(s)
	}
	return s
}

// pool is a pool as the gateway.
func (w *world) pool(url string, size int32, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	w.t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(w.t, err)
	config.MaxConns = size
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // it is a round trip on a slow machine
	for _, f := range change {
		f(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(w.t, err)
	w.t.Cleanup(pool.Close)
	return pool
}

// open is a DB on a pool of that many connections.
func (w *world) open(size int32, opts ...tenantdb.Option) *tenantdb.DB {
	w.t.Helper()
	return openOn(w.t, w.pool(w.gatewayURL(), size), opts...)
}

func openOn(t testing.TB, pool *pgxpool.Pool, opts ...tenantdb.Option) *tenantdb.DB {
	t.Helper()
	db, err := tenantdb.Open(context.Background(), pool, opts...)
	require.NoError(t, err)
	return db
}

// as is a context for a tenant.
func as(t testing.TB, who tenant.Tenant) context.Context {
	return tenant.NewContext(t.Context(), who)
}

// body is what the only row of the context's tenant says.
func body(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) (string, error) {
	var s string
	err := db.QueryRow(ctx, `SELECT body FROM note WHERE id = $1`, 1).Scan(&s)
	return s, err
}

func (w *world) schema(t tenant.Tenant) string { return tenantdb.SchemaName(t.ID) }
