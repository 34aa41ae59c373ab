package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// model is a rate written in another way: each token that was taken has a time at which it
// is back, an interval after the one before.
type model struct {
	interval time.Duration
	burst    int64
	back     []time.Time
}

func (m *model) left(now time.Time) int64 {
	for len(m.back) > 0 && !m.back[0].After(now) {
		m.back = m.back[1:]
	}
	return m.burst - int64(len(m.back))
}

func (m *model) take(now time.Time, n int64) {
	for range n {
		from := now
		if len(m.back) > 0 {
			from = m.back[len(m.back)-1]
		}
		m.back = append(m.back, from.Add(m.interval))
	}
}

func (m *model) give(now time.Time, n int64) {
	m.left(now)
	m.back = m.back[:max(0, len(m.back)-int(n))]
}

// wait is how long until so many tokens are there.
func (m *model) wait(now time.Time, n int64) time.Duration {
	missing := n - m.left(now)
	if missing <= 0 {
		return 0
	}
	return m.back[missing-1].Sub(now)
}

func (m *model) reset(now time.Time) time.Duration {
	if m.left(now) == m.burst {
		return 0
	}
	return m.back[len(m.back)-1].Sub(now)
}

func TestBackendsAreTheModelOfARate(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now().Truncate(time.Microsecond))
	real, mini := openRedis(t), openMiniredis(t)
	real.SetClock(clock.Now)
	mini.SetClock(clock.Now)
	for name, backend := range map[string]quota.Backend{"memory": quota.NewMemory(clock.Now), "Redis": real, "miniredis": mini} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { againstModel(t, backend, clock) })
		})
	}
}

func againstModel(t *rapid.T, backend quota.Backend, clock *testclock.Clock) {
	m := &model{
		interval: time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "interval")) * time.Microsecond,
		burst:    rapid.Int64Range(1, 50).Draw(t, "burst"),
	}
	in := tenant.NewID()
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		clock.Pass(time.Duration(rapid.Int64Range(0, 5*m.interval.Microseconds()).Draw(t, "advance")) * time.Microsecond)
		now := clock.Now()
		if rapid.IntRange(0, 4).Draw(t, "what") == 0 {
			n := rapid.Int64Range(0, m.burst).Draw(t, "give")
			require.NoError(t, backend.Return(context.Background(), in, quota.Back{Rates: []quota.RateBack{{Name: "r", Tokens: n}}}))
			m.give(now, n)
			continue
		}
		ask := quota.RateAsk{
			Name: "r", Interval: m.interval, Burst: m.burst,
			Cost: rapid.Int64Range(0, m.burst).Draw(t, "cost"), AtMost: rapid.Bool().Draw(t, "at most"),
		}
		got, err := backend.Admit(context.Background(), in, quota.Ask{Rates: []quota.RateAsk{ask}, Keep: time.Hour + time.Duration(m.burst)*m.interval})
		require.NoError(t, err)
		left, need, want := m.left(now), ask.Cost, quota.RateAnswer{}
		switch {
		case ask.Cost <= left:
			want.Granted = ask.Cost
		case ask.AtMost && left > 0:
			want.Granted = left
		default:
			want.Denied = true
			if ask.AtMost {
				need = 1
			}
			want.RetryAfter = m.wait(now, need)
		}
		m.take(now, want.Granted)
		want.Remaining, want.ResetAfter = m.left(now), m.reset(now)
		assert.Equal(t, want, got.Rates[0])
		assert.Equal(t, !want.Denied, got.Admitted)
	}
}

