package resolve_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestRow21_FormerSlugIsGoneAndNeverAnotherTenants(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	c.find(t, tenant.BySlug("acme-corp"))
	now, err := c.store.Rename(c.acme.ID, "acme-labs")
	require.NoError(t, err)
	c.Put(t.Context(), now)

	for range 2 {
		assert.Zero(t, c.fail(t, tenant.BySlug("acme-corp"), tenant.ErrGone))
		got, asked := c.find(t, tenant.BySlug("acme-labs"))
		assert.Equal(t, now, got)
		assert.Zero(t, asked)
	}
	c.ForgetAll()
	c.fail(t, tenant.BySlug("acme-corp"), tenant.ErrGone)
	now, err = c.store.Rename(c.acme.ID, "acme-corp") // it may take its own name back
	require.NoError(t, err)
	c.Put(t.Context(), now)
	got, _ := c.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, now, got)
	c.fail(t, tenant.BySlug("acme-labs"), tenant.ErrGone)
}

// A domain may be taken from one tenant and given to another, which a tenant does not tell.
func TestRow21_DomainThatHasMovedLeadsToItsNewTenant(t *testing.T) {
	t.Parallel()
	store := &domains{owner: map[string]tenant.Tenant{}}
	cache, err := resolve.NewCache(store, resolve.CacheConfig{})
	require.NoError(t, err)
	defer cache.Close()
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive, Version: 1}
	beta := tenant.Tenant{ID: tenant.NewID(), Slug: "beta-industries", Status: tenant.StatusActive, Version: 1}
	domain := tenant.ByDomain("notes.example")
	store.owner["notes.example"] = acme
	got, err := cache.Lookup(t.Context(), domain)
	require.NoError(t, err)
	require.Equal(t, acme, got)

	acme.Version, beta.Version = 2, 2
	store.owner["notes.example"] = beta
	cache.Put(t.Context(), acme) // which says nothing of domains
	got, err = cache.Lookup(t.Context(), domain)
	require.NoError(t, err)
	assert.Equal(t, beta, got)
}

type domains struct{ owner map[string]tenant.Tenant }

func (d *domains) Lookup(_ context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	t, ok := d.owner[ref.Domain()]
	if !ok {
		return tenant.Tenant{}, tenant.ErrNotFound
	}
	return t, nil
}

func TestRow22_ChangeOfThisProcessIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{Bus: connectedBus()})
	c.find(t, tenant.BySlug("acme-corp"))
	now, err := c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
	require.NoError(t, err)
	c.Put(t.Context(), now)
	got, asked := c.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, tenant.StatusSuspended, got.Status)
	assert.Zero(t, asked)

	c.Put(t.Context(), c.acme) // told late
	got, _ = c.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, now, got, "an older state changes nothing")

	now.Status, now.Version = tenant.StatusDeleted, now.Version+1
	require.NoError(t, c.store.Delete(c.acme.ID))
	c.Put(t.Context(), now)
	assert.Zero(t, c.fail(t, tenant.BySlug("acme-corp"), tenant.ErrGone))
	assert.Zero(t, c.fail(t, tenant.ByID(c.acme.ID), tenant.ErrGone))
}

func TestRow22_ChangeOfAnotherProcessIsInForceWhenItIsTold(t *testing.T) {
	t.Parallel()
	b := connectedBus()
	c := newCached(t, resolve.CacheConfig{Bus: b})
	refs := []tenant.Ref{tenant.BySlug("acme-corp"), tenant.ByID(c.acme.ID), tenant.ByDomain("notes.acme.example")}
	tell := map[string]func(tenant.Tenant){
		"by the bus": func(n tenant.Tenant) {
			publish(b, resolve.Change{Kind: resolve.KindTenant, Tenant: n.ID, Version: n.Version})
		},
		"by the bus without a version": func(n tenant.Tenant) { publish(b, resolve.Change{Kind: resolve.KindTenant, Tenant: n.ID}) },
		"by a bus that was away":       func(tenant.Tenant) { b.reconnect() },
		"by the events":                func(n tenant.Tenant) { c.Outdate(t.Context(), n.ID, n.Version) },
		"by the program":               func(n tenant.Tenant) { c.Forget(n.ID) },
	}
	for name, tell := range tell {
		for _, ref := range refs {
			c.find(t, ref)
		}
		_, err := c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
		require.NoError(t, err)
		now, err := c.store.SetStatus(c.acme.ID, tenant.StatusActive)
		require.NoError(t, err)
		got, asked := c.find(t, refs[0])
		assert.Less(t, got.Version, now.Version)
		assert.Zero(t, asked, name)
		tell(now)
		for _, ref := range refs {
			got, _ := c.find(t, ref)
			assert.Equal(t, now, got, name)
		}
		_, asked = c.find(t, refs[0])
		assert.Zero(t, asked, name)
	}
	publish(b, resolve.Change{Kind: resolve.KindMember, Tenant: c.acme.ID, Subject: "ada"})
	publish(b, resolve.Change{Kind: resolve.KindTenant, Tenant: c.acme.ID, Version: 1})
	_, asked := c.find(t, refs[0])
	assert.Zero(t, asked, "what is known already, and what is of other kinds, is no reason to read again")
}

