package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestThousandCallersOfOneColdTenantCauseOneLookup(t *testing.T) {
	t.Parallel()
	for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.BySlug("nobody"), tenant.ByDomain("notes.acme.example")} {
		clock := testclock.At(time.Now()) // nothing gets too old, however long it takes
		c := newCached(t, resolve.CacheConfig{Now: clock.Now})
		const callers = 1000
		var waiting atomic.Int64
		c.store.afterRead(func(tenant.Ref) {
			for waiting.Load() < callers {
				time.Sleep(time.Millisecond)
			}
		})
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				waiting.Add(1)
				got, err := c.Lookup(t.Context(), ref)
				if err == nil && got != c.acme || err != nil && !errors.Is(err, tenant.ErrNotFound) {
					t.Errorf("Lookup(%v) returned %v and %v", ref, got, err)
				}
			})
		}
		group.Wait()
		assert.EqualValues(t, 1, c.store.asked.Load(), "%v", ref)
		assert.EqualValues(t, 1, c.Stats().Loads)
		assert.EqualValues(t, callers, c.Stats().Misses+c.Stats().Hits+c.Stats().NegativeHits)
	}
}

// Between finding nothing and joining a load, another caller's load may end.
func TestCallerWhoComesAsALoadEndsAsksNobody(t *testing.T) {
	t.Parallel()
	for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.BySlug("nobody")} {
		now, calls := time.Now(), 0
		var overtake func()
		c := newCached(t, resolve.CacheConfig{Now: func() time.Time {
			if calls++; calls == 2 && overtake != nil { // behind the first look into memory
				f := overtake
				overtake = nil
				f()
			}
			return now
		}})
		calls = 0
		overtake = func() { _, _ = c.Lookup(t.Context(), ref) }
		_, _ = c.Lookup(t.Context(), ref)
		assert.Nil(t, overtake, "the other caller came between")
		assert.EqualValues(t, 1, c.store.asked.Load(), "%v", ref)
	}
}

func TestWaitingCallerAsksForItselfWhenTheFirstGivesUp(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	first, cancel := context.WithCancel(t.Context())
	asks, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hanging := storeFunc(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		once.Do(func() { close(asks); <-proceed })
		return c.store.Lookup(ctx, ref)
	})
	cache, err := resolve.NewCache(hanging, resolve.CacheConfig{})
	require.NoError(t, err)
	defer cache.Close()

	var group sync.WaitGroup
	group.Go(func() {
		_, err := cache.Lookup(first, tenant.BySlug("acme-corp"))
		assert.ErrorIs(t, err, context.Canceled)
	})
	<-asks
	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	_, err = cache.Lookup(impatient, tenant.BySlug("acme-corp"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	group.Go(func() {
		got, err := cache.Lookup(t.Context(), tenant.BySlug("acme-corp"))
		assert.NoError(t, err)
		assert.Equal(t, c.acme, got)
	})
	waitFor(t, cache, 3)
	cancel()
	close(proceed)
	group.Wait()
}

// waitFor waits until so many callers have missed, and a little for the last to get from the
// count to its wait.
func waitFor(t *testing.T, cache *resolve.Cache, callers uint64) {
	t.Helper()
	require.Eventually(t, func() bool { return cache.Stats().Misses == callers }, 30*time.Second, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
}

func TestWaitingCallerIsNotCaughtByAPanic(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	asks, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c.store.afterRead(func(tenant.Ref) {
		once.Do(func() { close(asks); <-proceed; panic("the store's own fault") })
	})
	var group sync.WaitGroup
	group.Go(func() {
		assert.Panics(t, func() { _, _ = c.Lookup(context.Background(), tenant.BySlug("acme-corp")) })
	})
	<-asks
	group.Go(func() {
		got, err := c.Lookup(context.Background(), tenant.BySlug("acme-corp"))
		assert.NoError(t, err)
		assert.Equal(t, c.acme, got)
	})
	waitFor(t, c.Cache, 2)
	close(proceed)
	group.Wait()
}

type storeFunc func(context.Context, tenant.Ref) (tenant.Tenant, error)

func (f storeFunc) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	return f(ctx, ref)
}

func TestRow23_RandomNamesNeitherGrowTheCacheNorPushTenantsOut(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{Size: 100, NegativeSize: 1000, Bus: connectedBus()})
	var tenants []tenant.Tenant
	for i := range 50 {
		made, err := c.store.Put(tenant.Tenant{Slug: tenant.Slug(fmt.Sprintf("real-%d", i))})
		require.NoError(t, err)
		tenants = append(tenants, made)
		c.find(t, tenant.BySlug(made.Slug))
	}
	for i := range 100_000 {
		_, err := c.Lookup(t.Context(), tenant.BySlug(tenant.Slug(fmt.Sprintf("random-%d", i))))
		if !errors.Is(err, tenant.ErrNotFound) {
			t.Fatal(err)
		}
	}
	assert.Eventually(t, func() bool { return c.Stats().Negatives <= 1000 }, 30*time.Second, time.Millisecond)
	assert.Equal(t, 50, c.Stats().Tenants)
	for _, real := range tenants {
		_, asked := c.find(t, tenant.BySlug(real.Slug))
		assert.Zero(t, asked, "tenant %s was pushed out", real.Slug)
	}
}

func TestRow25_TenTimesTheCapacityInTenants(t *testing.T) {
	t.Parallel()
	const size = 200
	c := newCached(t, resolve.CacheConfig{Size: size, Bus: connectedBus()})
	var refs []tenant.Ref
	for i := range 10 * size {
		made, err := c.store.Put(tenant.Tenant{Slug: tenant.Slug(fmt.Sprintf("tenant-%d", i))})
		require.NoError(t, err)
		refs = append(refs, tenant.BySlug(made.Slug))
	}
	remembered := 0
	for range 2 {
		for _, ref := range refs {
			got, _ := c.find(t, ref)
			assert.Equal(t, ref.Slug(), got.Slug)
			if _, asked := c.find(t, ref); asked == 0 {
				remembered++
			}
		}
	}
	assert.Greater(t, remembered, 10*size, "it goes on remembering whoever comes")
	assert.Eventually(t, func() bool { return c.Stats().Tenants <= size }, 30*time.Second, time.Millisecond)
}

// Of two loads by different names, the one that began first ends last. Nobody has told of
// the change between them.
func TestSlowLoadDoesNotReplaceWhatALaterOneHasFound(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	var first atomic.Bool
	c.store.afterRead(func(tenant.Ref) {
		if !first.CompareAndSwap(false, true) {
			return
		}
		now, err := c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
		assert.NoError(t, err)
		got, err := c.Lookup(context.Background(), tenant.ByID(c.acme.ID))
		assert.NoError(t, err)
		assert.Equal(t, now, got)
	})
	got, err := c.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	assert.Equal(t, c.acme, got, "the question came first")
	got, asked := c.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, tenant.StatusSuspended, got.Status)
	assert.Zero(t, asked)
}
