package quota_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// A request that costs something of two limits, until one of them refuses.
func ExampleLimiter_Admit() {
	plans, _ := quota.NewPlans("free", quota.Plan{Name: "free", Rates: []quota.Rate{
		{Name: "requests", Limit: 100, Per: time.Minute},
		{Name: "writes", Limit: 2, Per: time.Hour},
	}})
	limiter, _ := quota.New(quota.NewMemory(nil), plans, quota.Config{})
	ctx := context.Background()
	defer func() { _ = limiter.Close(ctx) }()

	acme := tenant.Tenant{ID: tenant.NewID()}
	write := quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}, {Limit: "writes", N: 1}}}
	for range 3 {
		d, err := limiter.Admit(ctx, acme, write)
		if err != nil {
			fmt.Println(err)
			return
		}
		state, _ := d.Limit(d.Binding)
		fmt.Println(d.Allowed, d.Binding, state.Remaining, d.RetryAfter.Round(time.Minute))
	}
	// Output:
	// true writes 1 0s
	// true writes 0 0s
	// false writes 0 30m0s
}

// A job of which a tenant may run one at a time.
func ExampleLimiter_Acquire() {
	plans, _ := quota.NewPlans("free", quota.Plan{Name: "free", Concurrency: []quota.Concurrency{{Name: "exports", Limit: 1}}})
	limiter, _ := quota.New(quota.NewMemory(nil), plans, quota.Config{})
	ctx := context.Background()
	defer func() { _ = limiter.Close(ctx) }()

	acme := tenant.Tenant{ID: tenant.NewID()}
	export := quota.Request{Costs: []quota.Cost{{Limit: "exports", N: 1}}}
	slot, _, _ := limiter.Acquire(ctx, acme, export)
	_, d, _ := limiter.Acquire(ctx, acme, export)
	var shown *tenant.Error
	fmt.Println(errors.As(d.Err(), &shown), shown.Code)
	_ = slot.Release(ctx)
	slot, d, _ = limiter.Acquire(ctx, acme, export)
	fmt.Println(d.Allowed)
	_ = slot.Release(ctx)
	// Output:
	// true quota_exceeded
	// true
}

// What a tenant has left of its whole plan.
func ExampleLimiter_Peek() {
	plans, _ := quota.NewPlans("free", quota.Plan{
		Name:  "free",
		Rates: []quota.Rate{{Name: "requests", Limit: 10, Per: time.Minute}, {Name: "reads", Limit: quota.Unlimited}},
		Units: []quota.Units{{Name: "exports", Limit: 100}},
	})
	limiter, _ := quota.New(quota.NewMemory(nil), plans, quota.Config{})
	ctx := context.Background()
	defer func() { _ = limiter.Close(ctx) }()

	d, _ := limiter.Peek(ctx, tenant.Tenant{ID: tenant.NewID()})
	for _, s := range d.Limits {
		fmt.Println(s.Name, s.Kind, s.Remaining, "of", s.Limit)
	}
	// Output:
	// requests rate 10 of 10
	// reads rate 0 of -1
	// exports units 100 of 100
}

// Several processes count together on one Redis.
func ExampleNewRedis() {
	ctx := context.Background()
	server, err := localserver.StartRedis(ctx, localserver.RedisConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	plans, _ := quota.NewPlans("free", quota.Plan{Name: "free", Rates: []quota.Rate{{Name: "exports", Limit: 2, Per: time.Hour}}})
	acme := tenant.Tenant{ID: tenant.NewID()}

	for range 3 { // each a process of its own
		options, _ := redis.ParseURL(server.URL())
		options.ContextTimeoutEnabled = true // asked for by NewRedis
		options.MaxRetries = -1              // a call that was sent twice would count twice
		client := redis.NewClient(options)
		backend, err := quota.NewRedis(client, quota.RedisConfig{})
		if err != nil {
			fmt.Println(err)
			return
		}
		limiter, _ := quota.New(backend, plans, quota.Config{Timeout: time.Second})
		d, err := limiter.Admit(ctx, acme, quota.Request{Costs: []quota.Cost{{Limit: "exports", N: 1}}})
		fmt.Println(d.Allowed, err)
		_, _ = limiter.Close(ctx), client.Close()
	}
	// Output:
	// true <nil>
	// true <nil>
	// false <nil>
}