func publish(b *bus, c resolve.Change) { _ = b.Publish(context.Background(), c) }

func TestRow22_NewTenantIsNotHidden(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(cached, *bus, tenant.Tenant){
		"in this process": func(c cached, _ *bus, n tenant.Tenant) { c.Put(context.Background(), n) },
		"in another": func(_ cached, b *bus, n tenant.Tenant) {
			publish(b, resolve.Change{Kind: resolve.KindTenant, Tenant: n.ID, Subject: string(n.Slug), Version: 1})
		},
		"untold":              func(c cached, _ *bus, _ tenant.Tenant) { c.clock.Pass(resolve.DefaultNegativeTTL) },
		"after being cut off": func(_ cached, b *bus, _ tenant.Tenant) { b.reconnect() },
	} {
		b := connectedBus()
		c := newCached(t, resolve.CacheConfig{Bus: b})
		id := tenant.NewID()
		for i, ref := range []tenant.Ref{tenant.BySlug("gamma-labs"), tenant.ByID(id)} {
			assert.EqualValues(t, 1, c.fail(t, ref, tenant.ErrNotFound), name)
			assert.Zero(t, c.fail(t, ref, tenant.ErrNotFound), name)
			assert.EqualValues(t, i+1, c.Stats().NegativeHits, name)
		}
		made, err := c.store.Put(tenant.Tenant{ID: id, Slug: "gamma-labs"})
		require.NoError(t, err)
		tell(c, b, made)
		for _, ref := range []tenant.Ref{tenant.BySlug("gamma-labs"), tenant.ByID(id)} {
			got, _ := c.find(t, ref)
			assert.Equal(t, made, got, name)
		}
	}
}

// The tenant appears between the store's answer and its being remembered.
func TestRow22_AbsenceThatRacedWithACreationIsNotKept(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(cached, tenant.Tenant){
		"in this process": func(c cached, n tenant.Tenant) { c.Put(context.Background(), n) },
		"in another": func(c cached, n tenant.Tenant) {
			c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: n.ID, Subject: string(n.Slug), Version: 1})
		},
		"anywhere": func(c cached, _ tenant.Tenant) { c.ForgetAll() },
	} {
		c := newCached(t, resolve.CacheConfig{})
		var once sync.Once
		c.store.afterRead(func(tenant.Ref) {
			once.Do(func() {
				made, err := c.store.Put(tenant.Tenant{Slug: "gamma-labs"})
				assert.NoError(t, err)
				tell(c, made)
			})
		})
		_, err := c.Lookup(t.Context(), tenant.BySlug("gamma-labs"))
		require.ErrorIs(t, err, tenant.ErrNotFound, "the question came first")
		_, err = c.Lookup(t.Context(), tenant.BySlug("gamma-labs"))
		require.NoError(t, err, name)
	}
}

func TestRow22_LostBusShortensTheTimeToLiveOfWhatIsThere(t *testing.T) {
	t.Parallel()
	b := connectedBus()
	c := newCached(t, resolve.CacheConfig{Bus: b})
	c.find(t, tenant.BySlug("acme-corp"))
	c.clock.Pass(10 * time.Second)
	_, asked := c.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
	assert.True(t, c.Stats().Connected)

	b.up.Store(false)
	assert.False(t, c.Stats().Connected)
	_, asked = c.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked)
	c.clock.Pass(900 * time.Millisecond)
	_, asked = c.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
	c.clock.Pass(100 * time.Millisecond)
	b.reconnect()
	_, asked = c.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked, "what was read while messages were missed does not get its long life back")
}

