package quota_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// panicking is a backend, or a source of units, of somebody who made a mistake.
type panicking struct {
	quota.Backend
	panics bool
}

func (p *panicking) Admit(ctx context.Context, in tenant.ID, ask quota.Ask) (quota.Answer, error) {
	if p.panics {
		panic("a mistake")
	}
	return p.Backend.Admit(ctx, in, ask)
}

func TestBackendThatPanicsIsAskedAgain(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	backend := &panicking{Backend: quota.NewMemory(clock.Now)}
	l := newLimiter(t, backend, leasePlan(), quota.Config{Now: clock.Now, Breaker: quota.BreakerConfig{Failures: 1, Pause: time.Second}})
	acme := newTenant()
	for range 22 {
		require.True(t, admit(t, l, acme, cost("hot", 1)).Allowed)
	}
	backend.panics = true
	assert.Panics(t, func() {
		_, _ = l.Admit(t.Context(), acme, quota.Request{Costs: []quota.Cost{{Limit: "hot", N: 90}, {Limit: "rare", N: 1}}})
	})
	assert.False(t, l.Stats().BreakerOpen)
	clock.Pass(time.Second)
	assert.Panics(t, func() { _, _ = l.Admit(t.Context(), acme, cost("rare", 1)) })

	backend.panics = false
	clock.Pass(time.Second)
	assert.Equal(t, quota.SourceBackend, admit(t, l, acme, cost("rare", 1)).Source)
	for range 22 {
		admit(t, l, acme, cost("hot", 1))
	}
	assert.Positive(t, l.Stats().LeasedTokens, "and leases are renewed")
}

// A source of units that hangs is not Redis's fault.
func TestSlowSourceOfUnitsLeavesTimeForTheBackend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		truth := &ledger{slow: time.Hour}
		l := newLimiter(t, quota.NewMemory(nil), quota.Plan{
			Rates: []quota.Rate{hourly("requests", 10)}, Units: []quota.Units{{Name: "open", Limit: 10, WhenAway: quota.Open}},
		}, quota.Config{Units: truth, Timeout: 200 * time.Millisecond, Breaker: quota.BreakerConfig{Failures: 1}})
		d := admit(t, l, newTenant(), quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, {Limit: "open", N: 2}}})
		assert.True(t, d.Allowed)
		assert.Equal(t, quota.SourceBackend, d.Limits[0].Source)
		assert.EqualValues(t, 9, d.Limits[0].Remaining)
		assert.Equal(t, quota.SourceOpen, d.Limits[1].Source)
		assert.False(t, l.Stats().BreakerOpen)
	})
}

// What a lease's tokens were spent on may be given back too, and is not lost because the
// bucket doesn't know yet that they were spent.
func TestRefundOfALeasedTokenIsNotLost(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	backend := quota.NewMemory(clock.Now)
	l := newLimiter(t, backend, leasePlan(), quota.Config{Now: clock.Now})
	acme := newTenant()
	for range 30 {
		d := admit(t, l, acme, cost("hot", 1))
		require.True(t, d.Allowed)
		require.NoError(t, l.Refund(t.Context(), acme, d))
	}
	require.NoError(t, l.Close(t.Context()))
	a, err := backend.Admit(t.Context(), acme.ID, quota.Ask{Rates: []quota.RateAsk{{Name: "hot", Interval: time.Hour, Burst: 1000}}})
	require.NoError(t, err)
	assert.EqualValues(t, 1000, a.Rates[0].Remaining)
}

// uncomparable is a backend that == can't be used on.
type uncomparable struct {
	quota.Backend
	_ []int
}

func TestSlotOfAnyBackendIsReleased(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, uncomparable{Backend: quota.NewMemory(nil)}, slotPlan(), quota.Config{})
	acme := newTenant()
	for range 2 {
		slot, _, err := l.Acquire(t.Context(), acme, cost("jobs", 1))
		require.NoError(t, err)
		require.NotNil(t, slot)
		require.NoError(t, slot.Release(t.Context()))
	}
}

func TestSlotsThatNobodyHoldsAreNotCounted(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, slotPlan(), quota.Config{})
	slot, _, err := l.Acquire(t.Context(), newTenant(), cost("requests", 1))
	require.NoError(t, err)
	assert.Zero(t, l.Stats().Slots)
	require.NoError(t, slot.Release(t.Context()))
	assert.Zero(t, l.Stats().Slots)
}

// hanging answers nothing until it is told to stop, by its caller's context alone.
type hanging struct {
	quota.Backend
	asked chan struct{} // told of each call that hangs, when somebody listens
}

