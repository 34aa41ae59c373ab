package rediscache_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func newShared(t testing.TB, client redis.UniversalClient, cfg rediscache.SharedConfig) *rediscache.Shared {
	t.Helper()
	if cfg.Prefix == "" {
		cfg.Prefix = prefix()
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Second // the machine of the tests may be busy
	}
	s, err := rediscache.NewShared(client, cfg)
	require.NoError(t, err)
	return s
}

func get(t *testing.T, s *rediscache.Shared, ref tenant.Ref) (tenant.Tenant, bool) {
	t.Helper()
	got, age, found, err := s.Get(t.Context(), ref)
	require.NoError(t, err)
	if found {
		assert.Positive(t, age)
		assert.Less(t, age, resolve.MaxConnectedTTL)
	}
	return got, found
}

// wantNone demands that nothing is known.
func wantNone(t *testing.T, s *rediscache.Shared, ref tenant.Ref, why string) {
	t.Helper()
	got, found := get(t, s, ref)
	assert.False(t, found, "%s: %v", why, got)
	assert.Zero(t, got)
}

func TestWhatIsSetIsFoundByEachOfItsNames(t *testing.T) {
	t.Parallel()
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	want, domain := acme(), tenant.ByDomain("notes.acme.example")
	refs := []tenant.Ref{tenant.BySlug(want.Slug), tenant.ByID(want.ID), domain}
	for _, ref := range append(refs, tenant.Ref{}) {
		wantNone(t, s, ref, "before")
	}
	require.NoError(t, s.Set(t.Context(), domain, want, 0))
	for _, ref := range refs {
		got, found := get(t, s, ref)
		assert.True(t, found, "%v", ref)
		assert.Equal(t, want, got)
	}
	wantNone(t, s, tenant.BySlug("beta-industries"), "another")
	wantNone(t, newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{}), refs[0], "another prefix")
}

func TestOlderVersionNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	for _, version := range []int64{2, 1 << 53, math.MaxInt64} { // Lua would not tell the greater ones from their neighbours
		older, newer := acme(), acme()
		newer.ID, newer.Version, newer.Status = older.ID, version, tenant.StatusSuspended
		older.Version = version - 1
		ref := tenant.ByID(older.ID)
		require.NoError(t, s.Set(t.Context(), ref, newer, 0))
		require.NoError(t, s.Set(t.Context(), ref, older, 0))
		got, _ := get(t, s, ref)
		assert.Equal(t, newer, got)

		older.Version, newer.Version = version, version
		newer.Name = "read earlier"
		require.NoError(t, s.Set(t.Context(), ref, newer, 10*time.Second))
		_, age, _, err := s.Get(t.Context(), ref)
		require.NoError(t, err)
		assert.Less(t, age, 9*time.Second, "of two reads of one version the later stays")
	}
}

func TestForgottenVersionIsNotSetAgain(t *testing.T) {
	t.Parallel()
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	a := acme()
	ref, slug := tenant.ByID(a.ID), tenant.BySlug(a.Slug)
	require.NoError(t, s.Set(t.Context(), slug, a, 0))
	require.NoError(t, s.Forget(t.Context(), a.ID, a.Version))
	_, found := get(t, s, slug)
	assert.True(t, found, "it is not older than that")

	require.NoError(t, s.Forget(t.Context(), a.ID, a.Version+1))
	wantNone(t, s, slug, "forgotten")
	require.NoError(t, s.Set(t.Context(), slug, a, 0)) // by somebody who has read it before
	wantNone(t, s, ref, "a load that comes late")
	require.NoError(t, s.Forget(t.Context(), a.ID, a.Version))
	require.NoError(t, s.Set(t.Context(), slug, a, 0))
	wantNone(t, s, ref, "an older change that is told late")
	require.NoError(t, s.Forget(t.Context(), a.ID, 0))
	require.NoError(t, s.Set(t.Context(), slug, a, 0))
	wantNone(t, s, ref, "a change without a version does not undo one with it")

	a.Version++
	require.NoError(t, s.Set(t.Context(), slug, a, 0))
	got, _ := get(t, s, slug)
	assert.Equal(t, a, got)
	require.NoError(t, s.Forget(t.Context(), a.ID, 0))
	wantNone(t, s, ref, "whatever there was")
}

