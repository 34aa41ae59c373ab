package rediscache_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func openBus(t testing.TB, client redis.UniversalClient, cfg rediscache.BusConfig) *rediscache.Bus {
	t.Helper()
	if cfg.Prefix == "" {
		cfg.Prefix = prefix()
	}
	if cfg.PublishTimeout == 0 {
		cfg.PublishTimeout = time.Second // the machine of the tests may be busy
	}
	b, err := rediscache.OpenBus(client, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

// heard is what a subscriber was told.
type heard struct {
	mu  sync.Mutex
	all []resolve.Change
}

func (h *heard) add(c resolve.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, c)
}

func (h *heard) count(c resolve.Change) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, got := range h.all {
		if got == c {
			n++
		}
	}
	return n
}

// publish sends a change, which can't be heard before a connection is there.
func publish(t testing.TB, b *rediscache.Bus, c resolve.Change) {
	t.Helper()
	require.NoError(t, b.Publish(t.Context(), c))
}

func connected(t testing.TB, buses ...*rediscache.Bus) {
	t.Helper()
	for _, b := range buses {
		eventually(t, "the bus is connected", b.Connected)
	}
}

func TestChangesReachThoseWhoSubscribedToTheirKind(t *testing.T) {
	t.Parallel()
	p := prefix()
	here := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{Prefix: p})
	there := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{Prefix: p})
	elsewhere := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{})
	connected(t, here, there, elsewhere)

	var members, tenants, others heard
	there.Subscribe(resolve.KindMember, members.add)
	unsubscribe := there.Subscribe(resolve.KindTenant, tenants.add)
	elsewhere.Subscribe(resolve.KindMember, others.add)
	member := resolve.Change{Kind: resolve.KindMember, Tenant: tenant.NewID(), Subject: "ada", Version: 2}
	changed := resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID(), Subject: "acme-corp", Version: 3}
	publish(t, here, changed)
	publish(t, here, member)
	eventually(t, "it arrives", func() bool { return members.count(member) == 1 })
	assert.Equal(t, 1, tenants.count(changed), "in order")
	assert.Zero(t, members.count(changed))

	unsubscribe()
	publish(t, here, changed)
	publish(t, here, member)
	eventually(t, "it arrives", func() bool { return members.count(member) == 2 })
	assert.Equal(t, 1, tenants.count(changed))
	assert.Empty(t, others.all, "of another prefix")
	assert.EqualValues(t, 4, here.Stats().Published)
	assert.EqualValues(t, 4, there.Stats().Received)
	eventually(t, "its own come as well", func() bool { return here.Stats().Received == 4 })
}

func TestMessagesThatCannotBeReadAreIgnored(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	p := prefix()
	b := openBus(t, client, rediscache.BusConfig{Prefix: p})
	var got heard
	connected(t, b)
	b.Subscribe(resolve.KindTenant, got.add)
	for _, text := range []string{
		"", "hello", "{}", `{"v":2,"kind":"tenant"}`, strings.Repeat("x", 1<<20),
		`{"v":1,"kind":"tenant","tenant":"nobody"}`, `{"v":1,"kind":"tenant"}` + strings.Repeat(" ", 2048),
	} {
		require.NoError(t, client.Publish(t.Context(), p+":changes", text).Err())
	}
	change := resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID(), Version: 1}
	publish(t, b, change)
	eventually(t, "the next one arrives", func() bool { return got.count(change) == 1 })
	assert.EqualValues(t, 7, b.Stats().Malformed)
	assert.Len(t, got.all, 1, "what can't be read says nothing, and above all not that all has changed")
	assert.True(t, b.Connected())
}

func TestWhatNoBusCanCarryIsAnErrorAndForgotten(t *testing.T) {
	t.Parallel()
	b := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{})
	require.ErrorContains(t, b.Publish(t.Context(), resolve.Change{}), "a kind is 1 to 32")
	require.ErrorContains(t, b.Publish(t.Context(), resolve.Change{Kind: "x", Subject: strings.Repeat("x", 257)}), "more than 256 bytes")
	assert.Zero(t, b.Stats().PublishErrors)
}

