package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// acme is a new tenant with an id of its own.
func acme() tenantdb.NewTenant {
	return tenantdb.NewTenant{ID: tenant.NewID(), Slug: "acme-corp", Name: "Acme Corp", Plan: "pro"}
}

// kinds are what happened to a tenant.
func kinds(t testing.TB, catalog *tenantdb.Catalog, id tenant.ID) []tenantdb.EventKind {
	t.Helper()
	var kinds []tenantdb.EventKind
	for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: id}) {
		require.NoError(t, err)
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestReservationOfACrashedCreationExpires(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	crashed := s.crashed(acme())
	other := acme()

	now := time.Now()
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) {
		c.ReservationPeriod = time.Hour
		c.Now = func() time.Time { return now }
	})
	_, err := catalog.Create(t.Context(), other)
	require.ErrorIs(t, err, tenant.ErrSlugTaken)
	now = now.Add(2 * time.Hour)
	got, err := catalog.Create(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, other.ID, got.ID)
	_, err = catalog.Lookup(t.Context(), tenant.ByID(crashed.ID))
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = catalog.Create(t.Context(), crashed)
	require.ErrorIs(t, err, tenant.ErrSlugTaken)
}

// However long a creation takes, nobody takes its slug while it is at work.
func TestReservationAtWorkDoesNotExpire(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.ReservationPeriod = time.Nanosecond })
	third, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "third", Name: "Third"})
	require.NoError(t, err)
	n := acme()
	n.Seed = func(ctx context.Context, _ pgx.Tx, _ tenant.Tenant) error {
		other := acme()
		_, err := catalog.Create(ctx, other)
		assert.ErrorIs(t, err, tenant.ErrSlugTaken)
		_, err = catalog.Rename(ctx, third.ID, other.Slug)
		assert.ErrorIs(t, err, tenant.ErrSlugTaken)
		return nil
	}
	_, err = catalog.Create(t.Context(), n)
	require.NoError(t, err)
}

func TestCreateTwiceAtOnceWithOneIDMakesOneTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalogs := []*tenantdb.Catalog{s.catalog(), s.catalog()}
	for round := range 5 {
		n := acme()
		n.Slug = tenant.Slug(fmt.Sprintf("acme-%d", round))
		var seeds atomic.Int64
		n.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { seeds.Add(1); return nil }
		got := make([]tenant.Tenant, 8)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				var err error
				got[i], err = catalogs[i%2].Create(t.Context(), n)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		for _, other := range got {
			assert.Equal(t, got[0], other)
		}
		assert.Equal(t, int64(1), seeds.Load(), "seeds that were run")
		assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated}, kinds(t, catalogs[0], n.ID))
	}
}

func TestCreateTwiceAtOnceWithOneSlugMakesOneTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	var made, taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch _, err := catalog.Create(t.Context(), acme()); {
			case err == nil:
				made.Add(1)
			case assert.ErrorIs(t, err, tenant.ErrSlugTaken):
				taken.Add(1)
			}
		})
	}
	all.Wait()
	assert.Equal(t, int64(1), made.Load())
	assert.Equal(t, int64(7), taken.Load())
}

func TestManyTenantsAreCreatedAtOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 4 {
				_, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: tenant.Slug(fmt.Sprintf("tenant-%d-%d", i, j)), Name: "Many"})
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	n := 0
	for range catalog.List(t.Context(), tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusActive}}) {
		n++
	}
	assert.Equal(t, 64, n)
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.NoError(t, err)
	assert.Empty(t, findings)
}

// One of two creations with the same id fails: the other makes the tenant none the less.
func TestCreateBesideOneThatFails(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	for round := range 8 {
		n := acme()
		n.Slug = tenant.Slug(fmt.Sprintf("acme-%d", round))
		failing := n
		failing.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { return errors.New("no seed") }
		var all sync.WaitGroup
		all.Go(func() { _, _ = catalog.Create(t.Context(), failing) })
		all.Go(func() {
			got, err := catalog.Create(t.Context(), n)
			if assert.NoError(t, err) {
				assert.Equal(t, tenant.StatusActive, got.Status)
			}
		})
		all.Wait()
		found, err := catalog.Lookup(t.Context(), tenant.BySlug(n.Slug))
		require.NoError(t, err)
		assert.Equal(t, n.ID, found.ID)
	}
}

func TestSeedIsCommittedWithTheTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	n := acme()
	n.Seed = func(ctx context.Context, tx pgx.Tx, made tenant.Tenant) error {
		assert.Equal(t, n.ID, made.ID)
		assert.NoError(t, made.Usable())
		_, err := tx.Exec(ctx, `INSERT INTO `+pgx.Identifier{tenantdb.SchemaName(made.ID), "note"}.Sanitize()+` (body) VALUES ('first')`)
		return err
	}
	got, err := catalog.Create(t.Context(), n)
	require.NoError(t, err)
	db := openOn(t, s.pool(s.gatewayURL()))
	var first string
	require.NoError(t, db.QueryRow(as(t, got), `SELECT body FROM note`).Scan(&first))
	assert.Equal(t, "first", first)
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.ReservedSlugs = []string{"house"} })
	for name, test := range map[string]struct {
		n      tenantdb.NewTenant
		fields []string
	}{
		"nothing at all":            {tenantdb.NewTenant{}, []string{"slug", "name"}},
		"a slug in upper case":      {tenantdb.NewTenant{Slug: "Acme", Name: "Acme"}, []string{"slug"}},
		"a reserved slug":           {tenantdb.NewTenant{Slug: "www", Name: "Acme"}, []string{"slug"}},
		"a slug the product keeps":  {tenantdb.NewTenant{Slug: "house", Name: "Acme"}, []string{"slug"}},
		"a name too long":           {tenantdb.NewTenant{Slug: "acme", Name: strings.Repeat("ä", 101)}, []string{"name"}},
		"a name with a zero":        {tenantdb.NewTenant{Slug: "acme", Name: "a\x00"}, []string{"name"}},
		"a name with a line break":  {tenantdb.NewTenant{Slug: "acme", Name: "a\nb"}, []string{"name"}},
		"a name that is no UTF-8":   {tenantdb.NewTenant{Slug: "acme", Name: "\xff"}, []string{"name"}},
		"a plan too long":           {tenantdb.NewTenant{Slug: "acme", Name: "Acme", Plan: strings.Repeat("p", 65)}, []string{"plan"}},
		"a plan with a zero":        {tenantdb.NewTenant{Slug: "acme", Name: "Acme", Plan: "\x00"}, []string{"plan"}},
		"everything wrong together": {tenantdb.NewTenant{Slug: "a--b", Name: "\x7f", Plan: "\xff"}, []string{"slug", "name", "plan"}},
	} {
		_, err := catalog.Create(t.Context(), test.n)
		var e *tenant.Error
		if !assert.ErrorAs(t, err, &e, name) {
			continue
		}
		assert.Equal(t, tenant.CodeValidationFailed, e.Code, name)
		var fields []string
		for _, f := range e.Fields {
			fields = append(fields, f.Field)
			assert.NotEmpty(t, f.Message, name)
		}
		assert.Equal(t, test.fields, fields, name)
	}
	_, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "www", Name: "Acme"})
	require.ErrorIs(t, err, tenant.ErrReservedSlug)
	for tenant := range catalog.List(t.Context(), tenantdb.ListOptions{}) {
		t.Errorf("a refused Create left %v", tenant)
	}
}

func TestCreateAgainWithAnIDThatExists(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	n := acme()
	_, err := catalog.Create(t.Context(), n)
	require.NoError(t, err)

	other := n
	other.Slug = "other"
	_, err = catalog.Create(t.Context(), other)
	require.ErrorIs(t, err, tenantdb.ErrIDTaken)

	renamed, err := catalog.Rename(t.Context(), n.ID, "other")
	require.NoError(t, err)
	for _, again := range []tenantdb.NewTenant{n, other} { // the slug that it had, and the one that it has
		got, err := catalog.Create(t.Context(), again)
		require.NoError(t, err)
		assert.Equal(t, renamed, got)
	}

	suspended, err := catalog.Suspend(t.Context(), n.ID)
	require.NoError(t, err)
	got, err := catalog.Create(t.Context(), n)
	require.NoError(t, err)
	assert.Equal(t, suspended, got)

	_, err = catalog.Delete(t.Context(), n.ID)
	require.NoError(t, err)
	_, err = catalog.Create(t.Context(), n)
	require.ErrorIs(t, err, tenant.ErrGone)
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) {
		c.Migrations = fstest.MapFS{
			"0001_good.sql": {Data: []byte(`CREATE TABLE good ()`)},
			"0002_bad.sql":  {Data: []byte(`CREATE TABLE bad (id nonsense)`)},
		}
	})
	n := acme()
	_, err := catalog.Create(t.Context(), n)
	require.ErrorContains(t, err, "nonsense")
	assert.Equal(t, nothing, s.left(n.ID))
}

// Physical names come from the id: slugs that look alike, or were another tenant's, share
// nothing.
func TestRow12_TenantsOfLikeSlugsHaveSchemasOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	db := openOn(t, s.pool(s.gatewayURL()))
	long := strings.Repeat("a", 47)
	for _, slug := range []string{"acme-corp", "acmecorp", "acme-corp-2", long + "b", long + "c"} {
		got, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: tenant.Slug(slug), Name: slug})
		require.NoError(t, err)
		_, err = db.Exec(as(t, got), `INSERT INTO note (body) VALUES ($1)`, slug)
		require.NoError(t, err)
	}
	for got, err := range catalog.List(t.Context(), tenantdb.ListOptions{}) {
		require.NoError(t, err)
		rows, err := db.Query(as(t, got), `SELECT body FROM note`)
		require.NoError(t, err)
		bodies, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.Equal(t, []string{string(got.Slug)}, bodies)
		assert.Less(t, len(tenantdb.SchemaName(got.ID)), 63)
	}
}

// BenchmarkCreate creates tenants one after the other on a server that forces its log to
// disk, as those of a service do.
func BenchmarkCreate(b *testing.B) {
	server, err := localserver.StartPostgres(b.Context(), localserver.PostgresConfig{})
	require.NoError(b, err)
	b.Cleanup(func() { assert.NoError(b, server.Close()) })
	s := &site{t: b, url: server.SuperuserURL("postgres"), roles: tenantdb.Roles{
		Gateway: tenantdb.DefaultGateway, GatewayPassword: "gateway", Control: tenantdb.DefaultControl, ControlPassword: "control",
	}}
	require.NoError(b, tenantdb.Setup(b.Context(), s.connect(s.url), s.roles))
	catalog := s.catalog()
	for i := 0; b.Loop(); i++ {
		if _, err := catalog.Create(b.Context(), tenantdb.NewTenant{Slug: tenant.Slug(fmt.Sprintf("tenant-%d", i)), Name: "Bench"}); err != nil {
			b.Fatal(err)
		}
	}
}
