package quota_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// awayPlan has a limit of each way.
func awayPlan() quota.Plan {
	with := func(name string, w quota.WhenAway) quota.Rate {
		r := hourly(name, 10)
		r.WhenAway = w
		return r
	}
	shadow := with("shadow", quota.Closed)
	shadow.Shadow = true
	return quota.Plan{
		Rates: []quota.Rate{with("open", quota.Open), with("closed", quota.Closed), with("silent", ""), with("local", quota.Local), shadow},
		Concurrency: []quota.Concurrency{
			{Name: "local-jobs", Limit: 2, WhenAway: quota.Local}, {Name: "open-jobs", Limit: 0, WhenAway: quota.Open}, {Name: "closed-jobs", Limit: 2},
		},
		Units: []quota.Units{{Name: "open-units", Limit: 1, WhenAway: quota.Open}, {Name: "closed-units", Limit: 1}},
	}
}

// checkAway sees that each limit does as its plan says.
func checkAway(t *testing.T, l *quota.Limiter) {
	t.Helper()
	acme := newTenant()
	for _, test := range []struct {
		limit   string
		allowed bool
		source  quota.Source
	}{
		{"open", true, quota.SourceOpen}, {"closed", false, quota.SourceClosed}, {"silent", false, quota.SourceClosed},
		{"local", true, quota.SourceLocal}, {"shadow", true, quota.SourceClosed}, {"open-units", true, quota.SourceOpen}, {"closed-units", false, quota.SourceClosed},
	} {
		d := admit(t, l, acme, cost(test.limit, 1))
		assert.Equal(t, test.allowed, d.Allowed, test.limit)
		assert.Equal(t, test.source, d.Source, test.limit)
		var shown *tenant.Error
		if !test.allowed && assert.ErrorAs(t, d.Err(), &shown, test.limit) {
			assert.Equal(t, tenant.CodeUnavailable, shown.Code, test.limit)
			assert.Positive(t, shown.RetryAfter, test.limit)
			assert.Equal(t, test.limit, d.Binding)
		}
	}
	// A request of several is refused by one, and takes nothing of what is counted here.
	both := quota.Request{Costs: []quota.Cost{{Limit: "local", N: 4}, {Limit: "closed", N: 1}, {Limit: "open", N: 1}}}
	assert.False(t, admit(t, l, acme, both).Allowed)
	d := admit(t, l, acme, cost("local", 5))
	assert.True(t, d.Allowed, "9 are left")
	d = admit(t, l, acme, cost("local", 5))
	assert.False(t, d.Allowed, "4 are left")
	assert.Equal(t, quota.SourceLocal, d.Source)
	assert.ErrorContains(t, d.Err(), "quota_exceeded")

	d, err := l.Peek(t.Context(), acme)
	require.NoError(t, err)
	assert.True(t, d.Allowed)
}

