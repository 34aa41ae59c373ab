package tenantdb_test

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestCatalogIsAStore(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]pgx.QueryExecMode{
		"prepared statements": pgx.QueryExecModeCacheStatement,
		"cached descriptions": pgx.QueryExecModeCacheDescribe,
		"described each time": pgx.QueryExecModeDescribeExec,
		"types guessed":       pgx.QueryExecModeExec,
		"the simple protocol": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUp(t)
			config, err := pgxpool.ParseConfig(s.controlURL())
			require.NoError(t, err)
			config.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			z := new(zone)
			catalog := s.catalogOn(pool, func(c *tenantdb.CatalogConfig) { c.GracePeriod = time.Nanosecond }, z.serve)
			tenanttest.RunStore(t, tenanttest.Harness{
				Store: catalog,
				Create: func(ctx context.Context, it tenant.Tenant) error {
					_, err := catalog.Create(ctx, tenantdb.NewTenant{ID: it.ID, Slug: it.Slug, Name: it.Name, Plan: it.Plan})
					return err
				},
				Rename: func(ctx context.Context, id tenant.ID, slug tenant.Slug) error {
					return second(catalog.Rename(ctx, id, slug))
				},
				Suspend: func(ctx context.Context, id tenant.ID) error { return second(catalog.Suspend(ctx, id)) },
				Resume:  func(ctx context.Context, id tenant.ID) error { return second(catalog.Resume(ctx, id)) },
				Delete:  func(ctx context.Context, id tenant.ID) error { return second(catalog.Delete(ctx, id)) },
				Purge:   func(ctx context.Context, _ tenant.ID) error { return second(catalog.Purge(ctx, 1000)) },
				AddDomain: func(_ context.Context, id tenant.ID, domain string) error {
					z.verified(t, catalog, id, domain)
					return nil
				},
				Provision: func(_ context.Context, it tenant.Tenant) error {
					s.crashed(tenantdb.NewTenant{ID: it.ID, Slug: it.Slug, Name: it.Name, Plan: it.Plan})
					return nil
				},
			})
		})
	}
}

func TestLookupIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	proxy := wire.NewProxy(t, s.url)
	pool := s.pool(proxy.URL(s.controlURL()))
	z := new(zone)
	catalog := s.catalogOn(pool, z.serve)
	it := created(t, catalog, "acme-corp")
	z.verified(t, catalog, it.ID, "notes.acme.example")
	for _, ref := range []tenant.Ref{tenant.ByID(it.ID), tenant.BySlug(it.Slug), tenant.ByDomain("notes.acme.example")} {
		for range 2 { // the first time, it is prepared
			proxy.Reset()
			_, err := catalog.Lookup(t.Context(), ref)
			require.NoError(t, err)
		}
		assert.Equal(t, 1, proxy.Stats().RoundTrips, ref)
	}
	proxy.Reset()
	for _, ref := range []tenant.Ref{{}, tenant.BySlug("No Slug"), tenant.ByDomain("Acme.example"), tenant.ByDomain("localhost")} {
		_, err := catalog.Lookup(t.Context(), ref)
		require.ErrorIs(t, err, tenant.ErrNotFound)
	}
	assert.Zero(t, proxy.Stats().RoundTrips, "what can't be a tenant is not asked for")
}

// A store that can't tell must not say that there is no such tenant.
func TestLookupWithoutItsServerIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	proxy := wire.NewProxy(t, s.url)
	catalog := s.catalogOn(s.pool(proxy.URL(s.controlURL())))
	proxy.Cut()
	_, err := catalog.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.Error(t, err)
	require.NotErrorIs(t, err, tenant.ErrNotFound)
	require.NotErrorIs(t, err, tenant.ErrGone)
}

// What one process changes, another one that asks the catalog sees at once.
func TestRow22_AnotherProcessSeesEachChangeAtOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	here, there := s.catalog(), s.catalog()
	_, err := there.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.ErrorIs(t, err, tenant.ErrNotFound)
	it := created(t, here, "acme-corp")
	for _, change := range []func() (tenant.Tenant, error){
		func() (tenant.Tenant, error) { return it, nil },
		func() (tenant.Tenant, error) { return here.Rename(t.Context(), it.ID, "acme") },
		func() (tenant.Tenant, error) { return here.Suspend(t.Context(), it.ID) },
		func() (tenant.Tenant, error) { return here.Resume(t.Context(), it.ID) },
	} {
		want, err := change()
		require.NoError(t, err)
		got, err := there.Lookup(t.Context(), tenant.ByID(it.ID))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err = here.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	_, err = there.Lookup(t.Context(), tenant.BySlug("acme"))
	require.ErrorIs(t, err, tenant.ErrGone)
}

