package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// gateway adds another gateway to the site, with the first one's password.
func (s *site) gateway() string {
	s.t.Helper()
	roles := s.roles
	roles.Gateway = pgtest.Name(s.t, "another")
	require.NoError(s.t, tenantdb.Setup(s.t.Context(), s.connect(s.url), roles))
	return roles.Gateway
}

// reaches tells whether a login can become a tenant, as SQL that is injected would try.
func (s *site) reaches(login, password string, it tenant.Tenant) bool {
	s.t.Helper()
	conn := s.connect(s.as(login, password))
	_, err := conn.Exec(s.t.Context(), `SET ROLE `+tenantdb.SchemaName(it.ID))
	if err != nil {
		require.ErrorContains(s.t, err, "permission denied to set role")
		return false
	}
	return true
}

func TestGatewayAddedLaterIsGrantedAllTenants(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	active, suspended, gone := created(t, catalog, "active"), created(t, catalog, "suspended"), deleted(t, catalog, "gone")
	_, err := catalog.Suspend(t.Context(), suspended.ID)
	require.NoError(t, err)
	s.crashed(acme()) // which has no role

	second := s.gateway()
	require.False(t, s.reaches(second, s.roles.GatewayPassword, active))
	both := func(c *tenantdb.CatalogConfig) { c.Gateways = []string{s.roles.Gateway, second} }
	catalog = s.catalog(both)
	granted, revoked, err := catalog.SyncGateways(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int{3, 0}, []int{granted, revoked})
	for _, it := range []tenant.Tenant{active, suspended, gone} {
		assert.True(t, s.reaches(second, s.roles.GatewayPassword, it), it.Slug)
	}
	granted, revoked, err = catalog.SyncGateways(t.Context())
	require.NoError(t, err)
	assert.Zero(t, granted+revoked)

	later := created(t, catalog, "later")
	db := openOn(t, s.pool(s.as(second, s.roles.GatewayPassword)))
	_, err = body(as(t, later), db)
	require.ErrorIs(t, err, pgx.ErrNoRows)
}

func TestGatewaysShareTheTenants(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	second := s.gateway()
	gateways := []string{s.roles.Gateway, second}
	everywhere := s.catalog(func(c *tenantdb.CatalogConfig) { c.Gateways = gateways })
	before := created(t, everywhere, "before")

	shard := func(id tenant.ID) []string { return gateways[id[15]%2:][:1] }
	sharded := s.catalog(func(c *tenantdb.CatalogConfig) { c.Gateways, c.GatewaysOf = gateways, shard })
	after := created(t, sharded, "after")
	granted, revoked, err := sharded.SyncGateways(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1}, []int{granted, revoked})
	for _, it := range []tenant.Tenant{before, after} {
		for _, login := range gateways {
			assert.Equal(t, login == shard(it.ID)[0], s.reaches(login, s.roles.GatewayPassword, it), "%s %s", login, it.Slug)
		}
	}
}

func TestGatewaysOfIsHeldToGateways(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	for want, chosen := range map[string][]string{"not among Gateways": {"stranger"}, "chose no gateway": nil} {
		catalog := s.catalog(func(c *tenantdb.CatalogConfig) {
			c.GatewaysOf = func(tenant.ID) []string { return chosen }
		})
		n := acme()
		_, err := catalog.Create(t.Context(), n)
		require.ErrorContains(t, err, want)
		assert.Equal(t, nothing, s.left(n.ID))
	}
}

func TestManyTenantsAreGrantedInPages(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	s.exec(fmt.Sprintf(`
		BEGIN;
		INSERT INTO tenantwall.tenant (id, slug, name, status, plan, version, created_at, updated_at)
		SELECT gen_random_uuid(), 'tenant-' || n, 'Tenant', 'active', '', 2, now(), now() FROM generate_series(1, 450) n;
		INSERT INTO tenantwall.slug SELECT slug, id, now() FROM tenantwall.tenant;
		COMMIT;
		SET ROLE %s;
		DO $$ DECLARE id uuid; BEGIN FOR id IN SELECT t.id FROM tenantwall.tenant t LOOP
			EXECUTE format('CREATE ROLE %%I', 't_' || replace(id::text, '-', ''));
		END LOOP; END $$`, s.roles.Control))
	granted, _, err := catalog.SyncGateways(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 450, granted)
}