// A write that races with a load, 10,000 times: whichever of the two comes first, the later
// state is what stays.
func TestWriteThatRacesWithALoadLeavesTheLaterState(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	cache, err := resolve.NewCache(store, resolve.CacheConfig{Bus: connectedBus()})
	require.NoError(t, err)
	defer cache.Close()
	acme, err := store.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	const rounds = 10_000
	for i := range rounds {
		if i%2 == 0 {
			cache.Forget(acme.ID) // there is something to load
		}
		var group sync.WaitGroup
		for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.ByID(acme.ID)} {
			group.Go(func() {
				if _, err := cache.Lookup(t.Context(), ref); err != nil {
					t.Errorf("Lookup(%v): %v", ref, err)
				}
			})
		}
		status := []tenant.Status{tenant.StatusSuspended, tenant.StatusActive}[i%2]
		now, err := store.SetStatus(acme.ID, status)
		require.NoError(t, err)
		switch i % 3 {
		case 0:
			cache.Put(t.Context(), now)
		case 1:
			cache.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: now.ID, Version: now.Version})
		case 2:
			cache.Forget(now.ID)
		}
		got, err := cache.Lookup(t.Context(), tenant.BySlug("acme-corp"))
		require.NoError(t, err)
		require.Equal(t, now.Version, got.Version, "at once, in round %d", i)
		group.Wait()
		got, err = cache.Lookup(t.Context(), tenant.BySlug("acme-corp"))
		require.NoError(t, err)
		require.Equal(t, now.Version, got.Version, "afterwards, in round %d", i)
	}
}

// The same with the order forced: the load has read the older state when the write is told.
func TestLoadOfAnOlderStateIsNotKept(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*resolve.Cache, tenant.Tenant){
		"put": func(c *resolve.Cache, n tenant.Tenant) { c.Put(context.Background(), n) },
		"put and evicted": func(c *resolve.Cache, n tenant.Tenant) {
			c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: n.ID, Version: n.Version})
		},
		"forgotten":        func(c *resolve.Cache, n tenant.Tenant) { c.Forget(n.ID) },
		"all is forgotten": func(c *resolve.Cache, _ tenant.Tenant) { c.ForgetAll() },
	} {
		c := newCached(t, resolve.CacheConfig{})
		var once sync.Once
		var now tenant.Tenant
		c.store.afterRead(func(tenant.Ref) {
			once.Do(func() {
				var err error
				now, err = c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
				assert.NoError(t, err)
				c.clock.Pass(time.Nanosecond)
				tell(c.Cache, now)
			})
		})
		got, err := c.Lookup(t.Context(), tenant.BySlug("acme-corp"))
		require.NoError(t, err, name)
		assert.Equal(t, c.acme, got, "%s: the question came first", name)
		got, _ = c.find(t, tenant.BySlug("acme-corp"))
		assert.Equal(t, now, got, name)
	}
}

func TestManyChangesAtOnceAreRememberedAsOne(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	var once sync.Once
	var now tenant.Tenant
	c.store.afterRead(func(tenant.Ref) {
		once.Do(func() {
			var err error
			now, err = c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
			assert.NoError(t, err)
			c.clock.Pass(time.Nanosecond)
			c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: now.ID, Version: now.Version})
			for range 20_001 {
				c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID(), Version: 2})
			}
		})
	})
	_, err := c.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	c.clock.Pass(time.Nanosecond)
	got, _ := c.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, now, got)
}

func TestPutTellsTheOthersAlthoughItsRequestIsOver(t *testing.T) {
	t.Parallel()
	b := connectedBus()
	clock := testclock.At(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	l := newLayer(clock)
	c := newCached(t, resolve.CacheConfig{Bus: b, Shared: l, Now: clock.Now})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c.Put(over, c.acme)
	assert.Equal(t, []resolve.Change{{Kind: resolve.KindTenant, Tenant: c.acme.ID, Subject: "acme-corp", Version: c.acme.Version}}, b.said)
	got, _, found, err := l.Get(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, c.acme, got)

	away := errors.New("away")
	b.fails.Store(&away)
	l.fails.Store(&away)
	c.Put(over, c.acme)
	assert.EqualValues(t, 1, c.Stats().PublishErrors)
	assert.EqualValues(t, 1, c.Stats().SharedErrors)
}
