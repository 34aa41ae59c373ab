package resolve_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// backing is a store that counts its look-ups, and can be made to wait or to fail.
type backing struct {
	*tenanttest.Store
	asked atomic.Int64
	fails atomic.Pointer[error]

	mu   sync.Mutex
	hook func(tenant.Ref) // called after the store was read
}

func (w *backing) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	w.asked.Add(1)
	if err := w.fails.Load(); err != nil {
		return tenant.Tenant{}, *err
	}
	t, err := w.Store.Lookup(ctx, ref)
	w.mu.Lock()
	hook := w.hook
	w.mu.Unlock()
	if hook != nil {
		hook(ref)
	}
	return t, err
}

// afterRead has f called whenever the store was read, before the answer is returned.
func (w *backing) afterRead(f func(tenant.Ref)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = f
}

// noJitter is a draw that leaves times as they are configured.
func noJitter() float64 { return 0.5 }

type cached struct {
	*resolve.Cache
	store *backing
	clock *testclock.Clock
	acme  tenant.Tenant
}

func newCached(t testing.TB, cfg resolve.CacheConfig) cached {
	t.Helper()
	c := cached{store: &backing{Store: tenanttest.NewStore()}, clock: testclock.At(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var err error
	c.acme, err = c.store.Put(tenant.Tenant{Slug: "acme-corp"})
	require.NoError(t, err)
	require.NoError(t, c.store.AddDomain(c.acme.ID, "notes.acme.example"))
	c.acme, err = c.store.Store.Lookup(t.Context(), tenant.ByID(c.acme.ID))
	require.NoError(t, err)
	if cfg.Now == nil {
		cfg.Now = c.clock.Now
	}
	if cfg.Random == nil {
		cfg.Random = noJitter
	}
	c.Cache, err = resolve.NewCache(c.store, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// find looks a tenant up that there must be, and how often the store was asked for it.
func (c cached) find(t *testing.T, ref tenant.Ref) (got tenant.Tenant, asked int64) {
	t.Helper()
	before := c.store.asked.Load()
	got, err := c.Lookup(t.Context(), ref)
	require.NoError(t, err, "%v", ref)
	return got, c.store.asked.Load() - before
}

func (c cached) fail(t *testing.T, ref tenant.Ref, want error) (asked int64) {
	t.Helper()
	before := c.store.asked.Load()
	got, err := c.Lookup(t.Context(), ref)
	require.ErrorIs(t, err, want, "%v", ref)
	assert.Zero(t, got)
	return c.store.asked.Load() - before
}

func TestCacheIsAStore(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]resolve.CacheConfig{
		"alone":             {},
		"of one tenant":     {Size: 1, NegativeSize: 1},
		"with a connection": {Bus: newBus()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := tenanttest.NewStore()
			cache, err := resolve.NewCache(store, cfg)
			require.NoError(t, err)
			defer cache.Close()
			tell := func(id tenant.ID, version int64) {
				if now, err := store.Lookup(t.Context(), tenant.ByID(id)); err == nil {
					cache.Put(t.Context(), now)
					return
				}
				cache.Forget(id)
			}
			status := func(s tenant.Status) func(context.Context, tenant.ID) error {
				return func(_ context.Context, id tenant.ID) error {
					now, err := store.SetStatus(id, s)
					if err == nil {
						cache.Put(t.Context(), now)
					}
					return err
				}
			}
			tenanttest.RunStore(t, tenanttest.Harness{
				Store: cache,
				Create: func(_ context.Context, n tenant.Tenant) error {
					made, err := store.Put(n)
					if err == nil {
						cache.Put(t.Context(), made)
					}
					return err
				},
				Rename: func(_ context.Context, id tenant.ID, slug tenant.Slug) error {
					now, err := store.Rename(id, slug)
					if err == nil {
						cache.Put(t.Context(), now)
					}
					return err
				},
				Suspend: status(tenant.StatusSuspended),
				Resume:  status(tenant.StatusActive),
				Delete: func(_ context.Context, id tenant.ID) error {
					err := store.Delete(id)
					tell(id, 0)
					return err
				},
				Provision: func(_ context.Context, n tenant.Tenant) error {
					n.Status = tenant.StatusProvisioning
					made, err := store.Put(n)
					if err == nil {
						cache.Put(t.Context(), made)
					}
					return err
				},
				AddDomain: func(_ context.Context, id tenant.ID, domain string) error {
					err := store.AddDomain(id, domain)
					tell(id, 0)
					return err
				},
			})
		})
	}
}

func TestAllNamesOfATenantShareOneEntry(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	slug, id, domain := tenant.BySlug("acme-corp"), tenant.ByID(c.acme.ID), tenant.ByDomain("notes.acme.example")
	for i, ref := range []tenant.Ref{slug, id, slug, domain, domain, id} {
		got, asked := c.find(t, ref)
		assert.Equal(t, c.acme, got)
		assert.Equal(t, i == 0 || i == 3, asked == 1, "%v: the store alone knows domains", ref)
	}
	assert.Equal(t, 1, c.Stats().Tenants)

	c.clock.Pass(900 * time.Millisecond)
	c.Forget(c.acme.ID)
	_, asked := c.find(t, domain)
	assert.EqualValues(t, 1, asked)
	c.clock.Pass(900 * time.Millisecond)
	for _, ref := range []tenant.Ref{slug, id, domain} {
		_, asked := c.find(t, ref)
		assert.Zero(t, asked, "%v: what was read by one name is new by each", ref)
	}
}

func TestEntryIsServedForItsTimeToLiveAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg  resolve.CacheConfig
		want time.Duration
	}{
		"by default":                {resolve.CacheConfig{}, resolve.DefaultCacheTTL},
		"as configured":             {resolve.CacheConfig{TTL: 300 * time.Millisecond}, 300 * time.Millisecond},
		"a little more":             {resolve.CacheConfig{Random: func() float64 { return 1 }}, 1150 * time.Millisecond},
		"a little less":             {resolve.CacheConfig{Random: func() float64 { return 0 }}, 850 * time.Millisecond},
		"never above the bound":     {resolve.CacheConfig{TTL: 2 * time.Second, Random: func() float64 { return 1 }}, resolve.MaxCacheTTL},
		"connected":                 {resolve.CacheConfig{Bus: connectedBus()}, resolve.DefaultConnectedTTL},
		"connected, to the bound":   {resolve.CacheConfig{Bus: connectedBus(), ConnectedTTL: 29 * time.Second, Random: func() float64 { return 1 }}, resolve.MaxConnectedTTL},
		"with a bus that is away":   {resolve.CacheConfig{Bus: newBus()}, resolve.DefaultCacheTTL},
		"connected, and configured": {resolve.CacheConfig{Bus: connectedBus(), ConnectedTTL: 5 * time.Second}, 5 * time.Second},
	} {
		c := newCached(t, test.cfg)
		c.find(t, tenant.BySlug("acme-corp"))
		c.clock.Pass(test.want - time.Millisecond)
		_, asked := c.find(t, tenant.BySlug("acme-corp"))
		assert.Zero(t, asked, name)
		assert.Equal(t, test.want-time.Millisecond, c.Stats().Oldest, name)
		c.clock.Pass(2 * time.Millisecond)
		assert.Zero(t, c.Stats().Oldest, name)
		_, asked = c.find(t, tenant.BySlug("acme-corp"))
		assert.EqualValues(t, 1, asked, name)
	}
}