// A subscriber hears that anything may have changed before the bus says that it is connected.
func TestAfterACutEverythingIsForgottenBeforeItIsTrustedAgain(t *testing.T) {
	t.Parallel()
	client, proxy := behindProxy(t)
	var lost, back atomic.Int64
	b := openBus(t, client, rediscache.BusConfig{OnLost: func() { lost.Add(1) }, OnReconnect: func() { back.Add(1) }})
	connected(t, b)
	var tooSoon atomic.Bool
	var all atomic.Int64
	b.Subscribe(resolve.KindKey, func(c resolve.Change) {
		if c.Tenant.IsZero() {
			all.Add(1)
			if b.Connected() {
				tooSoon.Store(true)
			}
		}
	})
	for i := int64(1); i <= 3; i++ {
		proxy.Cut()
		eventually(t, "it is lost", func() bool { return !b.Connected() && lost.Load() == i })
		proxy.Restore()
		eventually(t, "it is back", func() bool { return b.Connected() && back.Load() == i+1 })
		assert.Equal(t, i, all.Load())
	}
	assert.False(t, tooSoon.Load())
	assert.EqualValues(t, 3, b.Stats().Lost)
}

func TestServerThatHangsIsNoticed(t *testing.T) {
	t.Parallel()
	client, proxy := behindProxy(t)
	b := openBus(t, client, rediscache.BusConfig{})
	connected(t, b)
	proxy.Delay(time.Hour, time.Hour)
	began := time.Now()
	eventually(t, "it is lost", func() bool { return !b.Connected() })
	t.Logf("noticed after %s", time.Since(began)) // TestBusIsNotOpenedWithWhatCannotBe has the bound
	proxy.Delay(0, 0)
	connected(t, b)
}

func TestIdleBusStaysConnected(t *testing.T) {
	t.Parallel()
	const silence = 300 * time.Millisecond
	var since atomic.Pointer[time.Time]
	b := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{
		Silence: silence, OnReconnect: func() { now := time.Now(); since.Store(&now) },
	})
	connected(t, b)
	// A machine that stands still for the silence loses it; then it has another try.
	eventually(t, "one connection outlives the silence", func() bool {
		began := since.Load()
		return began != nil && b.Connected() && time.Since(*began) > 3*silence
	})
}

func TestRedisThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	client, proxy := behindProxy(t)
	proxy.Cut()
	b := openBus(t, client, rediscache.BusConfig{})
	require.Error(t, b.Publish(t.Context(), resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID()}))
	assert.False(t, b.Connected())
	proxy.Restore()
	connected(t, b)
	assert.Zero(t, b.Stats().Lost)
}

// The others never lost their connection, and would not know.
func TestBusThatCouldNotPublishTellsItWhenItIsBack(t *testing.T) {
	t.Parallel()
	p := prefix()
	client, proxy := behindProxy(t)
	here := openBus(t, client, rediscache.BusConfig{Prefix: p})
	there := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{Prefix: p})
	connected(t, here, there)
	var members, tenants heard
	there.Subscribe(resolve.KindMember, members.add)
	there.Subscribe(resolve.KindTenant, tenants.add)
	proxy.Cut()
	for range 5 {
		require.Error(t, here.Publish(t.Context(), resolve.Change{Kind: resolve.KindMember, Tenant: tenant.NewID()}))
	}
	require.ErrorIs(t, here.Publish(t.Context(), resolve.Change{Kind: resolve.KindMember, Tenant: tenant.NewID()}), rediscache.ErrAway)
	proxy.Restore()
	eventually(t, "they are told", func() bool { return members.count(resolve.Change{Kind: resolve.KindMember}) > 0 })
	if there.Stats().Lost == 0 { // else it tells its own subscribers that it may have missed any change
		assert.Zero(t, tenants.count(resolve.Change{Kind: resolve.KindTenant}))
	}
	time.Sleep(2 * rediscache.DefaultPingEvery)
	told := members.count(resolve.Change{Kind: resolve.KindMember})
	repeated := here.Stats().PublishErrors - 6 + there.Stats().Lost // each for a reason of its own
	assert.LessOrEqual(t, uint64(told), 1+repeated, "they are told once")
}

