package resolve_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// lateCall is a look-up whose first answer the store holds back.
type lateCall struct {
	read    chan struct{} // closed when the store was read
	proceed chan struct{} // to be closed for the answer to come
	got     tenant.Tenant
	err     error
	done    sync.WaitGroup
}

// late begins a look-up, and returns when the store was read. Others are not held back.
func (c cached) late(ref tenant.Ref) *lateCall {
	l := &lateCall{read: make(chan struct{}), proceed: make(chan struct{})}
	var held atomic.Bool
	c.store.afterRead(func(tenant.Ref) {
		if held.CompareAndSwap(false, true) {
			close(l.read)
			<-l.proceed
		}
	})
	l.done.Go(func() { l.got, l.err = c.Lookup(context.Background(), ref) })
	<-l.read
	return l
}

// end lets the answer come, and waits for it.
func (l *lateCall) end() {
	close(l.proceed)
	l.done.Wait()
}

// Who asks after a change is not told the state before it, though it waits for a look-up that
// has read that.
func TestRow22_CallerWhoWaitsIsNotToldWhatIsOutdated(t *testing.T) {
	t.Parallel()
	for name, ref := range map[string]func(cached) tenant.Ref{
		"by slug": func(cached) tenant.Ref { return tenant.BySlug("acme-corp") },
		"by id":   func(c cached) tenant.Ref { return tenant.ByID(c.acme.ID) },
	} {
		for how, tell := range map[string]func(cached, tenant.Tenant){
			"told": func(c cached, now tenant.Tenant) {
				c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: now.ID, Version: now.Version})
			},
			"found by another name": func(c cached, _ tenant.Tenant) {
				_, err := c.Lookup(context.Background(), tenant.ByDomain("notes.acme.example"))
				assert.NoError(t, err)
				c.Forget(tenant.NewID()) // of another tenant
			},
		} {
			c := newCached(t, resolve.CacheConfig{})
			first := c.late(ref(c))
			now, err := c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
			require.NoError(t, err)
			var second sync.WaitGroup
			var got tenant.Tenant
			if how == "told" {
				tell(c, now)
			}
			second.Go(func() { got, err = c.Lookup(context.Background(), ref(c)) })
			waitFor(t, c.Cache, 2)
			if how != "told" {
				tell(c, now)
			}
			first.end()
			second.Wait()
			require.NoError(t, err)
			assert.Equal(t, now, got, "%s, %s", name, how)
			assert.Equal(t, c.acme, first.got, "its question came first")
		}
	}
}

// The same where the look-up has found nobody.
func TestRow22_CallerWhoWaitsIsNotToldOfAnAbsenceThatIsOver(t *testing.T) {
	t.Parallel()
	for _, absent := range []error{tenant.ErrNotFound, tenant.ErrGone} {
		c := newCached(t, resolve.CacheConfig{})
		absent := absent
		c.store.fails.Store(&absent)
		var isHeld atomic.Bool
		read, proceed := make(chan struct{}), make(chan struct{})
		held := storeFunc(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
			got, err := c.store.Lookup(ctx, ref)
			if isHeld.CompareAndSwap(false, true) {
				close(read)
				<-proceed
			}
			return got, err
		})
		cache, err := resolve.NewCache(held, resolve.CacheConfig{})
		require.NoError(t, err)
		var group sync.WaitGroup
		group.Go(func() {
			_, err := cache.Lookup(context.Background(), tenant.BySlug("acme-corp"))
			assert.ErrorIs(t, err, absent)
		})
		<-read
		c.store.fails.Store(nil)
		cache.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: c.acme.ID, Version: c.acme.Version})
		group.Go(func() {
			got, err := cache.Lookup(context.Background(), tenant.BySlug("acme-corp"))
			assert.NoError(t, err)
			assert.Equal(t, c.acme, got)
		})
		waitFor(t, cache, 2)
		close(proceed)
		group.Wait()
		require.NoError(t, cache.Close())
	}
}

func TestAfterForgetAllNobodyWaitsForWhatBeganBefore(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	first := c.late(tenant.BySlug("acme-corp"))
	c.clock.Pass(time.Nanosecond)
	c.ForgetAll()
	c.find(t, tenant.BySlug("acme-corp")) // while the first is held back
	first.end()
	require.NoError(t, first.err)
}

// A look-up that was too old to be waited for ends, and leaves the one after it to the others.
func TestLookupThatWasTooOldToWaitForDoesNotEndTheNextOne(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	slug := tenant.BySlug("acme-corp")
	first := c.late(slug)
	c.clock.Pass(resolve.DefaultCacheTTL)
	second := c.late(slug)
	first.end()
	var third sync.WaitGroup
	third.Go(func() {
		_, err := c.Lookup(context.Background(), slug)
		assert.NoError(t, err)
	})
	waitFor(t, c.Cache, 3)
	second.end()
	third.Wait()
	assert.EqualValues(t, 2, c.store.asked.Load())
}

// Of two reads of one version the later one counts, whichever ends first.
func TestEarlierReadDoesNotShortenTheTimeToLiveOfALaterOne(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	first := c.late(tenant.BySlug("acme-corp"))
	c.clock.Pass(900 * time.Millisecond)
	c.find(t, tenant.ByID(c.acme.ID))
	first.end()
	c.clock.Pass(900 * time.Millisecond)
	for _, ref := range []tenant.Ref{tenant.ByID(c.acme.ID), tenant.BySlug("acme-corp")} {
		_, asked := c.find(t, ref)
		assert.Zero(t, asked, "%v", ref)
	}
}