// Two processes with leases never admit what the bucket alone would not have, at any moment,
// whenever they give back, crash, or lose their calls.
//
// Row 37: a limit does not over-admit when processes count apart.
func TestLeasesAdmitNothingThatTheBucketWouldNotHave(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := testclock.At(time.Now().Truncate(time.Microsecond))
		rate := quota.Rate{Name: "hot", Limit: 1, Per: time.Duration(rapid.IntRange(1, 500).Draw(t, "interval")) * time.Millisecond, Burst: rapid.Int64Range(10, 200).Draw(t, "burst"), Lease: true}
		m := &model{interval: rate.Interval(), burst: rate.Burst}
		plans, err := quota.NewPlans("free", quota.Plan{Name: "free", Rates: []quota.Rate{rate}})
		require.NoError(t, err)
		backend := &lossy{Backend: quota.NewMemory(clock.Now)}
		start := func() *quota.Limiter {
			l, err := quota.New(backend, plans, quota.Config{Now: clock.Now, RememberDenials: -1, Lease: quota.LeaseConfig{TTL: time.Second}, Breaker: quota.BreakerConfig{Failures: -1}})
			require.NoError(t, err)
			return l
		}
		processes := [2]*quota.Limiter{start(), start()}
		defer func() {
			processes[0].Crash()
			processes[1].Crash()
		}()
		in := newTenant()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "process")
			switch rapid.IntRange(0, 11).Draw(t, "what") {
			case 0:
				processes[i].Tidy()
			case 1:
				processes[i].Crash()
				processes[i] = start()
			case 2:
				assert.NoError(t, processes[i].Close(context.Background()))
				processes[i] = start()
			case 3:
				backend.lose = rapid.IntRange(1, 3).Draw(t, "lose")
			case 4, 5:
				clock.Pass(time.Duration(rapid.IntRange(0, 1500).Draw(t, "advance")) * time.Millisecond)
			default:
				n := rapid.Int64Range(1, 5).Draw(t, "cost")
				for range rapid.IntRange(1, 20).Draw(t, "times") {
					d, err := processes[i].Admit(context.Background(), in, cost("hot", n))
					require.NoError(t, err)
					if !d.Allowed {
						break
					}
					if left := m.left(clock.Now()); left < n {
						t.Fatalf("%d tokens were admitted from %s, and the bucket has %d", n, d.Source, left)
					}
					m.take(clock.Now(), n)
				}
			}
		}
	})
}

// lossy loses the answers of some calls, and every second of these before they are done.
type lossy struct {
	quota.Backend
	lose int
}

func (b *lossy) Admit(ctx context.Context, in tenant.ID, ask quota.Ask) (quota.Answer, error) {
	if b.lose == 0 {
		return b.Backend.Admit(ctx, in, ask)
	}
	if b.lose--; b.lose%2 == 0 {
		_, _ = b.Backend.Admit(ctx, in, ask)
	}
	return quota.Answer{}, context.DeadlineExceeded
}

// Two tenants, or two limits, never share a count, whatever the limits are called.
func TestNoTwoNamesAreOneCount(t *testing.T) {
	t.Parallel()
	backend := openRedis(t)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringN(1, 8, 64), rapid.StringMatching(`[ruc:{} \x00]{1,6}`)), 2, 2, rapid.ID).Draw(t, "names")
		ask := func(name string, n int64) quota.Ask {
			slot := quota.SlotAsk{Name: name, Limit: 9, TTL: time.Minute}
			if n > 0 {
				slot.ID = "a"
			}
			now := time.Now().Truncate(time.Second)
			return quota.Ask{
				Rates: []quota.RateAsk{{Name: name, Interval: time.Hour, Burst: 9, Cost: n}},
				Slots: []quota.SlotAsk{slot},
				Units: []quota.UnitsAsk{{Name: name, Period: quota.Period{Start: now.Add(-time.Hour), End: now.Add(time.Hour)}, Limit: 9, Cost: n, Seeded: true}},
				Keep:  time.Minute,
			}
		}
		ids := [2]tenant.ID{tenant.NewID(), tenant.NewID()}
		answer, err := backend.Admit(context.Background(), ids[0], ask(names[0], 4))
		require.NoError(t, err)
		require.True(t, answer.Admitted)
		for i, in := range ids {
			for k, name := range names {
				if i == 0 && k == 0 {
					continue
				}
				answer, err := backend.Admit(context.Background(), in, ask(name, 0))
				require.NoError(t, err)
				assert.EqualValues(t, 9, answer.Rates[0].Remaining)
				assert.Zero(t, answer.Slots[0].Held)
				assert.Zero(t, answer.Units[0].Used)
			}
		}
	})
}