func TestAgeIsCountedFromBeforeTheStoreWasAsked(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	c.store.afterRead(func(tenant.Ref) { c.clock.Pass(700 * time.Millisecond) })
	c.find(t, tenant.BySlug("acme-corp"))
	c.store.afterRead(nil)
	c.clock.Pass(250 * time.Millisecond)
	_, asked := c.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
	c.clock.Pass(100 * time.Millisecond)
	_, asked = c.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked)
}

func TestLookupDoesNotWaitForOneThatWouldBeTooOld(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	hangs, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	c.store.afterRead(func(tenant.Ref) {
		if first.CompareAndSwap(false, true) {
			close(hangs)
			<-release
		}
	})
	var group sync.WaitGroup
	group.Go(func() { _, _ = c.Lookup(t.Context(), tenant.BySlug("acme-corp")) })
	<-hangs
	c.clock.Pass(resolve.DefaultCacheTTL)
	_, asked := c.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked)
	close(release)
	group.Wait()
}

// The database is away: what is known is served until it is too old, and then nothing is.
func TestErrorsOfTheStoreAreNotRemembered(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	c.find(t, tenant.BySlug("acme-corp"))
	away := errors.New("connection refused")
	c.store.fails.Store(&away)

	_, asked := c.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
	c.clock.Pass(resolve.DefaultCacheTTL)
	for range 3 {
		assert.EqualValues(t, 1, c.fail(t, tenant.BySlug("acme-corp"), away))
		assert.EqualValues(t, 1, c.fail(t, tenant.BySlug("nobody"), away))
	}
	assert.EqualValues(t, 6, c.Stats().LoadErrors)
	c.store.fails.Store(nil)
	c.find(t, tenant.BySlug("acme-corp"))
	c.fail(t, tenant.BySlug("nobody"), tenant.ErrNotFound)
}