// The login of its own: nobody else's session can become the tenant, and it nobody else.
func TestTenantWithALoginOfItsOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	second := s.gateway()
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.Gateways = []string{s.roles.Gateway, second} })
	guarded, other := created(t, catalog, "guarded"), created(t, catalog, "other")
	login := tenantdb.LoginName(guarded.ID)

	require.NoError(t, catalog.GiveLogin(t.Context(), guarded.ID, "its secret"))
	for _, shared := range []string{s.roles.Gateway, second} {
		assert.False(t, s.reaches(shared, s.roles.GatewayPassword, guarded))
		assert.True(t, s.reaches(shared, s.roles.GatewayPassword, other))
	}
	assert.True(t, s.reaches(login, "its secret", guarded))
	assert.False(t, s.reaches(login, "its secret", other))
	assert.Equal(t, tenantdb.EventLoginGiven, kinds(t, catalog, guarded.ID)[2])
	_, _, err := catalog.SyncGateways(t.Context())
	require.NoError(t, err)
	assert.False(t, s.reaches(second, s.roles.GatewayPassword, guarded), "a later grant to all leaves it out")

	own := s.pool(s.as(login, "its secret"))
	findings, err := tenantdb.Audit(t.Context(), own)
	require.NoError(t, err)
	assert.Empty(t, findings)
	db := openOn(t, s.pool(s.gatewayURL()), tenantdb.WithPools(func(it tenant.Tenant) *pgxpool.Pool {
		if it.ID == guarded.ID {
			return own
		}
		return nil
	}))
	for _, it := range []tenant.Tenant{guarded, other} {
		_, err := body(as(t, it), db)
		require.ErrorIs(t, err, pgx.ErrNoRows, it.Slug)
	}

	require.NoError(t, catalog.GiveLogin(t.Context(), guarded.ID, "another secret"))
	s.connect(s.as(login, "another secret"))
	_, err = pgx.Connect(t.Context(), s.as(login, "its secret"))
	require.ErrorContains(t, err, "password authentication failed")

	require.NoError(t, catalog.TakeLogin(t.Context(), guarded.ID))
	for _, shared := range []string{s.roles.Gateway, second} {
		assert.True(t, s.reaches(shared, s.roles.GatewayPassword, guarded))
	}
	_, err = pgx.Connect(t.Context(), s.as(login, "another secret"))
	require.Error(t, err)
	require.NoError(t, catalog.TakeLogin(t.Context(), guarded.ID), "taken already")
	assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated, tenantdb.EventLoginGiven, tenantdb.EventLoginTaken}, kinds(t, catalog, guarded.ID))
	found, err := catalog.Lookup(t.Context(), tenant.ByID(guarded.ID))
	require.NoError(t, err)
	assert.Equal(t, guarded.Version+2, found.Version)
}

func TestLoginOfItsOwnGoesWithTheTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	catalog := s.catalog(clock.in)
	it := created(t, catalog, "guarded")
	require.NoError(t, catalog.GiveLogin(t.Context(), it.ID, "its secret"))
	_, err := catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Len(t, purged, 1)
	assert.Equal(t, remains{"deleted", 1, 0, 0}, s.left(it.ID))
	_, err = pgx.Connect(t.Context(), s.as(tenantdb.LoginName(it.ID), "its secret"))
	require.Error(t, err)
}

func TestGiveLoginRefuses(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it, other := created(t, catalog, "acme-corp"), created(t, catalog, "other")
	require.ErrorIs(t, catalog.GiveLogin(t.Context(), it.ID, ""), tenantdb.ErrNoPassword)
	require.ErrorContains(t, catalog.GiveLogin(t.Context(), it.ID, "gehei\u00dfnis"), "printable ASCII")

	s.exec(`CREATE ROLE ` + tenantdb.LoginName(it.ID))
	require.ErrorContains(t, catalog.GiveLogin(t.Context(), it.ID, "secret"), "was not made by this catalog")
	assert.True(t, s.reaches(s.roles.Gateway, s.roles.GatewayPassword, it), "all is as it was")

	// What is not control's to revoke is told, with the statement that does it.
	stranger := pgtest.Name(t, "stranger")
	s.exec(fmt.Sprintf(`CREATE ROLE %s; GRANT %s TO %[1]s`, stranger, tenantdb.SchemaName(other.ID)))
	err := catalog.GiveLogin(t.Context(), other.ID, "secret")
	if err != nil { // from PostgreSQL 16 on
		require.ErrorContains(t, err, "REVOKE")
		return
	}
	var member bool
	require.NoError(t, s.connect(s.url).QueryRow(t.Context(), `SELECT pg_has_role($1, $2, 'MEMBER')`, stranger, tenantdb.SchemaName(other.ID)).Scan(&member))
	assert.False(t, member)
}

func TestLoginsAreGivenAtOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	errs := make(chan error)
	const many = 8
	for i := range many {
		it := created(t, catalog, tenant.Slug(fmt.Sprintf("tenant-%d", i)))
		go func() { errs <- catalog.GiveLogin(context.WithoutCancel(t.Context()), it.ID, "secret") }()
	}
	var all []error
	for range many {
		all = append(all, <-errs)
	}
	require.NoError(t, errors.Join(all...))
}
