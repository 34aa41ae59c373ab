package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// What the scripts decide is what [quota.Memory] decides, in another language: after whatever
// came before, of whatever limits together, and when the plan changes.
func TestRedisAnswersAsMemoryDoes(t *testing.T) {
	t.Parallel()
	clock := testclock.At(time.Now().Truncate(time.Microsecond))
	memory := quota.NewMemory(clock.Now)
	for name, open := range map[string]func(testing.TB) *quota.Redis{"Redis": openRedis, "miniredis": openMiniredis} {
		backend := open(t)
		backend.SetClock(clock.Now)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				in := tenant.NewID()
				for range rapid.IntRange(1, 25).Draw(t, "steps") {
					clock.Pass(time.Duration(rapid.Int64Range(0, 20_000_000).Draw(t, "microseconds")) * time.Microsecond)
					step(t, in, memory, backend)
				}
			})
		})
	}
}

// step does one thing with both, and demands one answer.
func step(t *rapid.T, in tenant.ID, memory, backend quota.Backend) {
	ctx := context.Background()
	switch rapid.IntRange(0, 6).Draw(t, "what") {
	case 0:
		back := drawBack(t)
		require.NoError(t, memory.Return(ctx, in, back))
		require.NoError(t, backend.Return(ctx, in, back))
	case 1:
		slot, ttl := quota.HeldSlot{Name: drawName(t), ID: drawID(t)}, drawTTL(t)
		want, err := memory.Renew(ctx, in, slot, ttl)
		require.NoError(t, err)
		got, err := backend.Renew(ctx, in, slot, ttl)
		require.NoError(t, err)
		require.Equal(t, want, got)
	default:
		ask := drawAsk(t)
		want, err := memory.Admit(ctx, in, ask)
		require.NoError(t, err)
		got, err := backend.Admit(ctx, in, ask)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func drawName(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name") }
func drawID(t *rapid.T) string   { return rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "id") }

// drawTTL is long: by the real time, by which Redis forgets a set, none ends in a test.
func drawTTL(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{10 * time.Second, 30 * time.Second, 100 * time.Second}).Draw(t, "ttl")
}

// drawPeriod is a month, the next, or one of another anchor day that is in both.
func drawPeriod(t *rapid.T) quota.Period {
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	start := rapid.SampledFrom([]time.Time{june, june.AddDate(0, 1, 0), june.AddDate(0, 0, 14)}).Draw(t, "start")
	return quota.Period{Start: start, End: start.AddDate(0, 1, 0)}
}

// some draws up to one of each name.
func some[A any](t *rapid.T, label string, draw func(name string) A) []A {
	var all []A
	for _, name := range []string{"a", "b"} {
		if rapid.Bool().Draw(t, label) {
			all = append(all, draw(name))
		}
	}
	return all
}

func drawAsk(t *rapid.T) quota.Ask {
	return quota.Ask{
		Keep:  time.Hour,
		Rates: some(t, "rate", func(name string) quota.RateAsk { return drawRate(t, name) }),
		Slots: some(t, "slot", func(name string) quota.SlotAsk {
			s := quota.SlotAsk{Name: name, Limit: rapid.Int64Range(0, 2).Draw(t, "slots"), Shadow: drawRarely(t, "shadow")}
			if rapid.Bool().Draw(t, "hold") {
				s.ID, s.TTL = drawID(t), drawTTL(t)
			}
			return s
		}),
		Units: some(t, "units", func(name string) quota.UnitsAsk {
			return quota.UnitsAsk{
				Name: name, Period: drawPeriod(t), Limit: rapid.Int64Range(-1, 20).Draw(t, "limit"), Cost: rapid.Int64Range(0, 9).Draw(t, "cost"),
				AtMost: drawRarely(t, "at most"), Soft: drawRarely(t, "soft"), Shadow: drawRarely(t, "shadow"),
				Seed: rapid.Int64Range(0, 9).Draw(t, "seed"), Seeded: rapid.Bool().Draw(t, "seeded"),
				MaxAge: rapid.SampledFrom([]time.Duration{0, 20 * time.Second}).Draw(t, "greatest age"),
			}
		}),
	}
}

// drawRate is a rate of one of a few states of its plan, some of which has a lease.
func drawRate(t *rapid.T, name string) quota.RateAsk {
	r := quota.RateAsk{
		Name: name, Burst: rapid.SampledFrom([]int64{4, 20}).Draw(t, "burst"), AtMost: drawRarely(t, "at most"), Shadow: drawRarely(t, "shadow"),
		Interval: rapid.SampledFrom([]time.Duration{10 * time.Second, 3_333_334 * time.Microsecond, 70 * time.Second}).Draw(t, "interval"),
	}
	most := r.Burst
	if r.Shadow {
		most *= 2
	}
	r.Cost = rapid.Int64Range(0, most).Draw(t, "cost")
	if drawRarely(t, "lease") {
		r.Lease = quota.LeaseAsk{
			ID: drawID(t), Used: rapid.Int64Range(0, 5).Draw(t, "used"), Want: rapid.Int64Range(0, 5).Draw(t, "want"), TTL: 30 * time.Second,
		}
	}
	return r
}

func drawRarely(t *rapid.T, label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }

func drawBack(t *rapid.T) quota.Back {
	return quota.Back{
		Rates: some(t, "rate", func(name string) quota.RateBack {
			back := quota.RateBack{Name: name, Tokens: rapid.Int64Range(0, 5).Draw(t, "tokens")}
			if rapid.Bool().Draw(t, "lease") {
				back.LeaseID, back.Used = drawID(t), rapid.Int64Range(0, 5).Draw(t, "used")
			}
			return back
		}),
		Slots: some(t, "slot", func(name string) quota.HeldSlot { return quota.HeldSlot{Name: name, ID: drawID(t)} }),
		Units: some(t, "units", func(name string) quota.UnitsBack {
			return quota.UnitsBack{Name: name, Period: drawPeriod(t), N: rapid.Int64Range(0, 9).Draw(t, "units")}
		}),
	}
}
