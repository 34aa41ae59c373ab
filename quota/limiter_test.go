package quota_test

import (
	"cmp"
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// newLimiter makes a limiter of one plan, which is closed with the test. It waits for its
// backend as long as it may, unless the test says something else: on a busy machine a call
// may take longer than the default.
func newLimiter(t testing.TB, backend quota.Backend, plan quota.Plan, cfg quota.Config) *quota.Limiter {
	t.Helper()
	plan.Name, cfg.Timeout = "free", cmp.Or(cfg.Timeout, quota.MaxTimeout)
	plans, err := quota.NewPlans("free", plan)
	require.NoError(t, err)
	l, err := quota.New(backend, plans, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// inMemory is a limiter on a Memory, with time moved by hand.
func inMemory(t testing.TB, plan quota.Plan, cfg quota.Config) (*quota.Limiter, *testclock.Clock) {
	t.Helper()
	clock := testclock.At(time.Now())
	cfg.Now = clock.Now
	return newLimiter(t, quota.NewMemory(clock.Now), plan, cfg), clock
}

func newTenant() tenant.Tenant {
	return tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive}
}

func cost(limit string, n int64) quota.Request {
	return quota.Request{Costs: []quota.Cost{{Limit: limit, N: n}}}
}

func admit(t testing.TB, l *quota.Limiter, in tenant.Tenant, req quota.Request) quota.Decision {
	t.Helper()
	d, err := l.Admit(t.Context(), in, req)
	require.NoError(t, err)
	return d
}

// hourly is a rate that gives no second token while a test runs.
func hourly(name string, burst int64) quota.Rate {
	return quota.Rate{Name: name, Limit: 1, Per: time.Hour, Burst: burst}
}

func TestDecisionNamesWhatBindsWhatRemainsAndWhenToComeBack(t *testing.T) {
	t.Parallel()
	l, clock := inMemory(t, quota.Plan{
		Rates: []quota.Rate{{Name: "requests", Limit: 60, Per: time.Minute, Burst: 10}, {Name: "writes", Limit: 6, Per: time.Minute, Burst: 2}},
	}, quota.Config{})
	acme := newTenant()
	both := quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 3}, {Limit: "writes", N: 1}}}

	d := admit(t, l, acme, both)
	require.True(t, d.Allowed)
	require.NoError(t, d.Err())
	assert.Equal(t, "writes", d.Binding, "half of it remains, and seven tenths of the other")
	assert.Equal(t, "free", d.Plan)
	assert.Equal(t, quota.SourceBackend, d.Source)
	requests, ok := d.Limit("requests")
	require.True(t, ok)
	assert.Equal(t, quota.LimitState{
		Name: "requests", Kind: quota.KindRate, Limit: 10, Per: 10 * time.Second, Cost: 3, Granted: 3, Remaining: 7,
		ResetAfter: 3 * time.Second, Source: quota.SourceBackend,
	}, requests)
	_, ok = d.Limit("nothing")
	assert.False(t, ok)

	admit(t, l, acme, both)
	d = admit(t, l, acme, both)
	require.False(t, d.Allowed)
	assert.Equal(t, "writes", d.Binding)
	assert.Equal(t, 10*time.Second, d.RetryAfter)
	requests, _ = d.Limit("requests")
	assert.False(t, requests.Denied)
	assert.Zero(t, requests.Granted, "all or nothing")
	assert.EqualValues(t, 4, requests.Remaining)

	var shown *tenant.Error
	require.ErrorAs(t, d.Err(), &shown)
	assert.Equal(t, tenant.CodeQuotaExceeded, shown.Code)
	assert.Equal(t, 10*time.Second, shown.RetryAfter)
	assert.Contains(t, shown.Detail, `"writes"`)

	clock.Pass(10 * time.Second)
	assert.True(t, admit(t, l, acme, both).Allowed, "when it was told to come back")
	assert.True(t, admit(t, l, newTenant(), both).Allowed, "another tenant")
}

