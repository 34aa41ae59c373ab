package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

func leasePlan() quota.Plan {
	hot := hourly("hot", 1000)
	hot.Lease = true
	return quota.Plan{Rates: []quota.Rate{hot, hourly("rare", 3)}, Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 1}}}
}

func TestLeaseGrowsWhileItIsUsedUpAndComesBack(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	backend := quota.NewMemory(clock.Now)
	l := newLimiter(t, backend, leasePlan(), quota.Config{Now: clock.Now})
	acme := newTenant()
	remaining := func() int64 {
		a, err := backend.Admit(t.Context(), acme.ID, quota.Ask{Rates: []quota.RateAsk{{Name: "hot", Interval: time.Hour, Burst: 1000}}})
		require.NoError(t, err)
		return a.Rates[0].Remaining
	}
	sources := map[quota.Source]int{}
	for range 300 {
		d := admit(t, l, acme, cost("hot", 1))
		require.True(t, d.Allowed)
		sources[d.Source]++
		clock.Pass(time.Millisecond)
	}
	assert.Less(t, sources[quota.SourceBackend], 15)
	assert.Equal(t, 300, sources[quota.SourceBackend]+sources[quota.SourceLease])
	assert.LessOrEqual(t, l.Stats().LeasedTokens, int64(100), "a tenth of the bucket")
	assert.Equal(t, int64(700), remaining()+l.Stats().LeasedTokens)

	clock.Pass(1100 * time.Millisecond)
	l.Tidy()
	assert.Zero(t, l.Stats().LeasedTokens, "given back when it was idle for half its time")
	assert.Equal(t, int64(700), remaining())

	for range 3 {
		d := admit(t, l, acme, cost("hot", 1))
		assert.Equal(t, quota.SourceBackend, d.Source, "now and then is not worth a lease")
		clock.Pass(10 * time.Second)
	}
	assert.Zero(t, l.Stats().LeasedTokens)

	for range 10 {
		admit(t, l, acme, cost("hot", 1))
	}
	require.Positive(t, l.Stats().LeasedTokens)
	require.NoError(t, l.Close(t.Context()))
	assert.Equal(t, int64(687), remaining(), "given back by Close")
}

func TestTenantsOfWhomNothingIsHeldAreForgotten(t *testing.T) {
	t.Parallel()
	l, clock := inMemory(t, leasePlan(), quota.Config{MaxTenants: 2})
	for range 5 {
		in := newTenant()
		for range 3 {
			require.True(t, admit(t, l, in, cost("hot", 1)).Allowed, "with or without room for a lease")
		}
	}
	assert.EqualValues(t, 2, l.Stats().Tenants)
	clock.Pass(2 * time.Minute)
	l.Tidy() // gives back
	l.Tidy()
	assert.Zero(t, l.Stats().Tenants)
}

func TestRequestThatIsRefusedLeavesTheLeaseAsItWas(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, leasePlan(), quota.Config{RememberDenials: -1})
	acme := newTenant()
	for range 22 {
		admit(t, l, acme, cost("hot", 1))
	}
	held := l.Stats().LeasedTokens
	require.Positive(t, held)
	both := quota.Request{Costs: []quota.Cost{{Limit: "hot", N: 1}, {Limit: "rare", N: 3}}}
	d := admit(t, l, acme, both)
	require.True(t, d.Allowed)
	assert.Equal(t, quota.SourceLease, d.Source, "of two sources the one further from the truth")
	assert.Equal(t, held-1, l.Stats().LeasedTokens, "one limit by the lease, the other by the backend")
	require.False(t, admit(t, l, acme, both).Allowed)
	assert.Equal(t, held-1, l.Stats().LeasedTokens)
}

func TestRefusalIsRepeatedFromMemory(t *testing.T) {
	t.Parallel()
	l, clock := inMemory(t, quota.Plan{Rates: []quota.Rate{{Name: "requests", Limit: 1, Per: 10 * time.Second, Burst: 4}}}, quota.Config{RememberDenials: 30 * time.Second})
	acme := newTenant()
	admit(t, l, acme, cost("requests", 2))
	for i := range 3 {
		d := admit(t, l, acme, cost("requests", 3))
		assert.False(t, d.Allowed)
		assert.Equal(t, 10*time.Second, d.RetryAfter)
		assert.Equal(t, "requests", d.Binding)
		assert.EqualValues(t, 2, d.Limits[0].Remaining)
		if i > 0 {
			assert.Equal(t, quota.SourceMemory, d.Source)
			assert.ErrorContains(t, d.Err(), "quota_exceeded")
		}
	}
	assert.EqualValues(t, 2, l.Stats().BackendCalls)
	d := admit(t, l, acme, cost("requests", 1))
	assert.True(t, d.Allowed, "a smaller cost was not refused")
	assert.Equal(t, quota.SourceBackend, d.Source)
	assert.Equal(t, quota.SourceBackend, admit(t, l, newTenant(), cost("requests", 3)).Source, "another tenant was not either")

	clock.Pass(20 * time.Second)
	assert.True(t, admit(t, l, acme, cost("requests", 3)).Allowed)
}

