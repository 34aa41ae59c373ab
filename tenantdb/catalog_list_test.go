package tenantdb_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func list(t testing.TB, catalog *tenantdb.Catalog, o tenantdb.ListOptions) []tenant.Tenant {
	t.Helper()
	var all []tenant.Tenant
	for it, err := range catalog.List(t.Context(), o) {
		require.NoError(t, err)
		all = append(all, it)
	}
	return all
}

func TestListIsWholeAndInOrder(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	const many = 1203 // three pages
	s.exec(`
		BEGIN;
		INSERT INTO tenantwall.tenant (id, slug, name, status, plan, version, created_at, updated_at)
		SELECT gen_random_uuid(), 'tenant-' || n, 'Tenant', CASE n % 3 WHEN 0 THEN 'suspended' ELSE 'active' END, '', 2, now(), now()
		  FROM generate_series(1, ` + fmt.Sprint(many) + `) n;
		INSERT INTO tenantwall.slug SELECT slug, id, now() FROM tenantwall.tenant;
		COMMIT`)
	all := list(t, catalog, tenantdb.ListOptions{})
	require.Len(t, all, many)
	byID := func(a, b tenant.Tenant) int { return slices.Compare(a.ID[:], b.ID[:]) }
	assert.True(t, slices.IsSortedFunc(all, byID))
	assert.Len(t, list(t, catalog, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusSuspended}}), many/3)
	assert.Len(t, list(t, catalog, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusSuspended, tenant.StatusActive}}), many)
	assert.Empty(t, list(t, catalog, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusDeleted}}))
	assert.Equal(t, all[800:], list(t, catalog, tenantdb.ListOptions{After: all[799].ID}))

	for it, err := range catalog.List(t.Context(), tenantdb.ListOptions{}) { // one that ends early holds nothing
		require.NoError(t, err)
		assert.Equal(t, all[0], it)
		break
	}
}

func TestListAndEventsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range catalog.List(ctx, tenantdb.ListOptions{}) {
		require.ErrorIs(t, err, context.Canceled)
		n++
	}
	for _, err := range catalog.Events(ctx, tenantdb.EventOptions{}) {
		require.ErrorIs(t, err, context.Canceled)
		n++
	}
	assert.Equal(t, 2, n)
	_, err := catalog.Lookup(ctx, tenant.BySlug("acme-corp"))
	require.ErrorIs(t, err, context.Canceled)
}

// Whoever asks for what comes after the last event that it has seen misses none, however
// long a transaction is under way that has begun earlier.
func TestRow22_EventsAreNeverMissed(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	made := created(t, catalog, "first")

	done := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 6 {
		writers.Go(func() {
			for j := range 10 {
				n := tenantdb.NewTenant{Slug: tenant.Slug(fmt.Sprintf("tenant-%d-%d", i, j)), Name: "Many"}
				n.Seed = func(ctx context.Context, tx pgx.Tx, _ tenant.Tenant) error {
					_, err := tx.Exec(ctx, `SELECT pg_sleep(random() / 50)`)
					return err
				}
				_, err := catalog.Create(t.Context(), n)
				assert.NoError(t, err)
				_, err = catalog.SetPlan(t.Context(), made.ID, string(n.Slug))
				assert.NoError(t, err)
			}
		})
	}
	go func() { writers.Wait(); close(done) }()

	var seen []int64
	var last int64
	for running := true; running; {
		select {
		case <-done:
			running = false // and once more
		default:
		}
		for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{After: last}) {
			require.NoError(t, err)
			seen = append(seen, e.ID)
			last = e.ID
		}
	}
	var all []int64
	for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{}) {
		require.NoError(t, err)
		all = append(all, e.ID)
	}
	assert.Len(t, all, 2+6*10*3)
	assert.Equal(t, all, seen)
}

// What is told of one tenant has nothing of another.
func TestRow19_EventsOfATenantAreItsOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	a, b := created(t, catalog, "aa"), created(t, catalog, "bb")
	_, err := catalog.Rename(t.Context(), b.ID, "cc")
	require.NoError(t, err)
	assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated}, kinds(t, catalog, a.ID))
	assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated, tenantdb.EventRenamed}, kinds(t, catalog, b.ID))
	assert.Empty(t, kinds(t, catalog, tenant.NewID()))
}
