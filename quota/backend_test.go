package quota_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/quotatest"
)

func TestMemoryIsABackend(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	quotatest.RunBackend(t, quotatest.Harness{Backend: quota.NewMemory(clock.Now), Advance: clock.Pass})
}

func TestRedisIsABackend(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *quota.Redis{
		"Redis": openRedis, "Miniredis": openMiniredis, "Cluster": openCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend, clock := open(t), testclock.At(time.Now())
			backend.SetClock(clock.Now)
			quotatest.RunBackend(t, quotatest.Harness{Backend: backend, Advance: clock.Pass})
		})
	}
}

func TestRedisIsABackendByItsOwnClock(t *testing.T) {
	t.Parallel()
	quotatest.RunBackend(t, quotatest.Harness{Backend: openRedis(t)})
}

func TestIdleTenantsLeaveNothingInRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	backend := newRedis(t, client)
	now := time.Now()
	for i := range 3 {
		in := newTenant().ID
		a, err := backend.Admit(t.Context(), in, quota.Ask{
			Rates: []quota.RateAsk{{Name: "fast", Interval: 20 * time.Millisecond, Burst: 5, Cost: 5, Lease: quota.LeaseAsk{ID: "a", Want: 1, TTL: time.Millisecond}}},
			Slots: []quota.SlotAsk{{Name: "jobs", Limit: 1, ID: "a", TTL: 50 * time.Millisecond}},
			Units: []quota.UnitsAsk{{Name: "exports", Period: quota.Period{Start: now.Add(-time.Hour), End: now.Add(time.Hour)}, Limit: -1, Cost: 1, Seeded: true}},
			Keep:  100 * time.Millisecond,
		})
		require.NoError(t, err)
		require.True(t, a.Admitted)
		if i == 0 { // a renewal keeps the set as well
			_, err = backend.Renew(t.Context(), in, quota.HeldSlot{Name: "jobs", ID: "a"}, 200*time.Millisecond)
			require.NoError(t, err)
		}
		require.NoError(t, backend.Return(t.Context(), in, quota.Back{Rates: []quota.RateBack{{Name: "fast", Tokens: 1}}}))
		_, err = backend.Admit(t.Context(), newTenant().ID, quota.Ask{Rates: []quota.RateAsk{{Name: "looked at", Interval: time.Hour, Burst: 5}}})
		require.NoError(t, err)
	}
	size, err := client.DBSize(t.Context()).Result()
	require.NoError(t, err)
	assert.LessOrEqual(t, size, int64(6), "a hash and a set for each, and nothing for who only looks")
	require.Eventually(t, func() bool {
		size, err := client.DBSize(t.Context()).Result()
		return err == nil && size == 0
	}, 10*time.Second, 20*time.Millisecond)
}

// What a change of the plan makes of a bucket is kept also when the request takes nothing.
func TestChangedPlanIsKeptByALook(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	real := openRedis(t)
	real.SetClock(clock.Now)
	for _, backend := range []quota.Backend{quota.NewMemory(clock.Now), real} {
		in := newTenant().ID
		ask := func(interval time.Duration, cost int64) quota.RateAnswer {
			a, err := backend.Admit(t.Context(), in, quota.Ask{Rates: []quota.RateAsk{{Name: "r", Interval: interval, Burst: 10, Cost: cost}}, Keep: 24 * time.Hour})
			require.NoError(t, err)
			return a.Rates[0]
		}
		ask(time.Hour, 10)
		assert.Equal(t, 20*time.Hour, ask(2*time.Hour, 0).ResetAfter)
		clock.Pass(time.Hour)
		assert.Equal(t, 19*time.Hour, ask(2*time.Hour, 0).ResetAfter, "%T", backend)
	}
}

// Slots may be held for different times, and what the hash says of their set is not to
// outlast the shortest.
func TestSlotsOfDifferentTimesEndEachAtItsOwn(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	backend, clock := newRedis(t, client), testclock.At(time.Now())
	backend.SetClock(clock.Now)
	in := newTenant().ID
	acquire := func(id string, ttl time.Duration) int64 {
		a, err := backend.Admit(t.Context(), in, quota.Ask{Slots: []quota.SlotAsk{{Name: "jobs", Limit: 9, ID: id, TTL: ttl}}, Keep: ttl})
		require.NoError(t, err)
		return a.Slots[0].Held
	}
	life := func() time.Duration {
		life, err := client.PTTL(t.Context(), "q:{"+in.String()+"}:c:jobs").Result()
		require.NoError(t, err)
		return life
	}
	assert.EqualValues(t, 1, acquire("a", time.Minute))
	assert.EqualValues(t, 2, acquire("b", time.Second))
	assert.Greater(t, life(), time.Minute, "the one that lasts longer is not to end with the set")
	assert.EqualValues(t, 3, acquire("c", time.Minute))
	clock.Pass(2 * time.Second)
	assert.EqualValues(t, 3, acquire("d", time.Minute), "b has ended")

	for _, id := range []string{"a", "c", "d"} {
		require.NoError(t, backend.Return(t.Context(), in, quota.Back{Slots: []quota.HeldSlot{{Name: "jobs", ID: id}}}))
	}
	assert.EqualValues(t, 1, acquire("e", time.Minute))
	assert.Greater(t, life(), time.Minute, "the set is a new one")
}

// A tenant is told to Redis to be kept only now and then, which is never too late.
func TestTenantIsKeptForAsLongAsItsLastCallSays(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	backend, clock := newRedis(t, client), testclock.At(time.Now())
	backend.SetClock(clock.Now)
	in := newTenant().ID
	for _, keep := range []time.Duration{time.Minute, time.Hour, time.Minute, 2 * time.Hour} {
		for range 3 {
			clock.Pass(keep / 3)
			_, err := backend.Admit(t.Context(), in, quota.Ask{Rates: []quota.RateAsk{{Name: "r", Interval: time.Second, Burst: 9, Cost: 1}}, Keep: keep})
			require.NoError(t, err)
			life, err := client.PTTL(t.Context(), "q:{"+in.String()+"}").Result()
			require.NoError(t, err)
			assert.Greater(t, life, keep-time.Second)
		}
	}
}
