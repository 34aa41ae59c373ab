package tenantdb_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// created makes a tenant of a slug.
func created(t testing.TB, catalog *tenantdb.Catalog, slug tenant.Slug) tenant.Tenant {
	t.Helper()
	made, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "The " + string(slug), Plan: "free"})
	require.NoError(t, err)
	return made
}

func TestEachChangeRaisesTheVersionAndTells(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.Now = func() time.Time { return now } })
	made := created(t, catalog, "acme-corp")
	id := made.ID
	assert.Equal(t, int64(2), made.Version)
	assert.Equal(t, now, made.CreatedAt)

	type values = map[string]string
	want := []tenantdb.Event{
		{Kind: tenantdb.EventReserved, Before: values{}, After: values{"slug": "acme-corp", "plan": "free", "status": "provisioning"}},
		{Kind: tenantdb.EventCreated, Before: values{"status": "provisioning"}, After: values{"status": "active"}},
	}
	for _, step := range []struct {
		change func() (tenant.Tenant, error)
		want   func(*tenant.Tenant)
		event  tenantdb.Event
	}{
		{
			func() (tenant.Tenant, error) { return catalog.Rename(t.Context(), id, "acme") },
			func(t *tenant.Tenant) { t.Slug = "acme" },
			tenantdb.Event{Kind: tenantdb.EventRenamed, Before: values{"slug": "acme-corp"}, After: values{"slug": "acme"}},
		}, {
			func() (tenant.Tenant, error) { return catalog.SetName(t.Context(), id, "Ümläute & Söhne") },
			func(t *tenant.Tenant) { t.Name = "Ümläute & Söhne" },
			tenantdb.Event{Kind: tenantdb.EventNameChanged},
		}, {
			func() (tenant.Tenant, error) { return catalog.SetPlan(t.Context(), id, "pro") },
			func(t *tenant.Tenant) { t.Plan = "pro" },
			tenantdb.Event{Kind: tenantdb.EventPlanChanged, Before: values{"plan": "free"}, After: values{"plan": "pro"}},
		}, {
			func() (tenant.Tenant, error) { return catalog.Suspend(t.Context(), id) },
			func(t *tenant.Tenant) { t.Status = tenant.StatusSuspended },
			tenantdb.Event{Kind: tenantdb.EventSuspended, Before: values{"status": "active"}, After: values{"status": "suspended"}},
		}, {
			func() (tenant.Tenant, error) { return catalog.SetPlan(t.Context(), id, "") },
			func(t *tenant.Tenant) { t.Plan = "" },
			tenantdb.Event{Kind: tenantdb.EventPlanChanged, Before: values{"plan": "pro"}},
		}, {
			func() (tenant.Tenant, error) { return catalog.Resume(t.Context(), id) },
			func(t *tenant.Tenant) { t.Status = tenant.StatusActive },
			tenantdb.Event{Kind: tenantdb.EventResumed, Before: values{"status": "suspended"}, After: values{"status": "active"}},
		}, {
			func() (tenant.Tenant, error) { return catalog.Delete(t.Context(), id) },
			func(t *tenant.Tenant) { t.Status = tenant.StatusDeleted },
			tenantdb.Event{Kind: tenantdb.EventDeleted, Before: values{"status": "active"}, After: values{"status": "deleted"}},
		},
	} {
		expected := made
		expected.Version++
		step.want(&expected)
		now = now.Add(time.Minute)
		for range 2 { // the second time, nothing is left to change
			got, err := step.change()
			require.NoError(t, err)
			require.Equal(t, expected, got)
		}
		made = expected
		want = append(want, step.event)
	}

	var got []tenantdb.Event
	var last int64
	for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{}) {
		require.NoError(t, err)
		assert.Equal(t, id, e.Tenant)
		assert.Equal(t, int64(max(len(got), 0)+1), e.Version)
		assert.Greater(t, e.ID, last)
		assert.False(t, e.At.IsZero())
		last = e.ID
		got = append(got, e)
	}
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, want[i].Kind, got[i].Kind)
		assert.Equal(t, fmt.Sprint(want[i].Before, want[i].After), fmt.Sprint(got[i].Before, got[i].After), want[i].Kind)
	}
}

func TestChangesRefuse(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	ctx := t.Context()
	active, gone := created(t, catalog, "active"), created(t, catalog, "gone")
	_, err := catalog.Delete(ctx, gone.ID)
	require.NoError(t, err)
	reserved := s.crashed(acme())

	changes := map[string]func(tenant.ID) error{
		"Rename":    func(id tenant.ID) error { _, err := catalog.Rename(ctx, id, "free-slug"); return err },
		"SetName":   func(id tenant.ID) error { _, err := catalog.SetName(ctx, id, "Name"); return err },
		"SetPlan":   func(id tenant.ID) error { _, err := catalog.SetPlan(ctx, id, "plan"); return err },
		"Suspend":   func(id tenant.ID) error { _, err := catalog.Suspend(ctx, id); return err },
		"Resume":    func(id tenant.ID) error { _, err := catalog.Resume(ctx, id); return err },
		"Delete":    func(id tenant.ID) error { _, err := catalog.Delete(ctx, id); return err },
		"GiveLogin": func(id tenant.ID) error { return catalog.GiveLogin(ctx, id, "secret") },
		"TakeLogin": func(id tenant.ID) error { return catalog.TakeLogin(ctx, id) },
	}
	for name, change := range changes {
		require.ErrorIs(t, change(tenant.NewID()), tenant.ErrNotFound, name)
		require.ErrorIs(t, change(tenant.ID{}), tenant.ErrNotFound, name)
		require.ErrorIs(t, change(reserved.ID), tenant.ErrUnavailable, name)
		if name != "Delete" {
			require.ErrorIs(t, change(gone.ID), tenant.ErrGone, name)
		}
	}

	for name, err := range map[string]error{
		"slug": second(catalog.Rename(ctx, active.ID, "No-Slug")),
		"name": second(catalog.SetName(ctx, active.ID, "")),
		"plan": second(catalog.SetPlan(ctx, active.ID, strings.Repeat("p", tenantdb.MaxPlanLen+1))),
	} {
		var e *tenant.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, tenant.CodeValidationFailed, e.Code)
		require.Len(t, e.Fields, 1)
		assert.Equal(t, name, e.Fields[0].Field)
	}
	found, err := catalog.Lookup(ctx, tenant.ByID(active.ID))
	require.NoError(t, err)
	assert.Equal(t, active, found)
}