func TestRequestThatMakesNoSenseIsAnError(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{
		Rates:       []quota.Rate{hourly("requests", 10), {Name: "watched", Limit: 1, Per: time.Hour, Shadow: true}},
		Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 2}},
		Units:       []quota.Units{{Name: "exports", Limit: 5}},
	}, quota.Config{})
	acme := newTenant()
	for name, test := range map[string]struct {
		costs []quota.Cost
		want  error
	}{
		"unknown limit":        {[]quota.Cost{{Limit: "request", N: 1}}, quota.ErrUnknownLimit},
		"named twice":          {[]quota.Cost{{Limit: "requests", N: 1}, {Limit: "requests", N: 1}}, quota.ErrBadRequest},
		"below 0":              {[]quota.Cost{{Limit: "requests", N: -1}}, quota.ErrBadRequest},
		"more than ever":       {[]quota.Cost{{Limit: "exports", N: math.MaxInt64}}, quota.ErrBadRequest},
		"a slot without hands": {[]quota.Cost{{Limit: "jobs", N: 1}}, quota.ErrBadRequest},
		"too many":             {make([]quota.Cost, 33), quota.ErrBadRequest},
	} {
		_, err := l.Admit(t.Context(), acme, quota.Request{Costs: test.costs})
		assert.ErrorIs(t, err, test.want, name)
	}
	_, _, err := l.Acquire(t.Context(), acme, cost("jobs", 2))
	require.ErrorIs(t, err, quota.ErrBadRequest)

	_, err = l.Admit(t.Context(), acme, cost("requests", 11))
	var tooMuch *quota.CostError
	require.ErrorAs(t, err, &tooMuch)
	assert.Equal(t, quota.CostError{Limit: "requests", Cost: 11, Most: 10}, *tooMuch)
	assert.ErrorContains(t, err, `a cost of 11 is more than limit "requests" ever has, 10`)
	assert.True(t, admit(t, l, acme, quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 11, AtMost: true}}}).Allowed, "at most 11 are 10")
	assert.True(t, admit(t, l, acme, cost("watched", 2)).Allowed, "a shadow stops nobody")

	_, err = l.Admit(t.Context(), tenant.Tenant{}, cost("requests", 1))
	require.ErrorIs(t, err, tenant.ErrRequired)
	_, err = l.Peek(t.Context(), tenant.Tenant{})
	require.ErrorIs(t, err, tenant.ErrRequired)
	require.ErrorIs(t, l.Refund(t.Context(), tenant.Tenant{}, quota.Decision{}), tenant.ErrRequired)
	unknown := newTenant()
	unknown.Plan = "gold"
	_, err = l.Admit(t.Context(), unknown, cost("requests", 1))
	require.ErrorIs(t, err, quota.ErrUnknownPlan)
	_, err = l.Peek(t.Context(), unknown)
	require.ErrorIs(t, err, quota.ErrUnknownPlan)
	require.ErrorIs(t, l.Refund(t.Context(), unknown, quota.Decision{}), quota.ErrUnknownPlan)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Admit(cancelled, acme, cost("exports", 1))
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, l.Close(t.Context()))
	require.NoError(t, l.Close(t.Context()), "a second time")
	_, err = l.Admit(t.Context(), acme, cost("requests", 1))
	require.ErrorIs(t, err, quota.ErrClosed)
	_, err = l.Peek(t.Context(), acme)
	require.ErrorIs(t, err, quota.ErrClosed)
}

func TestUnlimitedAsksNobody(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, nobody{}, quota.Plan{
		Rates:       []quota.Rate{{Name: "requests", Limit: quota.Unlimited}},
		Concurrency: []quota.Concurrency{{Name: "jobs", Limit: quota.Unlimited}},
	}, quota.Config{})
	d := admit(t, l, newTenant(), cost("requests", 1000))
	assert.True(t, d.Allowed)
	assert.Equal(t, quota.SourcePlan, d.Source)
	assert.Empty(t, d.Binding)
	assert.EqualValues(t, quota.Unlimited, d.Limits[0].Limit)
	slot, d, err := l.Acquire(t.Context(), newTenant(), cost("jobs", 1))
	require.NoError(t, err)
	assert.True(t, d.Allowed)
	require.NoError(t, slot.Release(t.Context()))
	assert.Zero(t, l.Stats().BackendCalls)
}

// nobody is a backend that is not to be asked.
type nobody struct{ quota.Backend }

func TestShadowTellsWhatItWouldRefuse(t *testing.T) {
	t.Parallel()
	var told []string
	watched := hourly("watched", 1)
	watched.Shadow = true
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{watched}}, quota.Config{Hooks: quota.Hooks{
		OnShadow: func(_ context.Context, _ tenant.Tenant, s quota.LimitState) { told = append(told, s.Name) },
		OnDeny:   func(context.Context, tenant.Tenant, quota.Decision) { t.Error("a shadow refused") },
	}})
	acme := newTenant()
	for i := range 3 {
		d := admit(t, l, acme, cost("watched", 1))
		assert.True(t, d.Allowed)
		assert.True(t, d.Limits[0].Shadow)
		assert.Equal(t, i > 0, d.Limits[0].Denied)
		assert.Equal(t, quota.SourceBackend, d.Source)
	}
	assert.Equal(t, []string{"watched", "watched"}, told)
	assert.EqualValues(t, 2, l.Stats().ShadowDenied)
}