func (h *hanging) hang(ctx context.Context) error {
	select {
	case h.asked <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) Return(ctx context.Context, _ tenant.ID, _ quota.Back) error { return h.hang(ctx) }

func (h *hanging) Renew(ctx context.Context, _ tenant.ID, _ quota.HeldSlot, _ time.Duration) (bool, error) {
	return false, h.hang(ctx)
}

func TestSlotThatCannotBeRenewedIsLostInTimeWhenTheBackendHangs(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, &hanging{Backend: quota.NewMemory(nil)}, slotPlan(), quota.Config{SlotTTL: time.Second, Timeout: 10 * time.Second})
	slot, _, err := l.Acquire(t.Context(), newTenant(), cost("jobs", 1))
	require.NoError(t, err)
	select {
	case <-slot.Lost():
	case <-time.After(7 * time.Second): // and not after the time-out of a call
		t.Fatal("somebody else may have the slot by now, and its holder isn't told")
	}
}

// What is given back in the background doesn't hold up the end of a program.
func TestCloseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	backend := &hanging{Backend: quota.NewMemory(clock.Now), asked: make(chan struct{})}
	l := newLimiter(t, backend, leasePlan(), quota.Config{Now: clock.Now, Timeout: 10 * time.Second})
	for range 5 { // tenants with a lease each
		acme := newTenant()
		for range 22 {
			require.True(t, admit(t, l, acme, cost("hot", 1)).Allowed)
		}
	}
	clock.Pass(1500 * time.Millisecond)
	<-backend.asked // in the background
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	select {
	case <-closed:
	case <-time.After(7 * time.Second): // and not after the time-out for each tenant
		t.Fatal("Close waits for longer than its context")
	}
}

// A process that admits a small part remembers for as long as that takes to come back.
func TestShareOfAProcessIsNotForgottenTooEarly(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	l := newLimiter(t, down{}, quota.Plan{Rates: []quota.Rate{{Name: "local", Limit: 1, Per: time.Hour, WhenAway: quota.Local}}},
		quota.Config{LocalShare: 0.1, Now: clock.Now})
	acme := newTenant()
	require.True(t, admit(t, l, acme, cost("local", 1)).Allowed)
	clock.Pass(9 * time.Hour)
	assert.False(t, admit(t, l, acme, cost("local", 1)).Allowed)
	clock.Pass(time.Hour)
	assert.True(t, admit(t, l, acme, cost("local", 1)).Allowed)
}

// Who counts without a limit, and asks for as much as can be asked, comes to no number that
// a backend can't count on from.
func TestCountOfUnitsNeverTurnsOver(t *testing.T) {
	t.Parallel()
	memory, real, mini := quota.NewMemory(nil), openRedis(t), openMiniredis(t)
	start := time.Now().Truncate(time.Second)
	for _, backend := range []quota.Backend{memory, real, mini} {
		in := newTenant().ID
		ask := quota.UnitsAsk{Name: "bytes", Period: quota.Period{Start: start, End: start.Add(time.Hour)}, Limit: quota.Unlimited, Cost: quota.MaxCost, Seeded: true, Seed: 1<<63 - 1}
		for range 3 {
			a, err := backend.Admit(t.Context(), in, quota.Ask{Units: []quota.UnitsAsk{ask}, Keep: time.Hour})
			require.NoError(t, err, "%T", backend)
			assert.True(t, a.Admitted)
			assert.GreaterOrEqual(t, a.Units[0].Used, int64(quota.MaxUnits))
		}
		ask.Limit, ask.Cost = 10, 1
		a, err := backend.Admit(t.Context(), in, quota.Ask{Units: []quota.UnitsAsk{ask}, Keep: time.Hour})
		require.NoError(t, err, "%T", backend)
		assert.False(t, a.Admitted)
	}
}

func TestIntervalOfARateThatCannotBeIsZero(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{1 << 61, 1<<63 - 1, 1 << 62, -5, 0} {
		assert.Zero(t, quota.Rate{Limit: limit, Per: time.Second}.Interval(), limit)
	}
	assert.Zero(t, quota.Rate{Limit: 1 << 61, Per: 1 << 62}.Interval())
}

func TestSmallestShareIsStillALimit(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	l := newLimiter(t, down{}, quota.Plan{Rates: []quota.Rate{{Name: "local", Limit: 1, Per: quota.MaxPer, WhenAway: quota.Local}}},
		quota.Config{LocalShare: quota.MinLocalShare, Now: clock.Now})
	acme := newTenant()
	require.True(t, admit(t, l, acme, cost("local", 1)).Allowed)
	d := admit(t, l, acme, cost("local", 1))
	assert.False(t, d.Allowed)
	assert.Positive(t, d.RetryAfter)
}