func TestAbsenceIsAsOldAsItsLookup(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	c.store.afterRead(func(tenant.Ref) { c.clock.Pass(900 * time.Millisecond) })
	nobody := tenant.BySlug("nobody")
	assert.EqualValues(t, 1, c.fail(t, nobody, tenant.ErrNotFound))
	assert.Zero(t, c.fail(t, nobody, tenant.ErrNotFound))
	c.clock.Pass(100 * time.Millisecond)
	assert.EqualValues(t, 1, c.fail(t, nobody, tenant.ErrNotFound))
}

// An absence that was found before must not come back when the tenant has expired.
func TestRow22_AbsenceIsForgottenWhenTheTenantIsFound(t *testing.T) {
	t.Parallel()
	cfg := resolve.CacheConfig{TTL: 500 * time.Millisecond, NegativeTTL: 2 * time.Second}
	slug := tenant.BySlug("acme-corp")
	for name, found := range map[string]func(*testing.T, cached){
		"by another name":       func(t *testing.T, c cached) { c.find(t, tenant.ByID(c.acme.ID)) },
		"by a change from here": func(t *testing.T, c cached) { c.Put(t.Context(), c.acme) },
	} {
		c := newCached(t, cfg)
		none := error(tenant.ErrNotFound)
		c.store.fails.Store(&none)
		c.fail(t, slug, tenant.ErrNotFound)
		c.store.fails.Store(nil)
		found(t, c)
		c.clock.Pass(time.Second)
		got, _ := c.find(t, slug)
		assert.Equal(t, c.acme, got, name)
	}

	// The same with a look-up that is under way.
	c := newCached(t, cfg)
	beta := tenant.BySlug("beta-industries")
	first := c.late(beta)
	created, err := c.store.Put(tenant.Tenant{Slug: "beta-industries"})
	require.NoError(t, err)
	c.Put(t.Context(), created)
	first.end()
	require.ErrorIs(t, first.err, tenant.ErrNotFound)
	c.clock.Pass(time.Second)
	got, _ := c.find(t, beta)
	assert.Equal(t, created, got)
}

func TestRow22_IDThatLedNowhereIsAskedAgainWhenItsTenantIsTold(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	none := error(tenant.ErrNotFound)
	c.store.fails.Store(&none)
	c.fail(t, tenant.ByID(c.acme.ID), tenant.ErrNotFound)
	c.store.fails.Store(nil)
	c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: c.acme.ID, Version: c.acme.Version})
	c.find(t, tenant.ByID(c.acme.ID))
}

func TestChangesOfOtherKindsAreNotOfTenants(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	slug := tenant.BySlug("acme-corp")
	c.find(t, slug)
	c.Changed(resolve.Change{Kind: resolve.KindMember, Tenant: c.acme.ID, Version: c.acme.Version + 1})
	c.Changed(resolve.Change{Kind: resolve.KindKey})
	_, asked := c.find(t, slug)
	assert.Zero(t, asked)
}

func TestChangeThatIsToldLateDoesNotUndoALaterOne(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	first := c.late(tenant.BySlug("acme-corp"))
	now, err := c.store.SetStatus(c.acme.ID, tenant.StatusSuspended)
	require.NoError(t, err)
	for _, version := range []int64{now.Version, c.acme.Version} {
		c.Changed(resolve.Change{Kind: resolve.KindTenant, Tenant: now.ID, Version: version})
	}
	first.end()
	got, _ := c.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, now, got)
}

func TestForgetAllForgetsEachName(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.ByID(c.acme.ID), tenant.ByDomain("notes.acme.example")} {
		c.find(t, ref)
		c.ForgetAll()
		_, asked := c.find(t, ref)
		assert.EqualValues(t, 1, asked, "%v", ref)
	}
}

// A store that answers with another tenant is wrong, and its answer is not remembered.
func TestTenantOfAnotherIDIsNotRemembered(t *testing.T) {
	t.Parallel()
	c := newCached(t, resolve.CacheConfig{})
	wrong := storeFunc(func(ctx context.Context, _ tenant.Ref) (tenant.Tenant, error) {
		return c.store.Lookup(ctx, tenant.BySlug("acme-corp"))
	})
	cache, err := resolve.NewCache(wrong, resolve.CacheConfig{})
	require.NoError(t, err)
	defer cache.Close()
	for range 2 {
		_, err = cache.Lookup(t.Context(), tenant.ByID(tenant.NewID()))
		require.NoError(t, err) // the resolver refuses it
	}
	assert.Zero(t, cache.Stats().Tenants)
	assert.EqualValues(t, 2, cache.Stats().Loads)
}

// The shared layer may hold what a version of this library has put there that is no more.
func TestTenantBeingSetUpIsNotBelievedOfTheSharedLayer(t *testing.T) {
	t.Parallel()
	a, _, l := pair(t, false)
	half := a.acme
	half.Status = tenant.StatusProvisioning
	require.NoError(t, l.Set(t.Context(), tenant.BySlug("acme-corp"), half, 0))
	got, asked := a.find(t, tenant.BySlug("acme-corp"))
	assert.Equal(t, a.acme, got)
	assert.EqualValues(t, 1, asked)
}

func TestSharedLayerIsToldHowLongTheStoreTook(t *testing.T) {
	t.Parallel()
	a, _, l := pair(t, false)
	a.store.afterRead(func(tenant.Ref) { a.clock.Pass(700 * time.Millisecond) })
	a.find(t, tenant.BySlug("acme-corp"))
	_, age, found, err := l.Get(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, 700*time.Millisecond, age)
}

func TestOutdateGoesOnWhenItsFollowerEnds(t *testing.T) {
	t.Parallel()
	a, _, l := pair(t, false)
	a.find(t, tenant.BySlug("acme-corp"))
	over, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the program ends"))
	a.Outdate(over, a.acme.ID, a.acme.Version+1)
	_, _, found, err := l.Get(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	assert.False(t, found)
}