func TestTenantBeingSetUpIsNotRemembered(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	_, err := c.store.Put(tenant.Tenant{Slug: "gamma-labs", Status: tenant.StatusProvisioning})
	require.NoError(t, err)
	for range 2 {
		got, asked := c.find(t, tenant.BySlug("gamma-labs"))
		assert.Equal(t, tenant.StatusProvisioning, got.Status)
		assert.EqualValues(t, 1, asked)
	}
}

func TestClosedCacheAsksItsStoreEachTime(t *testing.T) {
	t.Parallel()
	bus := connectedBus()
	c := newCached(t, resolve.CacheConfig{Bus: bus})
	c.find(t, tenant.BySlug("acme-corp"))
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	assert.Zero(t, bus.subscribers())
	for range 2 {
		_, asked := c.find(t, tenant.BySlug("acme-corp"))
		assert.EqualValues(t, 1, asked)
		assert.EqualValues(t, 1, c.fail(t, tenant.BySlug("nobody"), tenant.ErrNotFound))
	}
}

func TestCacheIsNotMadeOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore()
	for _, test := range []struct {
		cfg  resolve.CacheConfig
		want string
	}{
		{resolve.CacheConfig{TTL: -1}, "TTL is -1ns, and must be from 0 to 2s"},
		{resolve.CacheConfig{TTL: 2001 * time.Millisecond}, "so long a tenant that another process suspends is served"},
		{resolve.CacheConfig{ConnectedTTL: 31 * time.Second}, "ConnectedTTL is 31s, and must be from 0 to 30s"},
		{resolve.CacheConfig{NegativeTTL: 3 * time.Second}, "NegativeTTL is 3s, and must be from 0 to 2s"},
		{resolve.CacheConfig{Size: -1}, "CacheConfig.Size is -1, and must be from 0 to 10000000"},
		{resolve.CacheConfig{Size: math.MaxInt}, "CacheConfig.Size is"},
		{resolve.CacheConfig{NegativeSize: -2}, "CacheConfig.NegativeSize is -2"},
	} {
		_, err := resolve.NewCache(store, test.cfg)
		assert.ErrorContains(t, err, test.want)
	}
	_, err := resolve.NewCache(nil, resolve.CacheConfig{})
	require.ErrorContains(t, err, "needs a store")
}