func second[T any](_ T, err error) error { return err }

// A slug that was given up, by a rename or with its tenant, never leads to another tenant.
func TestRow21_SlugOnceGivenUpIsItsTenantsForGood(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.GracePeriod = time.Nanosecond })
	ctx := t.Context()
	renamed, deleted, purged, other := created(t, catalog, "first"), created(t, catalog, "deleted"), created(t, catalog, "purged"), created(t, catalog, "other")

	_, err := catalog.Delete(ctx, purged.ID)
	require.NoError(t, err)
	ids, err := catalog.Purge(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []tenant.ID{purged.ID}, ids)
	_, err = catalog.Rename(ctx, renamed.ID, "second")
	require.NoError(t, err)
	_, err = catalog.Delete(ctx, deleted.ID)
	require.NoError(t, err)

	for _, slug := range []tenant.Slug{"first", "deleted", "purged"} {
		_, err := catalog.Lookup(ctx, tenant.BySlug(slug))
		require.ErrorIs(t, err, tenant.ErrGone, slug)
		_, err = catalog.Create(ctx, tenantdb.NewTenant{Slug: slug, Name: "Taker"})
		require.ErrorIs(t, err, tenant.ErrSlugTaken, slug)
		_, err = catalog.Rename(ctx, other.ID, slug)
		require.ErrorIs(t, err, tenant.ErrSlugTaken, slug)
	}

	back, err := catalog.Rename(ctx, renamed.ID, "first")
	require.NoError(t, err)
	found, err := catalog.Lookup(ctx, tenant.BySlug("first"))
	require.NoError(t, err)
	assert.Equal(t, back, found)
	_, err = catalog.Lookup(ctx, tenant.BySlug("second"))
	require.ErrorIs(t, err, tenant.ErrGone)
}

func TestRow21_RenamesToOneSlugAtOnceLeaveItToOneTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	var tenants []tenant.Tenant
	for i := range 6 {
		tenants = append(tenants, created(t, catalog, tenant.Slug(fmt.Sprintf("tenant-%d", i))))
	}
	for round := range 5 {
		slug := tenant.Slug(fmt.Sprintf("wanted-%d", round))
		var won atomic.Int64
		var all sync.WaitGroup
		for _, it := range tenants {
			all.Go(func() {
				if _, err := catalog.Rename(t.Context(), it.ID, slug); err == nil {
					won.Add(1)
				} else {
					assert.ErrorIs(t, err, tenant.ErrSlugTaken)
				}
			})
		}
		all.Go(func() { // and somebody creates one of that slug
			if _, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "New"}); err == nil {
				won.Add(1)
			} else {
				assert.ErrorIs(t, err, tenant.ErrSlugTaken)
			}
		})
		all.Wait()
		assert.Equal(t, int64(1), won.Load())
	}
}

// Two tenants that exchange their slugs at once would each need what the other still has.
func TestSlugsAreNotExchanged(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	a, b := created(t, catalog, "aa"), created(t, catalog, "bb")
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { assert.ErrorIs(t, second(catalog.Rename(t.Context(), a.ID, "bb")), tenant.ErrSlugTaken) })
		all.Go(func() { assert.ErrorIs(t, second(catalog.Rename(t.Context(), b.ID, "aa")), tenant.ErrSlugTaken) })
	}
	all.Wait()
}

func TestChangesOfOneTenantTakeTurns(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it := created(t, catalog, "acme-corp")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 5 {
				_, err := catalog.SetPlan(t.Context(), it.ID, fmt.Sprintf("plan-%d-%d", i, j))
				assert.NoError(t, err)
				_, err = catalog.Rename(t.Context(), it.ID, tenant.Slug(fmt.Sprintf("slug-%d-%d", i, j)))
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	found, err := catalog.Lookup(t.Context(), tenant.ByID(it.ID))
	require.NoError(t, err)
	assert.Equal(t, it.Version+80, found.Version)

	// Events are in the order of their versions, each change once.
	version := int64(0)
	for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: it.ID}) {
		require.NoError(t, err)
		version++
		assert.Equal(t, version, e.Version)
	}
	assert.Equal(t, found.Version, version)
}

// A change that has to wait for a lock does not wait for ever.
func TestChangeOfALockedTenantEnds(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.LockTimeout = 50 * time.Millisecond })
	it := created(t, catalog, "acme-corp")
	tx, err := s.connect(s.url).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM tenantwall.tenant WHERE id = $1 FOR UPDATE`, it.ID)
	require.NoError(t, err)
	_, err = catalog.Suspend(t.Context(), it.ID)
	require.ErrorContains(t, err, "lock timeout")
	require.NoError(t, tx.Rollback(context.Background()))
	_, err = catalog.Suspend(t.Context(), it.ID)
	require.NoError(t, err)
}
