package resolve_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// pair is two processes' caches of one store, with one shared layer.
func pair(t *testing.T, connected bool) (a, b cached, l *layer) {
	t.Helper()
	clock := testclock.At(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	l = newLayer(clock)
	cfg := resolve.CacheConfig{Shared: l, Now: clock.Now}
	if connected {
		cfg.Bus = connectedBus()
	}
	a = newCached(t, cfg)
	a.clock = clock
	b = a
	cfg.Random = noJitter
	if connected {
		cfg.Bus = connectedBus() // they don't hear each other
	}
	var err error
	b.Cache, err = resolve.NewCache(a.store, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return a, b, l
}

func TestWhatOneProcessHasReadTheOthersNeedNot(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, true)
	slug, domain := tenant.BySlug("acme-corp"), tenant.ByDomain("notes.acme.example")
	a.find(t, slug)
	a.find(t, domain)
	a.clock.Pass(3 * time.Second)
	for _, ref := range []tenant.Ref{domain, slug, tenant.ByID(a.acme.ID)} {
		got, asked := b.find(t, ref)
		assert.Equal(t, a.acme, got)
		assert.Zero(t, asked)
	}
	assert.EqualValues(t, 1, b.Stats().SharedHits)
	assert.Equal(t, 3*time.Second, b.Stats().Oldest, "it has the age that it had there")
}

func TestAgeIsTheSumOverAllLayers(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, true)
	a.find(t, tenant.BySlug("acme-corp"))
	a.clock.Pass(20 * time.Second)
	_, asked := b.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
	a.clock.Pass(5 * time.Second)
	_, asked = b.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked)
}

func TestWithoutABusTheSharedLayerIsBelievedForTheShortTimeAlone(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, false)
	a.find(t, tenant.BySlug("acme-corp"))
	a.clock.Pass(900 * time.Millisecond)
	_, asked := b.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
	a.clock.Pass(200 * time.Millisecond)
	_, asked = b.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked)
	assert.EqualValues(t, 1, b.Stats().SharedMisses)
}

func TestSharedLayerThatWasNotToldOfAChangeIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(cached, tenant.Tenant){
		"of a version": func(c cached, n tenant.Tenant) {
			c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: n.ID, Version: n.Version})
		},
		"without a version": func(c cached, n tenant.Tenant) { c.Forget(n.ID) },
		"of everything":     func(c cached, _ tenant.Tenant) { c.ForgetAll() },
	} {
		a, b, l := pair(t, true)
		a.find(t, tenant.BySlug("acme-corp"))
		b.find(t, tenant.BySlug("acme-corp"))
		now, err := a.store.SetStatus(a.acme.ID, tenant.StatusSuspended)
		require.NoError(t, err)
		a.clock.Pass(time.Millisecond)
		tell(b, now)
		held, _, found, err := l.Get(t.Context(), tenant.BySlug("acme-corp"))
		require.NoError(t, err)
		require.True(t, found && held == a.acme, "the layer has the older one")
		got, _ := b.find(t, tenant.BySlug("acme-corp"))
		assert.Equal(t, now, got, name)
	}
}

func TestOutdateCleansTheSharedLayer(t *testing.T) {
	t.Parallel()
	a, b, l := pair(t, true)
	a.find(t, tenant.BySlug("acme-corp"))
	now, err := a.store.SetStatus(a.acme.ID, tenant.StatusSuspended)
	require.NoError(t, err)
	b.Outdate(t.Context(), now.ID, now.Version)
	_, _, found, err := l.Get(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	assert.False(t, found)
	require.NoError(t, l.Set(t.Context(), tenant.ByID(now.ID), a.acme, 0))
	_, _, found, _ = l.Get(t.Context(), tenant.ByID(now.ID))
	assert.False(t, found, "a load that comes late")
	away := errors.New("away")
	l.fails.Store(&away)
	b.Outdate(t.Context(), now.ID, now.Version)
	assert.EqualValues(t, 1, b.Stats().SharedErrors)
}

func TestRow21_FormerSlugIsGoneInTheSharedLayerToo(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, true)
	a.find(t, tenant.BySlug("acme-corp"))
	now, err := a.store.Rename(a.acme.ID, "acme-labs")
	require.NoError(t, err)
	a.Put(t.Context(), now)
	for range 2 {
		assert.Zero(t, b.fail(t, tenant.BySlug("acme-corp"), tenant.ErrGone))
	}
	require.NoError(t, a.store.Delete(now.ID))
	now.Status, now.Version = tenant.StatusDeleted, now.Version+1
	a.Put(t.Context(), now)
	b.ForgetAll()
	b.clock.Pass(time.Millisecond)
	a.Put(t.Context(), now)
	for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.BySlug("acme-labs"), tenant.ByID(now.ID)} {
		b.fail(t, ref, tenant.ErrGone)
	}
}

func TestSharedLayerThatIsAwayCostsALookup(t *testing.T) {
	t.Parallel()
	a, _, l := pair(t, true)
	away := errors.New("away")
	l.fails.Store(&away)
	_, asked := a.find(t, tenant.BySlug("acme-corp"))
	assert.EqualValues(t, 1, asked)
	assert.EqualValues(t, 2, a.Stats().SharedErrors, "get and set")
	_, asked = a.find(t, tenant.BySlug("acme-corp"))
	assert.Zero(t, asked)
}

func TestTenantBeingSetUpIsNotShared(t *testing.T) {
	t.Parallel()
	a, _, l := pair(t, true)
	made, err := a.store.Put(tenant.Tenant{Slug: "gamma-labs", Status: tenant.StatusProvisioning})
	require.NoError(t, err)
	a.find(t, tenant.BySlug("gamma-labs"))
	a.Put(t.Context(), made)
	_, _, found, err := l.Get(t.Context(), tenant.BySlug("gamma-labs"))
	require.NoError(t, err)
	assert.False(t, found)
}