func TestRow38_EachLimitDoesWhatItSaysWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for name, away := range map[string]func(*wire.Proxy){
		"cut":   (*wire.Proxy).Cut,
		"hangs": func(p *wire.Proxy) { p.Delay(time.Hour, time.Hour) },
		"slow":  func(p *wire.Proxy) { p.Delay(0, time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			proxy := wire.NewProxy(t, server.Addr())
			l := newLimiter(t, newRedis(t, dialPatient(t, proxy.Addr(), server.Password())), awayPlan(), quota.Config{
				Timeout: 100 * time.Millisecond, RememberDenials: -1, Breaker: quota.BreakerConfig{Failures: 3, Pause: 300 * time.Millisecond},
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			// A busy machine may need longer than the time-out for the first connection.
			require.Eventually(t, func() bool { return admit(t, l, newTenant(), cost("closed", 1)).Allowed }, 20*time.Second, 50*time.Millisecond)
			away(proxy)
			start := time.Now()
			checkAway(t, l)
			assert.Less(t, time.Since(start), 30*time.Second, "no request waited for the answer, and most not at all")
			stats := l.Stats()
			assert.True(t, stats.BreakerOpen)
			assert.GreaterOrEqual(t, stats.BackendErrors, int64(3))
			assert.Positive(t, stats.Admitted[quota.SourceOpen])
			assert.Positive(t, stats.Denied[quota.SourceClosed])
			assert.Contains(t, log.String(), "limits can't be counted")

			proxy.Restore()
			proxy.Delay(0, 0)
			acme := newTenant()
			require.Eventually(t, func() bool {
				d := admit(t, l, acme, cost("closed", 1))
				return d.Allowed && d.Source == quota.SourceBackend
			}, 20*time.Second, 50*time.Millisecond, "counted again by itself")
			assert.Contains(t, log.String(), "limits are counted again")
		})
	}
}

// syncBuffer is written by a logger and read by a test.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// What a restart without persistence leaves: no counts, and no scripts.
func TestRedisThatHasForgottenAllCountsFromNothing(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := dial(t, server.Addr(), server.Password())
	hot := hourly("hot", 100)
	hot.Lease = true
	l := newLimiter(t, newRedis(t, client), quota.Plan{Rates: []quota.Rate{hot}, Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 1}}},
		quota.Config{Timeout: 5 * time.Second, RememberDenials: -1})
	acme := newTenant()
	for range 60 {
		require.True(t, admit(t, l, acme, cost("hot", 1)).Allowed)
	}
	require.NoError(t, client.FlushAll(t.Context()).Err())
	require.NoError(t, client.ScriptFlush(t.Context()).Err())
	admitted := 0
	for admit(t, l, acme, cost("hot", 1)).Allowed {
		admitted++
	}
	assert.GreaterOrEqual(t, admitted, 100)
	assert.LessOrEqual(t, admitted, 110, "and what was in a lease")
	assert.Zero(t, l.Stats().BackendErrors)
}

func TestProcessAdmitsItsShareWhileTheBackendIsAway(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	l := newLimiter(t, down{}, awayPlan(), quota.Config{LocalShare: 0.5, Now: clock.Now})
	acme := newTenant()
	admitted := 0
	for admit(t, l, acme, cost("local", 1)).Allowed {
		admitted++
	}
	assert.Equal(t, 5, admitted)
	clock.Pass(2 * time.Hour)
	assert.True(t, admit(t, l, acme, cost("local", 1)).Allowed)
	assert.False(t, admit(t, l, acme, cost("local", 1)).Allowed, "a token takes twice as long")

	slot, _, err := l.Acquire(t.Context(), acme, cost("local-jobs", 1))
	require.NoError(t, err)
	require.NotNil(t, slot)
	_, d, err := l.Acquire(t.Context(), acme, cost("local-jobs", 1))
	require.NoError(t, err)
	assert.False(t, d.Allowed)
	require.NoError(t, slot.Release(t.Context()))
	slot, d, err = l.Acquire(t.Context(), acme, quota.Request{Costs: []quota.Cost{{Limit: "local-jobs", N: 1}, {Limit: "open-jobs", N: 1}}})
	require.NoError(t, err)
	require.True(t, d.Allowed)
	assert.Equal(t, quota.SourceOpen, d.Source)
	require.NoError(t, slot.Release(t.Context()))
	_, d, err = l.Acquire(t.Context(), acme, quota.Request{Costs: []quota.Cost{{Limit: "local-jobs", N: 1}, {Limit: "closed-jobs", N: 1}}})
	require.NoError(t, err)
	assert.False(t, d.Allowed)
	for range 2 {
		slot, d, err = l.Acquire(t.Context(), acme, cost("local-jobs", 1))
		require.NoError(t, err)
		require.True(t, d.Allowed, "the refused one holds nothing")
		require.NoError(t, slot.Release(t.Context()))
	}
}