func TestCatalogIsOpenedAtOnceByMany(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	pool := s.pool(s.controlURL())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := tenantdb.OpenCatalog(t.Context(), pool, tenantdb.CatalogConfig{Gateways: []string{s.roles.Gateway}})
			assert.NoError(t, err)
		})
	}
	all.Wait()
}

func TestOpenCatalogRefuses(t *testing.T) {
	t.Parallel()
	s, bare := setUp(t), newSite(t)
	plain := pgtest.Name(t, "plain")
	s.exec(`CREATE ROLE ` + plain + ` LOGIN PASSWORD 'plain'`)
	for name, test := range map[string]struct {
		url  string
		cfg  tenantdb.CatalogConfig
		want []string
	}{
		"the gateway": {s.gatewayURL(), tenantdb.CatalogConfig{Gateways: []string{s.roles.Gateway}},
			[]string{"is a gateway", "may not make schemas", "may not make roles", "sign in as the former"}},
		"a login without rights": {s.as(plain, "plain"), tenantdb.CatalogConfig{Gateways: []string{s.roles.Gateway}},
			[]string{"GRANT CREATE ON DATABASE", "ALTER ROLE \"" + plain + "\" CREATEROLE"}},
		"a superuser":              {s.url, tenantdb.CatalogConfig{Gateways: []string{s.roles.Gateway}}, []string{"sign in as the former"}},
		"no Setup":                 {bare.url, tenantdb.CatalogConfig{Gateways: []string{s.roles.Gateway}}, []string{"there is no schema tenantwall: call Setup"}},
		"a gateway that is not":    {s.controlURL(), tenantdb.CatalogConfig{Gateways: []string{"nobody", "no one"}}, []string{"no role nobody, no one"}},
		"a superuser as a gateway": {s.controlURL(), tenantdb.CatalogConfig{Gateways: []string{"postgres"}}, []string{"a superuser can't be"}},
		"all of the configuration": {s.controlURL(), tenantdb.CatalogConfig{
			Gateways: []string{""}, WithoutRoles: true, GracePeriod: -1, ReservationPeriod: -1, LockTimeout: time.Nanosecond,
		}, []string{"GracePeriod is -1ns", "ReservationPeriod", "LockTimeout is 1ns, below 1ms", "WithoutRoles", "name of a role is empty"}},
		"migrations that are none": {s.controlURL(), tenantdb.CatalogConfig{Migrations: fstest.MapFS{}}, []string{"migrations"}},
	} {
		_, err := tenantdb.OpenCatalog(t.Context(), s.pool(test.url), test.cfg)
		require.Error(t, err, name)
		for _, want := range test.want {
			assert.Contains(t, err.Error(), want, name)
		}
	}
	_, err := tenantdb.OpenCatalog(t.Context(), nil, tenantdb.CatalogConfig{})
	require.ErrorContains(t, err, "pool is nil")
}

func TestCatalogWithoutRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	app := pgtest.Name(t, "app")
	s.exec(`CREATE ROLE ` + app + ` LOGIN PASSWORD 'app'; GRANT CREATE ON DATABASE ` + s.database() + ` TO ` + app)
	pool := s.pool(s.as(app, "app"))
	clock := newClock()
	cfg := tenantdb.CatalogConfig{Migrations: notes, WithoutRoles: true}
	clock.in(&cfg)
	catalog, err := tenantdb.OpenCatalog(t.Context(), pool, cfg)
	require.NoError(t, err)
	it := created(t, catalog, "acme-corp")
	assert.Equal(t, remains{"active", 1, 0, 1}, s.left(it.ID))

	s.exec(`ALTER ROLE ` + app + ` SET search_path = ''`)
	db := openOn(t, s.pool(s.as(app, "app")), tenantdb.WithoutRoles())
	_, err = db.Exec(as(t, it), `INSERT INTO note (body) VALUES ('hello')`)
	require.NoError(t, err)

	require.ErrorIs(t, catalog.GiveLogin(t.Context(), it.ID, "x"), tenantdb.ErrNoRoles)
	require.ErrorIs(t, catalog.TakeLogin(t.Context(), it.ID), tenantdb.ErrNoRoles)
	granted, revoked, err := catalog.SyncGateways(t.Context())
	require.NoError(t, err)
	assert.Zero(t, granted+revoked)
	_, err = catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	clock.now = clock.now.Add(2 * time.Hour)
	_, err = catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, remains{"deleted", 1, 0, 0}, s.left(it.ID))
}