func TestRefusalFromMemoryTellsWhenThereIsWhatWasAsked(t *testing.T) {
	t.Parallel()
	l, clock := inMemory(t, quota.Plan{Rates: []quota.Rate{{Name: "requests", Limit: 1, Per: 10 * time.Second, Burst: 4}}}, quota.Config{RememberDenials: 30 * time.Second})
	acme := newTenant()
	require.True(t, admit(t, l, acme, cost("requests", 4)).Allowed)
	require.False(t, admit(t, l, acme, cost("requests", 1)).Allowed)
	clock.Pass(time.Second)
	for _, test := range []struct {
		cost quota.Cost
		want time.Duration
	}{
		{quota.Cost{Limit: "requests", N: 1}, 9 * time.Second},
		{quota.Cost{Limit: "requests", N: 3}, 29 * time.Second},
		{quota.Cost{Limit: "requests", N: 3, AtMost: true}, 9 * time.Second},
	} {
		d := admit(t, l, acme, quota.Request{Costs: []quota.Cost{test.cost}})
		assert.Equal(t, quota.SourceMemory, d.Source)
		assert.Equal(t, test.want, d.RetryAfter, "%+v", test.cost)
		assert.Equal(t, test.want, d.Limits[0].RetryAfter, "%+v", test.cost)
	}
	_, err := l.Admit(t.Context(), acme, cost("requests", 5))
	var tooMuch *quota.CostError
	require.ErrorAs(t, err, &tooMuch, "which no waiting helps")
}

func TestCloseTellsWhatItCouldNotGiveBack(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, leasePlan(), quota.Config{})
	acme := newTenant()
	for range 22 {
		admit(t, l, acme, cost("hot", 1))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Close(ended), context.Canceled)
}

func TestLeaseIsNotUsedPastItsTime(t *testing.T) {
	t.Parallel()
	// Long, for what gives leases back in the background wakes up by the real time.
	l, clock := inMemory(t, leasePlan(), quota.Config{Lease: quota.LeaseConfig{TTL: quota.MaxLeaseTTL}})
	acme := newTenant()
	for range 22 {
		admit(t, l, acme, cost("hot", 1))
	}
	require.Positive(t, l.Stats().LeasedTokens)
	clock.Pass(quota.MaxLeaseTTL - time.Millisecond)
	assert.Equal(t, quota.SourceLease, admit(t, l, acme, cost("hot", 1)).Source)
	clock.Pass(time.Millisecond)
	assert.Equal(t, quota.SourceBackend, admit(t, l, acme, cost("hot", 1)).Source)
}

// Row 37: while processes learn of a larger plan one after the other, a lease that comes back
// from one that knows the smaller does not bring back what was used by the larger.
func TestLeaseOfASmallerPlanBringsNothingElseBack(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	backend := quota.NewMemory(clock.Now)
	process := func(burst int64) *quota.Limiter {
		hot := hourly("hot", burst)
		hot.Lease = true
		return newLimiter(t, backend, quota.Plan{Rates: []quota.Rate{hot}}, quota.Config{Now: clock.Now, RememberDenials: -1, Lease: quota.LeaseConfig{TTL: time.Minute}})
	}
	late, early := process(100), process(1000)
	acme := newTenant()
	admitted := 0
	take := func(l *quota.Limiter) bool {
		d := admit(t, l, acme, cost("hot", 1))
		if d.Allowed {
			admitted++
		}
		return d.Allowed
	}
	for range 22 {
		require.True(t, take(late))
	}
	require.Positive(t, late.Stats().LeasedTokens)
	for admitted < 900 {
		require.True(t, take(early))
	}
	require.NoError(t, late.Close(t.Context()))
	for take(early) {
	}
	assert.Equal(t, 1000, admitted)
}

// What a lease has left goes back with the call that renews it, so it is nobody's meanwhile.
func TestLeaseIsNotUsedWhileItIsRenewed(t *testing.T) {
	t.Parallel()
	backend := &meanwhile{Backend: quota.NewMemory(nil)}
	l := newLimiter(t, backend, leasePlan(), quota.Config{Lease: quota.LeaseConfig{TTL: time.Minute}, Timeout: 10 * time.Second})
	acme := newTenant()
	for range 22 {
		admit(t, l, acme, cost("hot", 1))
	}
	require.Positive(t, l.Stats().LeasedTokens)
	asked := false
	backend.do = func() {
		asked = true
		assert.Zero(t, l.Stats().LeasedTokens)
		assert.Equal(t, quota.SourceBackend, admit(t, l, acme, cost("hot", 1)).Source)
	}
	assert.Equal(t, quota.SourceBackend, admit(t, l, acme, cost("hot", 99)).Source)
	assert.True(t, asked)
	assert.Positive(t, l.Stats().LeasedTokens)
}

// meanwhile is a backend during whose next call something else is done.
type meanwhile struct {
	quota.Backend
	do func()
}

func (b *meanwhile) Admit(ctx context.Context, in tenant.ID, ask quota.Ask) (quota.Answer, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Backend.Admit(ctx, in, ask)
}

// Row 37: nor do lost calls make a limit over-admit.
func TestLeaseWhoseRenewalIsLostIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]int{"before it is done": 2, "after it is done": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := &lossy{Backend: quota.NewMemory(nil)}
			l := newLimiter(t, backend, leasePlan(), quota.Config{RememberDenials: -1, Lease: quota.LeaseConfig{TTL: time.Minute}, Breaker: quota.BreakerConfig{Failures: -1}})
			acme := newTenant()
			admitted := 0
			for i := range 3000 {
				if i%7 == 0 {
					backend.lose = lose
				}
				if admit(t, l, acme, cost("hot", 1)).Allowed {
					admitted++
				}
			}
			assert.LessOrEqual(t, admitted, 1000)
			assert.GreaterOrEqual(t, admitted, 100, "what was in lost leases is missing until they end")
		})
	}
}
