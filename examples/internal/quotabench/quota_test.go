package quotabench_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// contender is one way to decide on a request.
type contender struct {
	name  string
	call  func(context.Context) error
	after func(context.Context) // what a batch leaves to be undone, outside of the time
	calls int                   // of one batch
}

// one is what the others are compared with.
const one = "redis_rate"

// BenchmarkBesideRedisRate asks each contender in turn, a batch each round, so that whatever
// else the machine does falls on all of them, and reports medians: the baseline in
// nanoseconds, the others as a ratio to it.
func BenchmarkBesideRedisRate(b *testing.B) {
	contenders := newContenders(b, startRedis(b))
	run(b, contenders, func(c contender) time.Duration {
		start := time.Now()
		for range c.calls {
			if err := c.call(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start) / time.Duration(c.calls)
	})
}

// BenchmarkBesideRedisRateByManyCallers is the same with callers that share the work; the
// numbers are time by call, of all callers together.
func BenchmarkBesideRedisRateByManyCallers(b *testing.B) {
	for _, callers := range []int{16, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			contenders := newContenders(b, startRedis(b))
			run(b, contenders, func(c contender) time.Duration {
				var group sync.WaitGroup
				start := time.Now()
				for range callers {
					group.Go(func() {
						for range c.calls / 4 {
							if err := c.call(b.Context()); err != nil {
								b.Error(err)
							}
						}
					})
				}
				group.Wait()
				return time.Since(start) / time.Duration(callers*(c.calls/4))
			})
		})
	}
}

func run(b *testing.B, contenders []contender, batch func(contender) time.Duration) {
	b.Helper()
	took := make(map[string][]time.Duration)
	for range 3 { // connections, scripts and leases
		for _, c := range contenders {
			batch(c)
			c.after(b.Context())
		}
	}
	for b.Loop() {
		// In another order each time: who comes after one that never waits finds the server asleep.
		rand.Shuffle(len(contenders), func(i, j int) { contenders[i], contenders[j] = contenders[j], contenders[i] })
		for _, c := range contenders {
			for range 3 {
				if err := c.call(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			took[c.name] = append(took[c.name], batch(c))
			c.after(b.Context())
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return float64(took[name][len(took[name])/2])
	}
	b.ReportMetric(0, "ns/op") // of a round, which means nothing
	for _, c := range contenders {
		if c.name == one {
			b.ReportMetric(median(one), "ns/"+one)
		} else {
			b.ReportMetric(median(c.name)/median(one), "x:"+c.name)
		}
	}
}

func startRedis(b *testing.B) *redis.Client {
	b.Helper()
	server, err := localserver.StartRedis(b.Context(), localserver.RedisConfig{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Close() })
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: server.Password(), ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: 64})
	b.Cleanup(func() { _ = client.Close() })
	return client
}

// allowed is the error of a request that is not decided, or refused: it is not what is
// measured.
func allowed(d quota.Decision, err error) error {
	if err != nil {
		return err
	}
	return d.Err()
}

func newContenders(b *testing.B, client *redis.Client) []contender {
	b.Helper()
	plans, err := quota.NewPlans("free", quota.Plan{
		Name: "free",
		Rates: []quota.Rate{
			{Name: "hot", Limit: 100_000, Per: time.Second, Burst: 1_000_000_000, Lease: true},
			{Name: "requests", Limit: 100_000, Per: time.Second}, {Name: "writes", Limit: 100_000, Per: time.Second}, {Name: "exports", Limit: 100_000, Per: time.Second},
			{Name: "empty", Limit: 1, Per: 24 * time.Hour},
		},
		Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 100_000}},
	})
	require.NoError(b, err)
	backend, err := quota.NewRedis(client, quota.RedisConfig{})
	require.NoError(b, err)
	limiter, err := quota.New(backend, plans, quota.Config{Timeout: 10 * time.Second, RememberDenials: time.Minute})
	require.NoError(b, err)
	b.Cleanup(func() { _ = limiter.Close(context.Background()) })

	t := tenant.Tenant{ID: tenant.NewID()}
	rate := redis_rate.NewLimiter(client)
	limit := redis_rate.PerSecond(100_000)
	nothing := func(context.Context) {}
	var mu sync.Mutex
	var slots []*quota.Slot
	hot := quota.Request{Costs: []quota.Cost{{Limit: "hot", N: 1}}}
	empty := quota.Request{Costs: []quota.Cost{{Limit: "empty", N: 1}}}
	three := []quota.Cost{{Limit: "requests", N: 1}, {Limit: "writes", N: 1}, {Limit: "exports", N: 1}}
	all := quota.Request{Costs: append(slices.Clone(three), quota.Cost{Limit: "jobs", N: 1})}

	return []contender{
		{one, func(ctx context.Context) error {
			_, err := rate.Allow(ctx, t.ID.String(), limit)
			return err
		}, nothing, 20},
		{"redis_rate-three-times", func(ctx context.Context) error {
			for _, c := range three {
				if _, err := rate.Allow(ctx, t.ID.String()+c.Limit, limit); err != nil {
					return err
				}
			}
			return nil
		}, nothing, 20},
		{"one-limit", func(ctx context.Context) error {
			return allowed(limiter.Admit(ctx, t, quota.Request{Costs: three[:1]}))
		}, nothing, 20},
		{"three-limits", func(ctx context.Context) error {
			return allowed(limiter.Admit(ctx, t, quota.Request{Costs: three}))
		}, nothing, 20},
		{"three-limits-and-a-slot", func(ctx context.Context) error {
			slot, d, err := limiter.Acquire(ctx, t, all)
			if err := allowed(d, err); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			slots = append(slots, slot)
			return nil
		}, func(ctx context.Context) {
			for _, slot := range slots {
				_ = slot.Release(ctx)
			}
			slots = slots[:0]
		}, 20},
		{"lease", func(ctx context.Context) error {
			return allowed(limiter.Admit(ctx, t, hot))
		}, nothing, 5_000},
		{"remembered-denial", func(ctx context.Context) error {
			_, err := limiter.Admit(ctx, t, empty)
			return err
		}, nothing, 5_000},
	}
}