func TestPeekTellsAllLimitsAndTakesNothing(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{
		Rates:       []quota.Rate{hourly("requests", 2)},
		Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 2}},
		Units:       []quota.Units{{Name: "exports", Limit: 5}},
	}, quota.Config{Hooks: quota.Hooks{BeforeAdmit: func(context.Context, tenant.Tenant, quota.Request) error { return errors.New("not of a peek") }}})
	for range 3 {
		d, err := l.Peek(t.Context(), newTenant())
		require.NoError(t, err)
		require.Len(t, d.Limits, 3)
		for i, want := range []struct {
			name      string
			kind      quota.Kind
			remaining int64
		}{{"requests", quota.KindRate, 2}, {"jobs", quota.KindConcurrency, 2}, {"exports", quota.KindUnits, 5}} {
			assert.Equal(t, want.name, d.Limits[i].Name)
			assert.Equal(t, want.kind, d.Limits[i].Kind)
			assert.Equal(t, want.remaining, d.Limits[i].Remaining)
		}
	}
	assert.Zero(t, l.Stats().Admitted[quota.SourceBackend])
}

// A tenant whose plan has become smaller than what it has used.
func TestLookAtUnitsPastTheirLimitSetsNobodyFree(t *testing.T) {
	t.Parallel()
	plan := func(units int64) quota.Plan {
		return quota.Plan{
			Rates: []quota.Rate{hourly("requests", 3)}, Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 1}},
			Units: []quota.Units{{Name: "exports", Limit: units}},
		}
	}
	for name, backend := range map[string]quota.Backend{"memory": quota.NewMemory(nil), "Redis": openRedis(t)} {
		acme := newTenant()
		before, now := newLimiter(t, backend, plan(10), quota.Config{}), newLimiter(t, backend, plan(5), quota.Config{})
		require.True(t, admit(t, before, acme, cost("exports", 8)).Allowed)
		look := quota.Cost{Limit: "exports"}
		admitted := 0
		for range 5 {
			if admit(t, now, acme, quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, look}}).Allowed {
				admitted++
			}
		}
		assert.Equal(t, 3, admitted, name)
		job := quota.Request{Costs: []quota.Cost{{Limit: "jobs", N: 1}, look}}
		slot, _, err := now.Acquire(t.Context(), acme, job)
		require.NoError(t, err)
		require.NotNil(t, slot, name)
		second, _, err := now.Acquire(t.Context(), acme, job)
		require.NoError(t, err)
		assert.Nil(t, second, name)
		require.NoError(t, slot.Release(t.Context()))
	}
}

func TestRefundGivesBackWhatADecisionTook(t *testing.T) {
	t.Parallel()
	ledger := &ledger{}
	l, _ := inMemory(t, quota.Plan{
		Rates: []quota.Rate{hourly("requests", 3)}, Units: []quota.Units{{Name: "exports", Limit: 10}},
	}, quota.Config{Units: ledger, Recorder: ledger})
	acme := newTenant()
	both := quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 3}, {Limit: "exports", N: 4}}}
	d := admit(t, l, acme, both)
	require.True(t, d.Allowed)
	refused := admit(t, l, acme, both)
	require.False(t, refused.Allowed, "and remembered, until something comes back")
	require.NoError(t, l.Refund(t.Context(), acme, refused))
	require.False(t, admit(t, l, acme, both).Allowed, "a refusal took nothing, so nothing came back")
	require.NoError(t, l.Refund(t.Context(), acme, d))
	d = admit(t, l, acme, both)
	require.True(t, d.Allowed)
	assert.EqualValues(t, 6, d.Limits[1].Remaining)
	assert.Equal(t, []int64{4, -4, 4}, ledger.recorded())
}

func TestHooks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var near []int64
	var denied []quota.Source
	closed := errors.New("closed for today")
	var stop error
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{hourly("requests", 10)}}, quota.Config{Hooks: quota.Hooks{
		BeforeAdmit: func(_ context.Context, in tenant.Tenant, req quota.Request) error {
			assert.EqualValues(t, "acme-corp", in.Slug)
			assert.Equal(t, "requests", req.Costs[0].Limit)
			return stop
		},
		OnDeny: func(_ context.Context, _ tenant.Tenant, d quota.Decision) {
			mu.Lock()
			defer mu.Unlock()
			denied = append(denied, d.Source)
		},
		OnNear: func(_ context.Context, _ tenant.Tenant, s quota.LimitState) { near = append(near, s.Remaining) },
		Near:   0.8,
	}})
	acme := newTenant()
	for range 12 {
		admit(t, l, acme, cost("requests", 1))
	}
	assert.Equal(t, []int64{2}, near, "once, as four fifths are used")
	assert.Equal(t, []quota.Source{quota.SourceBackend, quota.SourceMemory}, denied)
	stop = closed
	_, err := l.Admit(t.Context(), acme, cost("requests", 1))
	require.ErrorIs(t, err, closed)

	stats := l.Stats()
	assert.EqualValues(t, 10, stats.Admitted[quota.SourceBackend])
	assert.EqualValues(t, 1, stats.Denied[quota.SourceBackend])
	assert.EqualValues(t, 1, stats.Denied[quota.SourceMemory])
	assert.EqualValues(t, 11, stats.BackendCalls)
	assert.EqualValues(t, 1, stats.Tenants)
}

func TestConstructorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	plans, err := quota.NewPlans("pro", full())
	require.NoError(t, err)
	memory := quota.NewMemory(nil)
	_, err = quota.New(nil, plans, quota.Config{})
	require.ErrorContains(t, err, "backend is nil")
	_, err = quota.New(memory, nil, quota.Config{})
	require.ErrorContains(t, err, "plans are nil")
	for want, cfg := range map[string]quota.Config{
		"Timeout is -1ns":        {Timeout: -1},
		"Timeout is 1m0s":        {Timeout: time.Minute},
		"Breaker.Pause is 2m0s":  {Breaker: quota.BreakerConfig{Pause: 2 * time.Minute}},
		"Lease.TTL is 1ms":       {Lease: quota.LeaseConfig{TTL: time.Millisecond}},
		"Lease.Most is 60000000": {Lease: quota.LeaseConfig{Most: 60_000_000}},
		"RememberDenials is 1h":  {RememberDenials: time.Hour},
		"SlotTTL is 1ms":         {SlotTTL: time.Millisecond},
		"UnitsAge is 48h":        {UnitsAge: 48 * time.Hour},
		"LocalShare is 2":        {LocalShare: 2},
		"LocalShare is NaN":      {LocalShare: math.NaN()},
		"Hooks.Near is -1":       {Hooks: quota.Hooks{Near: -1}},
		"MaxTenants is -1":       {MaxTenants: -1},
		"MaxTenants is 10000001": {MaxTenants: 10_000_001},
		"Failures is 1000001":    {Breaker: quota.BreakerConfig{Failures: 1_000_001}},
		"Near is 1.1":            {Hooks: quota.Hooks{Near: 1.1}},
		"LocalShare is 1e-07":    {LocalShare: 0.0000001},
		"make an id: no entropy": {Random: noEntropy{}},
	} {
		_, err := quota.New(memory, plans, cfg)
		assert.ErrorContains(t, err, want)
	}

	_, err = quota.NewRedis(nil, quota.RedisConfig{})
	require.ErrorContains(t, err, "nil")
	patient := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = patient.Close() })
	_, err = quota.NewRedis(patient, quota.RedisConfig{})
	require.ErrorContains(t, err, "set ContextTimeoutEnabled")
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	_, err = quota.NewRedis(client, quota.RedisConfig{Prefix: "a{b"})
	require.ErrorContains(t, err, "brace")
	_, err = quota.NewRedis(client, quota.RedisConfig{Prefix: string(make([]byte, 65))})
	require.ErrorContains(t, err, "longer than 64")
}

type noEntropy struct{}

func (noEntropy) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

// The plan is looked up on each request, so a change is in force on the next.
func TestPlanThatChangesIsInForceOnTheNextRequest(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	plans, err := quota.NewPlans("free",
		quota.Plan{Name: "free", Rates: []quota.Rate{{Name: "requests", Limit: 10, Per: time.Minute}}},
		quota.Plan{Name: "pro", Rates: []quota.Rate{{Name: "requests", Limit: 600, Per: time.Minute}}},
	)
	require.NoError(t, err)
	l, err := quota.New(quota.NewMemory(clock.Now), plans, quota.Config{Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close(context.Background()) })

	acme := newTenant()
	for range 12 {
		admit(t, l, acme, cost("requests", 1))
	}
	assert.Equal(t, quota.SourceMemory, admit(t, l, acme, cost("requests", 1)).Source)

	acme.Plan = "pro"
	d := admit(t, l, acme, cost("requests", 1))
	assert.True(t, d.Allowed, "what was refused under the other plan is not remembered")
	assert.Equal(t, "pro", d.Plan)
	assert.EqualValues(t, 589, d.Limits[0].Remaining, "what was used stays used")
	for range 100 {
		admit(t, l, acme, cost("requests", 1))
	}
	acme.Plan = "free"
	d = admit(t, l, acme, cost("requests", 1))
	assert.False(t, d.Allowed)
	assert.Equal(t, 6*time.Second, d.RetryAfter, "not longer than any tenant of the plan")
}