func TestPublishDoesNotWaitForAServerThatHangs(t *testing.T) {
	t.Parallel()
	client, proxy := patient(t)
	b := openBus(t, client, rediscache.BusConfig{PublishTimeout: 30 * time.Millisecond})
	connected(t, b)
	proxy.Delay(time.Hour, time.Hour)
	inTime(t, func() {
		for range 10 {
			assert.Error(t, b.Publish(t.Context(), resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID()}))
		}
	})
}

func TestPublisherThatGivesUpSaysNothingOfRedis(t *testing.T) {
	t.Parallel()
	b := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{})
	connected(t, b)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	change := resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID()}
	for range 5 {
		require.ErrorIs(t, b.Publish(over, change), context.Canceled)
	}
	publish(t, b, change)
}

// After unsubscribe has returned nothing is called, and no call is under way.
func TestUnsubscribeWaitsForACallUnderWay(t *testing.T) {
	t.Parallel()
	b := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{})
	connected(t, b)
	called, proceed := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	var calls atomic.Int64
	unsubscribe := b.Subscribe(resolve.KindKey, func(resolve.Change) {
		if calls.Add(1) == 1 {
			close(called)
			<-proceed
			ended.Store(true)
		}
	})
	change := resolve.Change{Kind: resolve.KindKey, Tenant: tenant.NewID()}
	publish(t, b, change)
	<-called
	time.AfterFunc(50*time.Millisecond, func() { close(proceed) })
	unsubscribe()
	assert.True(t, ended.Load())

	var others heard
	b.Subscribe(resolve.KindKey, others.add)
	publish(t, b, change)
	eventually(t, "it arrives", func() bool { return others.count(change) == 1 })
	assert.EqualValues(t, 1, calls.Load())
	unsubscribe() // once more is no harm
}

func TestClosedBusIsNotConnectedAndLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	var lost atomic.Int64
	b := openBus(t, connect(t, serverURL(t)), rediscache.BusConfig{OnLost: func() { lost.Add(1) }})
	connected(t, b)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	assert.False(t, b.Connected())
	assert.Zero(t, lost.Load())
}

func TestBusIsNotOpenedWithWhatCannotBe(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	for _, test := range []struct {
		cfg  rediscache.BusConfig
		want string
	}{
		{rediscache.BusConfig{Silence: 3 * time.Second}, "BusConfig.Silence is 3s, and must be from 10ms to 2s"},
		{rediscache.BusConfig{Silence: 1500}, "BusConfig.Silence is 1.5µs"}, // somebody forgot the unit
		{rediscache.BusConfig{Silence: -1}, "BusConfig.Silence is -1ns"},
		{rediscache.BusConfig{PingEvery: -1}, "BusConfig.PingEvery is -1ns, and must be from 1ms to below Silence, which is 1.5s"},
		{rediscache.BusConfig{PingEvery: 2 * time.Second}, "BusConfig.PingEvery is 2s"},
		{rediscache.BusConfig{PingEvery: 500}, "BusConfig.PingEvery is 500ns"},
		{rediscache.BusConfig{PublishTimeout: time.Minute}, "BusConfig.PublishTimeout is 1m0s"},
	} {
		_, err := rediscache.OpenBus(client, test.cfg)
		assert.ErrorContains(t, err, test.want)
	}
}

// process is what one process has of a service.
type process struct {
	*resolve.Cache
	bus   *rediscache.Bus
	proxy *wire.Proxy
}

func startProcess(t testing.TB, store tenant.Store, url, p string) process {
	t.Helper()
	proxy := wire.NewProxy(t, url)
	client := connect(t, proxy.URL(url))
	b := openBus(t, client, rediscache.BusConfig{Prefix: p})
	return process{Cache: newCache(t, store, newShared(t, client, rediscache.SharedConfig{Prefix: p, Timeout: 100 * time.Millisecond}), b), bus: b, proxy: proxy}
}

