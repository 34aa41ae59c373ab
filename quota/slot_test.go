package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// slotPlan has a limit of one slot, and a rate that is asked with it.
func slotPlan() quota.Plan {
	return quota.Plan{Rates: []quota.Rate{hourly("requests", 5)}, Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 1}}}
}

func TestSlotIsHeldUntilItIsReleased(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, slotPlan(), quota.Config{})
	acme := newTenant()
	both := quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, {Limit: "jobs", N: 1}}}
	slot, d, err := l.Acquire(t.Context(), acme, both)
	require.NoError(t, err)
	require.True(t, d.Allowed)
	assert.Equal(t, "jobs", d.Binding)
	assert.EqualValues(t, 1, l.Stats().Slots)

	none, d, err := l.Acquire(t.Context(), acme, both)
	require.NoError(t, err)
	assert.Nil(t, none)
	assert.False(t, d.Allowed)
	assert.Equal(t, "jobs", d.Binding)
	assert.Zero(t, d.RetryAfter, "nobody knows when a slot is released")
	requests, _ := d.Limit("requests")
	assert.EqualValues(t, 4, requests.Remaining, "the refused request took none")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, slot.Release(ended), "the request is over, and its slot comes back")
	require.NoError(t, slot.Release(t.Context()), "a second time")
	assert.Zero(t, l.Stats().Slots)
	next, _, err := l.Acquire(t.Context(), acme, both)
	require.NoError(t, err)
	require.NotNil(t, next)
	require.NoError(t, slot.Release(t.Context()), "which gives nobody else's back")
	none, _, err = l.Acquire(t.Context(), acme, both)
	require.NoError(t, err)
	assert.Nil(t, none)
	require.NoError(t, next.Release(t.Context()))
}

// Row 37: a slot lasts as long as its holder, and no longer.
func TestRow37_SlotOfACrashedHolderComesBack(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	const ttl = 6 * time.Second // a machine that stands still for two thirds of it loses the slot
	start := func() *quota.Limiter {
		return newLimiter(t, newRedis(t, dial(t, server.Addr(), server.Password())), slotPlan(), quota.Config{Timeout: 5 * time.Second, SlotTTL: ttl})
	}
	first, second := start(), start()
	acme := newTenant()
	slot, _, err := first.Acquire(t.Context(), acme, cost("jobs", 1))
	require.NoError(t, err)
	require.NotNil(t, slot)
	ends := func() float64 {
		held, err := client.ZRangeWithScores(t.Context(), "q:{"+acme.ID.String()+"}:c:jobs", 0, -1).Result()
		require.NoError(t, err)
		require.Len(t, held, 1)
		return held[0].Score
	}
	before := ends()
	require.Eventually(t, func() bool { return ends() > before }, 30*time.Second, 50*time.Millisecond, "the holder lives, and renews it")
	_, d, err := second.Acquire(t.Context(), acme, cost("jobs", 1))
	require.NoError(t, err)
	require.False(t, d.Allowed, "the holder lives")
	first.Crash()
	require.Eventually(t, func() bool {
		next, _, err := second.Acquire(t.Context(), acme, cost("jobs", 1))
		if err == nil && next != nil {
			assert.NoError(t, next.Release(t.Context()))
		}
		return err == nil && next != nil
	}, 30*time.Second, 50*time.Millisecond)
}

func TestSlotThatTheBackendHasLostSaysSo(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	l := newLimiter(t, newRedis(t, client), slotPlan(), quota.Config{Timeout: 5 * time.Second, SlotTTL: time.Second})
	slot, _, err := l.Acquire(t.Context(), newTenant(), cost("jobs", 1))
	require.NoError(t, err)
	select {
	case <-slot.Lost():
		t.Fatal("lost from the start")
	default:
	}
	require.NoError(t, client.FlushAll(t.Context()).Err())
	select {
	case <-slot.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("never told")
	}
	require.NoError(t, slot.Release(t.Context()))
}

func TestSlotThatCannotBeRenewedIsLostWithItsTime(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, forgetful{quota.NewMemory(nil)}, slotPlan(), quota.Config{SlotTTL: time.Second})
	slot, _, err := l.Acquire(t.Context(), newTenant(), cost("jobs", 1))
	require.NoError(t, err)
	select {
	case <-slot.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("never told")
	}
	require.ErrorIs(t, slot.Release(t.Context()), errDown)
}

// forgetful gives slots, and is away from then on.
type forgetful struct{ quota.Backend }

func (forgetful) Return(context.Context, tenant.ID, quota.Back) error { return errDown }
func (forgetful) Renew(context.Context, tenant.ID, quota.HeldSlot, time.Duration) (bool, error) {
	return false, errDown
}

// The answer that grants a slot may be lost on its way.
func TestSlotOfARequestWhoseAnswerIsLostIsGivenBack(t *testing.T) {
	t.Parallel()
	memory := quota.NewMemory(nil)
	l := newLimiter(t, deaf{memory}, slotPlan(), quota.Config{})
	acme := newTenant()
	slot, d, err := l.Acquire(t.Context(), acme, cost("jobs", 1))
	require.NoError(t, err)
	assert.Nil(t, slot)
	assert.Equal(t, quota.SourceClosed, d.Source)
	require.Eventually(t, func() bool {
		a, err := memory.Admit(t.Context(), acme.ID, quota.Ask{Slots: []quota.SlotAsk{{Name: "jobs", Limit: 1}}})
		return err == nil && a.Slots[0].Held == 0
	}, 10*time.Second, time.Millisecond)
}

// deaf does what it is asked, and its answer is lost.
type deaf struct{ quota.Backend }

func (b deaf) Admit(ctx context.Context, in tenant.ID, ask quota.Ask) (quota.Answer, error) {
	_, _ = b.Backend.Admit(ctx, in, ask)
	return quota.Answer{}, context.DeadlineExceeded
}