// Two processes that each admit half of an odd number of slots admit no more than there are.
func TestSharesOfSlotsAreTogetherNoMoreThanThereAre(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, down{}, quota.Plan{Concurrency: []quota.Concurrency{
		{Name: "five", Limit: 5, WhenAway: quota.Local}, {Name: "one", Limit: 1, WhenAway: quota.Local}, {Name: "none", Limit: 0, WhenAway: quota.Local},
	}}, quota.Config{LocalShare: 0.5})
	acme := newTenant()
	for limit, want := range map[string]int{"five": 2, "one": 1, "none": 0} {
		held := 0
		for {
			slot, _, err := l.Acquire(t.Context(), acme, cost(limit, 1))
			require.NoError(t, err)
			if slot == nil {
				break
			}
			held++
			t.Cleanup(func() { slot.Release(context.Background()) })
		}
		assert.Equal(t, want, held, limit)
	}
}

// down is a backend that is away.
type down struct{}

var errDown = errors.New("backend down")

func (down) Admit(context.Context, tenant.ID, quota.Ask) (quota.Answer, error) {
	return quota.Answer{}, errDown
}
func (down) Return(context.Context, tenant.ID, quota.Back) error { return errDown }
func (down) Renew(context.Context, tenant.ID, quota.HeldSlot, time.Duration) (bool, error) {
	return false, errDown
}

// flaky is a backend that is away now and then, and counts its calls.
type flaky struct {
	quota.Backend
	mu    sync.Mutex
	away  bool
	calls int
	block chan struct{} // a call that is away waits for it or its context
}

func (f *flaky) set(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

func (f *flaky) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *flaky) Admit(ctx context.Context, in tenant.ID, ask quota.Ask) (quota.Answer, error) {
	f.mu.Lock()
	f.calls++
	away, block := f.away, f.block
	f.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return quota.Answer{}, ctx.Err()
		}
	}
	if away {
		return quota.Answer{}, errDown
	}
	return f.Backend.Admit(ctx, in, ask)
}

func TestBreakerLeavesABackendAloneAndTriesWithOneCall(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now())
	backend := &flaky{Backend: quota.NewMemory(clock.Now), away: true}
	l := newLimiter(t, backend, awayPlan(), quota.Config{Now: clock.Now, RememberDenials: -1, Breaker: quota.BreakerConfig{Failures: 3, Pause: time.Second}})
	acme := newTenant()
	for range 10 {
		admit(t, l, acme, cost("open", 1))
	}
	assert.Equal(t, 3, backend.count())
	clock.Pass(time.Second)
	for range 5 {
		admit(t, l, acme, cost("open", 1))
	}
	assert.Equal(t, 4, backend.count(), "one trial, and another pause")

	// While one call tries, nobody waits for it; and one whose caller gives up says nothing.
	clock.Pass(time.Second)
	block := make(chan struct{})
	backend.mu.Lock()
	backend.block = block
	backend.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	trial := make(chan error)
	go func() {
		_, err := l.Admit(ctx, acme, cost("open", 1))
		trial <- err
	}()
	require.Eventually(t, func() bool { return backend.count() == 5 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, quota.SourceOpen, admit(t, l, acme, cost("open", 1)).Source)
	assert.Equal(t, 5, backend.count())
	cancel()
	require.ErrorIs(t, <-trial, context.Canceled)
	close(block)

	backend.set(false)
	assert.Equal(t, quota.SourceBackend, admit(t, l, acme, cost("open", 1)).Source)
	assert.False(t, l.Stats().BreakerOpen)
	assert.Equal(t, quota.SourceBackend, admit(t, l, acme, cost("open", 1)).Source)
}

func TestCallerWhoGivesUpGetsTheirOwnError(t *testing.T) {
	t.Parallel()
	backend := &flaky{Backend: quota.NewMemory(nil), block: make(chan struct{})}
	l := newLimiter(t, backend, awayPlan(), quota.Config{Timeout: 10 * time.Second, Breaker: quota.BreakerConfig{Failures: 1}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := l.Admit(ctx, newTenant(), cost("open", 1))
	require.ErrorIs(t, err, context.DeadlineExceeded, "and not what the limit does while the backend is away")
	assert.False(t, l.Stats().BreakerOpen)
}