// refuses is for how long a process goes on serving until it refuses: how long after the
// change, which the caller has just made, the last one asked who was served.
func (p process) refuses(t testing.TB, ref tenant.Ref) (served time.Duration) {
	t.Helper()
	began := time.Now()
	eventually(t, "it is refused", func() bool {
		asked := time.Since(began)
		got, err := p.Lookup(context.Background(), ref)
		if err != nil || got.Usable() != nil {
			return true
		}
		served = asked
		return false
	})
	return served
}

func (p process) serves(t testing.TB, ref tenant.Ref) {
	t.Helper()
	eventually(t, "it is served", func() bool {
		got, err := p.Lookup(context.Background(), ref)
		return err == nil && got.Usable() == nil
	})
}

func TestRow22_TwoProcessesWithOneRedis(t *testing.T) {
	t.Parallel()
	store, p := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"}), prefix()
	here, there := startProcess(t, store, serverURL(t), p), startProcess(t, store, serverURL(t), p)
	connected(t, here.bus, there.bus)
	ref := tenant.BySlug("acme-corp")
	a, err := store.Lookup(t.Context(), ref)
	require.NoError(t, err)
	set := func(status tenant.Status) {
		now, err := store.SetStatus(a.ID, status)
		require.NoError(t, err)
		here.Put(t.Context(), now)
	}

	there.serves(t, ref)
	set(tenant.StatusSuspended)
	took := there.refuses(t, ref)
	t.Logf("connected: served for %s", took)
	assert.Less(t, took, resolve.MaxCacheTTL)
	set(tenant.StatusActive)
	there.serves(t, ref)

	there.proxy.Cut()
	set(tenant.StatusSuspended)
	took = there.refuses(t, ref)
	t.Logf("the one that hears is cut off: served for %s", took)
	assert.Less(t, took, resolve.MaxCacheTTL)
	set(tenant.StatusActive)
	there.serves(t, ref)
	set(tenant.StatusSuspended)
	there.proxy.Restore()
	connected(t, there.bus)
	got, err := there.Lookup(t.Context(), ref)
	require.NoError(t, err)
	assert.Equal(t, tenant.StatusSuspended, got.Status, "nothing stale once it is back")
	set(tenant.StatusActive)
	there.serves(t, ref)

	there.proxy.Delay(time.Hour, time.Hour)
	set(tenant.StatusSuspended)
	took = there.refuses(t, ref)
	t.Logf("Redis hangs: served for %s", took)
	assert.Less(t, took, resolve.MaxCacheTTL+200*time.Millisecond)
	there.proxy.Delay(0, 0)
	connected(t, there.bus)
	set(tenant.StatusActive)
	there.serves(t, ref)

	here.proxy.Cut() // the one that tells
	set(tenant.StatusSuspended)
	there.Outdate(t.Context(), a.ID, there.versionIn(t, store, a.ID)) // as a follower of the events does
	got, err = there.Lookup(t.Context(), ref)
	require.NoError(t, err)
	assert.Equal(t, tenant.StatusSuspended, got.Status)
	set(tenant.StatusActive)
	here.proxy.Restore()
	there.serves(t, ref) // without a follower: the bus that comes back says that it was away
}

func (process) versionIn(t testing.TB, store tenant.Store, id tenant.ID) int64 {
	t.Helper()
	now, err := store.Lookup(context.Background(), tenant.ByID(id))
	require.NoError(t, err)
	return now.Version
}

func TestRedisThatIsRestartedLeavesNothingStale(t *testing.T) {
	t.Parallel()
	first, err := localserver.StartRedis(t.Context(), localserver.RedisConfig{})
	require.NoError(t, err)
	defer first.Close()
	store, p := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"}), prefix()
	proc := startProcess(t, store, first.URL(), p)
	connected(t, proc.bus)
	ref := tenant.BySlug("acme-corp")
	a, err := proc.Lookup(t.Context(), ref)
	require.NoError(t, err)
	require.NoError(t, first.Close())
	eventually(t, "it is lost", func() bool { return !proc.bus.Connected() })
	_, err = store.SetStatus(a.ID, tenant.StatusSuspended) // by a process that tells nobody
	require.NoError(t, err)
	assert.Less(t, proc.refuses(t, ref), resolve.MaxCacheTTL)
}
