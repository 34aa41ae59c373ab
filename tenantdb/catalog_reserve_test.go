package tenantdb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestRow44_AReservationIsMadeOnceAndCreateGoesOnFromIt(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	n := acme()
	reserved, made, err := catalog.Reserve(t.Context(), n)
	require.NoError(t, err)
	assert.True(t, made)
	assert.Equal(t, tenant.StatusProvisioning, reserved.Status)
	again, made, err := catalog.Reserve(t.Context(), n)
	require.NoError(t, err)
	assert.False(t, made, "it is found")
	assert.Equal(t, reserved, again)

	other := n
	other.ID = tenant.NewID()
	_, _, err = catalog.Reserve(t.Context(), other)
	require.ErrorIs(t, err, tenant.ErrSlugTaken)

	failing := n
	failing.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { return errors.New("no seed") }
	_, err = catalog.Create(t.Context(), failing)
	require.ErrorContains(t, err, "no seed")
	assert.Equal(t, remains{status: "provisioning", slugs: 1}, s.left(n.ID), "the reservation is the caller's to give back")

	created, err := catalog.Create(t.Context(), n)
	require.NoError(t, err)
	found, made, err := catalog.Reserve(t.Context(), n)
	require.NoError(t, err)
	assert.False(t, made)
	assert.Equal(t, created, found)
	released, err := catalog.Release(t.Context(), n.ID)
	require.NoError(t, err)
	assert.False(t, released, "a tenant is no reservation")
	assert.Equal(t, remains{"active", 1, 1, 1}, s.left(n.ID))
}

func TestRow44_AReservationIsGivenBack(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	n := acme()
	_, _, err := catalog.Reserve(t.Context(), n)
	require.NoError(t, err)
	released, err := catalog.Release(t.Context(), n.ID)
	require.NoError(t, err)
	assert.True(t, released)
	assert.Equal(t, nothing, s.left(n.ID))
	released, err = catalog.Release(t.Context(), n.ID)
	require.NoError(t, err)
	assert.False(t, released)
}

func TestReserveRefusesWhatCreateRefuses(t *testing.T) {
	t.Parallel()
	catalog := setUp(t).catalog()
	n := acme()
	n.Slug = "Not A Slug"
	_, _, err := catalog.Reserve(t.Context(), n)
	var invalid *tenant.Error
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, tenant.CodeValidationFailed, invalid.Code)
	n = acme()
	n.ID = tenant.ID{}
	_, _, err = catalog.Reserve(t.Context(), n)
	require.ErrorContains(t, err, "ID is zero")
}

func TestRow45_OneTenantIsPurgedWithAGracePeriodOfItsOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	active, gone := created(t, catalog, "active"), deleted(t, catalog, "gone")

	require.ErrorIs(t, catalog.PurgeTenant(t.Context(), active.ID, 0), tenantdb.ErrNotDeleted)
	require.ErrorIs(t, catalog.PurgeTenant(t.Context(), tenant.NewID(), 0), tenant.ErrNotFound)
	require.ErrorIs(t, catalog.PurgeTenant(t.Context(), gone.ID, time.Hour), tenantdb.ErrGracePeriod)
	require.ErrorContains(t, catalog.PurgeTenant(t.Context(), gone.ID, -1), "below 0")
	assert.Equal(t, remains{"deleted", 1, 1, 1}, s.left(gone.ID))

	require.NoError(t, catalog.PurgeTenant(t.Context(), gone.ID, 0))
	assert.Equal(t, remains{"deleted", 1, 0, 0}, s.left(gone.ID))
	assert.Equal(t, remains{"active", 1, 1, 1}, s.left(active.ID))
	require.NoError(t, catalog.PurgeTenant(t.Context(), gone.ID, 0), "it is gone already")
}

func TestRow45_APurgeOfOneTenantTellsWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.LockTimeout = 50 * time.Millisecond })
	gone := deleted(t, catalog, "gone")
	conn := s.connect(s.url)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE `+pgx.Identifier{tenantdb.SchemaName(gone.ID), "note"}.Sanitize())
	require.NoError(t, err)
	require.ErrorContains(t, catalog.PurgeTenant(t.Context(), gone.ID, 0), "lock timeout")
	_, err = tx.Exec(t.Context(), `SELECT FROM tenantwall.tenant WHERE id = $1 FOR UPDATE`, gone.ID)
	require.NoError(t, err)
	require.ErrorContains(t, catalog.PurgeTenant(t.Context(), gone.ID, 0), "another purge")
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, catalog.PurgeTenant(t.Context(), gone.ID, 0))
}

func TestWhatRemainsOfATenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it := created(t, catalog, "acme-corp")
	got, err := catalog.Remains(t.Context(), it.ID)
	require.NoError(t, err)
	name := tenantdb.SchemaName(it.ID)
	assert.Positive(t, got.Bytes)
	assert.Equal(t, tenantdb.Remains{
		Schema: name, Role: name, Bytes: got.Bytes, Count: len(got.Relations), Relations: got.Relations,
	}, got)
	var names []string
	for _, r := range got.Relations {
		names = append(names, r.Name)
	}
	assert.Contains(t, names, "note")

	nobody, err := catalog.Remains(t.Context(), tenant.NewID())
	require.NoError(t, err)
	assert.Equal(t, tenantdb.Remains{Relations: []tenantdb.Relation{}}, nobody)
}

func TestRow42_ManyTenantsAreMigratedInSeveralRuns(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	var ids []tenant.ID
	for _, slug := range []tenant.Slug{"aa", "bb", "cc"} {
		ids = append(ids, created(t, catalog, slug).ID)
	}
	deleted(t, catalog, "dd")
	n, err := catalog.Count(t.Context(), tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusActive}})
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	n, err = catalog.Count(t.Context(), tenantdb.ListOptions{After: ids[0]})
	require.NoError(t, err)
	assert.Equal(t, 3, n)

	var seen []tenant.ID
	for after := (tenant.ID{}); ; {
		report, err := catalog.Migrate(t.Context(), tenantdb.MigrateOptions{After: after, Limit: 2})
		require.NoError(t, err)
		if len(report.Tenants) == 0 {
			break
		}
		for _, one := range report.Tenants {
			seen = append(seen, one.Tenant)
			after = one.Tenant
		}
	}
	assert.Equal(t, ids, seen)
	_, err = catalog.Migrate(t.Context(), tenantdb.MigrateOptions{Limit: -1})
	require.ErrorContains(t, err, "Limit is -1")
}
