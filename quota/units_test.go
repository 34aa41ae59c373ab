package quota_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// ledger is the truth about units: what was recorded, all at once.
type ledger struct {
	mu    sync.Mutex
	uses  []quota.UnitsUse
	asked int
	err   error
	slow  time.Duration
}

func (g *ledger) Used(ctx context.Context, in tenant.ID, name string, p quota.Period) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(g.slow):
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	var sum int64
	for _, u := range g.uses {
		if u.Tenant == in && u.Name == name && u.Period == p {
			sum += u.N
		}
	}
	return sum, g.err
}

func (g *ledger) Record(_ context.Context, use quota.UnitsUse) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uses = append(g.uses, use)
}

func (g *ledger) recorded() (all []int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range g.uses {
		all = append(all, u.N)
	}
	return all
}

func (g *ledger) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *ledger) questions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

func TestUnitsAreCountedAnewFromTheTruthWhenRedisHasLostThem(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	truth := &ledger{}
	l := newLimiter(t, newRedis(t, client), quota.Plan{Units: []quota.Units{{Name: "exports", Limit: 10}}},
		quota.Config{Units: truth, Recorder: truth, Timeout: 5 * time.Second})
	acme := newTenant()
	require.True(t, admit(t, l, acme, cost("exports", 6)).Allowed)
	require.True(t, admit(t, l, acme, cost("exports", 1)).Allowed)
	assert.Equal(t, 1, truth.questions(), "asked for the first request alone")

	require.NoError(t, client.FlushAll(t.Context()).Err())
	d := admit(t, l, acme, cost("exports", 4))
	assert.False(t, d.Allowed, "7 of 10 were used, whatever Redis has forgotten")
	assert.Equal(t, "exports", d.Binding)
	assert.Positive(t, d.RetryAfter, "when the month ends")
	d = admit(t, l, acme, cost("exports", 3))
	assert.True(t, d.Allowed)
	assert.Zero(t, d.Limits[0].Remaining)
	assert.Equal(t, []int64{6, 1, 3}, truth.recorded())
}

// Who has used up a month may go on asking until it ends, and is not to ask the database
// each time.
func TestTenantThatHasUsedUpItsMonthIsNoLoadOnTheTruth(t *testing.T) {
	t.Parallel()
	truth := &ledger{}
	l, clock := inMemory(t, quota.Plan{Units: []quota.Units{{Name: "exports", Limit: 10}}}, quota.Config{Units: truth, Recorder: truth, UnitsAge: time.Minute})
	acme := newTenant()
	require.True(t, admit(t, l, acme, cost("exports", 10)).Allowed)
	clock.Pass(2 * time.Minute) // the count is to be compared with the truth
	for range 20 {
		require.False(t, admit(t, l, acme, cost("exports", 1)).Allowed)
	}
	assert.Equal(t, 2, truth.questions(), "for the first request, and once when the count was old")
}

func TestUnitsOfWhichNobodyCanTellAreDecidedByTheirWhenAway(t *testing.T) {
	t.Parallel()
	truth := &ledger{err: errors.New("no database")}
	l, _ := inMemory(t, quota.Plan{
		Rates: []quota.Rate{hourly("requests", 10)},
		Units: []quota.Units{{Name: "open", Limit: 10, WhenAway: quota.Open}, {Name: "closed", Limit: 10}},
	}, quota.Config{Units: truth, Recorder: truth})
	acme := newTenant()

	d := admit(t, l, acme, quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, {Limit: "open", N: 2}}})
	assert.True(t, d.Allowed)
	assert.Equal(t, quota.SourceOpen, d.Source)
	assert.EqualValues(t, 9, d.Limits[0].Remaining, "the rate is counted")
	assert.Equal(t, []int64{2}, truth.recorded(), "for the bill it counts")

	d = admit(t, l, acme, quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, {Limit: "open", N: 2}, {Limit: "closed", N: 1}}})
	assert.False(t, d.Allowed)
	assert.Equal(t, quota.SourceClosed, d.Source)
	assert.Equal(t, "closed", d.Binding)
	var shown *tenant.Error
	require.ErrorAs(t, d.Err(), &shown)
	assert.Equal(t, tenant.CodeUnavailable, shown.Code)
	assert.False(t, l.Stats().BreakerOpen, "the backend is not to blame")

	truth.fail(nil)
	d = admit(t, l, acme, quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, {Limit: "open", N: 1}, {Limit: "closed", N: 1}}})
	assert.True(t, d.Allowed)
	assert.EqualValues(t, 8, d.Limits[0].Remaining, "the refused one took nothing")
	assert.EqualValues(t, 7, d.Limits[1].Remaining, "what was open is counted as soon as it can be")
}

func TestManyWhoNeedTheSameCountAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		truth := &ledger{slow: time.Second}
		l := newLimiter(t, quota.NewMemory(nil), quota.Plan{Units: []quota.Units{{Name: "exports", Limit: 1000}}}, quota.Config{Units: truth})
		acme := newTenant()
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { assert.True(t, admit(t, l, acme, cost("exports", 1)).Allowed) })
		}
		group.Wait()
		assert.Equal(t, 1, truth.questions())
		d, err := l.Peek(t.Context(), acme)
		require.NoError(t, err)
		assert.EqualValues(t, 980, d.Limits[0].Remaining)
	})
}

func TestCountThatIsOldIsComparedWithTheTruth(t *testing.T) {
	t.Parallel()
	truth := &ledger{}
	l, clock := inMemory(t, quota.Plan{Units: []quota.Units{{Name: "exports", Limit: 100, Soft: true}}}, quota.Config{Units: truth, UnitsAge: time.Minute})
	acme := newTenant()
	first := admit(t, l, acme, cost("exports", 1))
	period, err := quota.Units{}.Period(clock.Now())
	require.NoError(t, err)
	truth.Record(t.Context(), quota.UnitsUse{Tenant: acme.ID, Name: "exports", Period: period, N: 99})
	assert.EqualValues(t, 99, first.Limits[0].Remaining)
	assert.EqualValues(t, 98, admit(t, l, acme, cost("exports", 1)).Limits[0].Remaining)
	clock.Pass(2 * time.Minute)
	d := admit(t, l, acme, cost("exports", 2))
	assert.True(t, d.Allowed, "soft")
	assert.True(t, d.Limits[0].Over)
	assert.Zero(t, d.Limits[0].Remaining)
}

// To read a zone's rules takes dozens of allocations, and a file.
func TestTimeZoneOfAPlanIsReadOnce(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun counts the whole process
	allocations := func(zone string) float64 {
		l, _ := inMemory(t, quota.Plan{Units: []quota.Units{{Name: "mails", Limit: quota.Unlimited, Zone: zone}}}, quota.Config{})
		acme := newTenant()
		return testing.AllocsPerRun(100, func() { admit(t, l, acme, cost("mails", 1)) })
	}
	assert.InDelta(t, allocations("UTC"), allocations("Europe/Berlin"), 5)
}