func TestDomainIsKnownForTheVersionOfWhichItWasFound(t *testing.T) {
	t.Parallel()
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	a, b, domain := acme(), acme(), tenant.ByDomain("notes.example")
	b.Slug = "beta-industries"
	require.NoError(t, s.Set(t.Context(), domain, a, 0))
	a.Version++ // the domain was taken away
	require.NoError(t, s.Set(t.Context(), tenant.BySlug(a.Slug), a, 0))
	wantNone(t, s, domain, "taken away")
	require.NoError(t, s.Set(t.Context(), domain, b, 0))
	got, _ := get(t, s, domain)
	assert.Equal(t, b, got)
}

func TestRow21_FormerSlugLeadsToItsTenantAndSoToGone(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	here, there := newCache(t, store, s, nil), newCache(t, store, s, nil)
	a, err := here.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	a, err = store.Rename(a.ID, "acme-labs")
	require.NoError(t, err)
	here.Put(t.Context(), a)
	_, err = there.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.ErrorIs(t, err, tenant.ErrGone)
	got, err := there.Lookup(t.Context(), tenant.BySlug("acme-labs"))
	require.NoError(t, err)
	assert.Equal(t, a, got)
	assert.Zero(t, there.Stats().Loads)
}

func newCache(t testing.TB, store tenant.Store, shared resolve.Shared, bus resolve.Bus) *resolve.Cache {
	t.Helper()
	cfg := resolve.CacheConfig{Shared: shared}
	if bus != nil {
		cfg.Bus = bus
	}
	c, err := resolve.NewCache(store, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func TestColdLookupIsOneTrip(t *testing.T) {
	t.Parallel()
	client, proxy := behindProxy(t)
	s := newShared(t, client, rediscache.SharedConfig{})
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	a, err := store.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	require.NoError(t, store.AddDomain(a.ID, "notes.acme.example"))
	refs := []tenant.Ref{tenant.BySlug("acme-corp"), tenant.ByDomain("notes.acme.example"), tenant.ByID(a.ID)}
	for _, ref := range refs { // the scripts are there, as they are from the first use on
		_, err := newCache(t, store, s, nil).Lookup(t.Context(), ref)
		require.NoError(t, err)
	}
	var count trips
	client.AddHook(&count)
	for _, ref := range refs {
		cache := newCache(t, store, s, nil)
		proxy.Reset()
		_, err := cache.Lookup(t.Context(), ref)
		require.NoError(t, err)
		assert.Equal(t, 1, count.take(), "%v", ref)
		assert.Zero(t, cache.Stats().Loads, "the store is not asked")
		assert.Positive(t, proxy.Stats().ToServer, "it went over the wire")
		_, err = cache.Lookup(t.Context(), ref)
		require.NoError(t, err)
		assert.Zero(t, count.take(), "%v: known by now", ref)
	}
	_, err = newCache(t, store, s, nil).Lookup(t.Context(), tenant.BySlug("nobody"))
	require.ErrorIs(t, err, tenant.ErrNotFound)
	assert.Equal(t, 1, count.take(), "a name that leads nowhere is not shared")
}

func TestAgeGoesOnInRedis(t *testing.T) {
	t.Parallel()
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	a := acme()
	require.NoError(t, s.Set(t.Context(), tenant.ByID(a.ID), a, 10*time.Second))
	_, age, found, err := s.Get(t.Context(), tenant.ByID(a.ID))
	require.NoError(t, err)
	assert.True(t, found)
	assert.GreaterOrEqual(t, age, 10*time.Second)
	assert.Less(t, age, 20*time.Second)

	b := acme()
	require.NoError(t, s.Set(t.Context(), tenant.ByID(b.ID), b, resolve.MaxConnectedTTL))
	wantNone(t, s, tenant.ByID(b.ID), "too old to be of use")
}

func TestEverythingInRedisExpires(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	p := prefix()
	s := newShared(t, client, rediscache.SharedConfig{Prefix: p})
	a, b := acme(), acme()
	require.NoError(t, s.Set(t.Context(), tenant.ByDomain("notes.acme.example"), a, 0))
	require.NoError(t, s.Forget(t.Context(), b.ID, 2))
	keys, err := client.Keys(t.Context(), "{"+p+"}:*").Result()
	require.NoError(t, err)
	assert.Len(t, keys, 4)
	for _, key := range keys {
		life, err := client.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		assert.Positive(t, life, key)
		if strings.Contains(key, "}:i:") {
			assert.LessOrEqual(t, life, resolve.MaxConnectedTTL, key)
		}
	}
}

func TestWhatCannotBeReadIsAMiss(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	p := prefix()
	s := newShared(t, client, rediscache.SharedConfig{Prefix: p})
	a := acme()
	slug := tenant.BySlug(a.Slug)
	valueKey, aliasKey := "{"+p+"}:i:"+a.ID.String(), "{"+p+"}:s:"+string(a.Slug)
	require.NoError(t, s.Set(t.Context(), slug, a, 0))
	good, err := client.Get(t.Context(), valueKey).Result()
	require.NoError(t, err)

	for name, value := range map[string]string{
		"nothing":            "",
		"text":               "hello",
		"another format":     "2" + good[1:],
		"another version":    good[:16] + "9" + good[17:],
		"no version":         "1" + strings.Repeat("x", 16) + good[17:],
		"no time":            good[:17] + strings.Repeat("x", 14) + good[31:],
		"half of it":         good[:len(good)/2],
		"other JSON":         good[:31] + "[]",
		"no tenant":          good[:31] + "{}",
		"an unknown status":  strings.Replace(good, `"active"`, `"blessed"`, 1),
		"being set up":       strings.Replace(good, `"active"`, `"provisioning"`, 1),
		"far too much":       good + strings.Repeat(" ", 5000),
		"another tenant's":   strings.Replace(good, a.ID.String(), tenant.NewID().String(), 1),
		"an alias of itself": "a" + good[1:17] + a.ID.String(),
	} {
		require.NoError(t, client.Set(t.Context(), valueKey, value, time.Minute).Err())
		before := s.Stats().Corrupt
		wantNone(t, s, tenant.ByID(a.ID), name)
		if value != "" && name != "an alias of itself" {
			assert.Greater(t, s.Stats().Corrupt, before, name)
		}
		require.NoError(t, s.Forget(t.Context(), a.ID, 0), name)
		require.NoError(t, client.Del(t.Context(), valueKey).Err())
		require.NoError(t, s.Set(t.Context(), slug, a, 0), name)
		got, found := get(t, s, slug)
		assert.True(t, found && got == a, name)
	}
	require.NoError(t, client.Set(t.Context(), aliasKey, "a", time.Minute).Err())
	wantNone(t, s, slug, "an alias of nobody")
	require.NoError(t, client.Del(t.Context(), aliasKey, valueKey).Err())
	require.NoError(t, client.LPush(t.Context(), valueKey, "a list").Err())
	wantNone(t, s, tenant.ByID(a.ID), "another type")
	assert.False(t, s.Stats().Away, "a wrong value is no failure of the server")

	future := good[:17] + "99999999999999" + good[31:]
	require.NoError(t, client.Del(t.Context(), valueKey).Err())
	require.NoError(t, client.Set(t.Context(), valueKey, future, time.Minute).Err())
	wantNone(t, s, tenant.ByID(a.ID), "of the future")
	past := good[:17] + "00000000000001" + good[31:]
	require.NoError(t, client.Set(t.Context(), valueKey, past, time.Minute).Err())
	wantNone(t, s, tenant.ByID(a.ID), "older than anything may be")
}

func TestRedisThatIsAwayIsLeftAlone(t *testing.T) {
	t.Parallel()
	client, proxy := behindProxy(t)
	s := newShared(t, client, rediscache.SharedConfig{})
	a := acme()
	proxy.Cut()
	for range 3 {
		_, _, _, err := s.Get(t.Context(), tenant.ByID(a.ID))
		require.Error(t, err)
		require.NotErrorIs(t, err, rediscache.ErrAway)
	}
	assert.True(t, s.Stats().Away)
	var count trips
	client.AddHook(&count)
	_, _, _, err := s.Get(t.Context(), tenant.ByID(a.ID))
	require.ErrorIs(t, err, rediscache.ErrAway)
	require.ErrorIs(t, s.Set(t.Context(), tenant.ByID(a.ID), a, 0), rediscache.ErrAway)
	require.ErrorIs(t, s.Forget(t.Context(), a.ID, 1), rediscache.ErrAway)
	assert.Zero(t, count.take())

	proxy.Restore()
	eventually(t, "it is tried again", func() bool { return s.Set(t.Context(), tenant.ByID(a.ID), a, 0) == nil })
	assert.False(t, s.Stats().Away)
	_, found := get(t, s, tenant.ByID(a.ID))
	assert.True(t, found)
}

func TestRedisThatHangsCostsARequestLittle(t *testing.T) {
	t.Parallel()
	client, proxy := patient(t)
	s := newShared(t, client, rediscache.SharedConfig{Timeout: 30 * time.Millisecond})
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	proxy.Delay(time.Hour, time.Hour)
	inTime(t, func() {
		for range 10 {
			_, err := newCache(t, store, s, nil).Lookup(t.Context(), tenant.BySlug("acme-corp"))
			assert.NoError(t, err)
		}
	})
	assert.True(t, s.Stats().Away)
}

func TestCallerThatGivesUpSaysNothingOfRedis(t *testing.T) {
	t.Parallel()
	s := newShared(t, connect(t, serverURL(t)), rediscache.SharedConfig{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		_, _, _, err := s.Get(over, tenant.BySlug("acme-corp"))
		require.ErrorIs(t, err, context.Canceled)
	}
	assert.False(t, s.Stats().Away)
}

func TestFlushedRedisIsFilledAgain(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	p := prefix()
	s := newShared(t, client, rediscache.SharedConfig{Prefix: p})
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	for range 2 {
		first := newCache(t, store, s, nil)
		_, err := first.Lookup(t.Context(), tenant.BySlug("acme-corp"))
		require.NoError(t, err)
		assert.EqualValues(t, 1, first.Stats().Loads)
		second := newCache(t, store, s, nil)
		_, err = second.Lookup(t.Context(), tenant.BySlug("acme-corp"))
		require.NoError(t, err)
		assert.Zero(t, second.Stats().Loads)
		keys, err := client.Keys(t.Context(), "{"+p+"}:*").Result()
		require.NoError(t, err)
		require.NoError(t, client.Del(t.Context(), keys...).Err())
		require.NoError(t, client.ScriptFlush(t.Context()).Err(), "as after a restart")
	}
}

func TestTenantThatIsTooBigIsNotSet(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	s := newShared(t, client, rediscache.SharedConfig{})
	var count trips
	client.AddHook(&count)
	a := acme()
	a.Plan = strings.Repeat("x", 5000)
	require.ErrorContains(t, s.Set(t.Context(), tenant.ByID(a.ID), a, 0), "more than 4096")
	wantNone(t, s, tenant.ByDomain(strings.Repeat("x", 10_000)), "nobody has such a domain")
	assert.Zero(t, count.take())
}

func TestSharedIsNotMadeOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	deaf := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer deaf.Close()
	deafCluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	defer deafCluster.Close()
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	good := connect(t, serverURL(t))
	for _, test := range []struct {
		client redis.UniversalClient
		cfg    rediscache.SharedConfig
		want   string
	}{
		{nil, rediscache.SharedConfig{}, "the client is nil"},
		{deaf, rediscache.SharedConfig{}, "make it with ContextTimeoutEnabled: true"},
		{deafCluster, rediscache.SharedConfig{}, "make it with ContextTimeoutEnabled: true"},
		{ring, rediscache.SharedConfig{}, "the client is a Ring"},
		{good, rediscache.SharedConfig{Prefix: "a{b}"}, "SharedConfig.Prefix has a character '{'"},
		{good, rediscache.SharedConfig{Prefix: strings.Repeat("x", 65)}, "has 65 characters, more than 64"},
		{good, rediscache.SharedConfig{Timeout: 2 * time.Second}, "SharedConfig.Timeout is 2s"},
		{good, rediscache.SharedConfig{Timeout: -1}, "must be from 1ms to 1s"},
		{good, rediscache.SharedConfig{Timeout: 50}, "SharedConfig.Timeout is 50ns"}, // somebody forgot the unit
	} {
		_, err := rediscache.NewShared(test.client, test.cfg)
		assert.ErrorContains(t, err, test.want)
		_, err = rediscache.OpenBus(test.client, rediscache.BusConfig{Prefix: test.cfg.Prefix, PublishTimeout: test.cfg.Timeout})
		assert.ErrorContains(t, err, strings.ReplaceAll(strings.ReplaceAll(test.want, "SharedConfig.Timeout", "BusConfig.PublishTimeout"), "SharedConfig", "BusConfig"))
	}
	_, err := rediscache.NewShared(own{good}, rediscache.SharedConfig{})
	require.NoError(t, err, "a client of one's own")
}

// own is a client of somebody's own.
type own struct{ redis.UniversalClient }
