package rediscache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// Two processes of a service: what one suspends the other refuses.
func ExampleOpenBus() {
	ctx := context.Background()
	server, err := localserver.StartRedis(ctx, localserver.RedisConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"}) // tenantdb.Catalog in a program

	here, closeHere, err := startExample(server.URL(), store)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeHere()
	there, closeThere, err := startExample(server.URL(), store)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeThere()

	acme, _ := there.Lookup(ctx, tenant.BySlug("acme-corp"))
	fmt.Println(acme.Status)
	suspended, _ := store.SetStatus(acme.ID, tenant.StatusSuspended)
	here.Put(ctx, suspended)
	for acme.Status == tenant.StatusActive { // for the message's way
		acme, _ = there.Lookup(ctx, tenant.BySlug("acme-corp"))
	}
	fmt.Println(acme.Status)
	// Output:
	// active
	// suspended
}

// What one process has read from the database, another finds here: an older state never in
// the place of a newer one. In a service resolve.CacheConfig.Shared has it, and the cache asks.
func ExampleShared() {
	ctx := context.Background()
	server, err := localserver.StartRedis(ctx, localserver.RedisConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		fmt.Println(err)
		return
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	defer client.Close()
	shared, err := rediscache.NewShared(client, rediscache.SharedConfig{Timeout: time.Second}) // 0 is for a service
	if err != nil {
		fmt.Println(err)
		return
	}

	before := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive, Version: 1}
	after := before
	after.Status, after.Version = tenant.StatusSuspended, 2
	for _, state := range []tenant.Tenant{after, before} { // the one who read first comes last
		if err := shared.Set(ctx, tenant.BySlug("acme-corp"), state, 0); err != nil {
			fmt.Println(err)
			return
		}
	}
	found, _, ok, err := shared.Get(ctx, tenant.BySlug("acme-corp"))
	fmt.Println(found.Status, found.Version, ok, err)
	// Output:
	// suspended 2 true <nil>
}

// startExample is what each process does when it starts.
func startExample(url string, store tenant.Store) (_ *resolve.Cache, end func(), err error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	options.ContextTimeoutEnabled = true // asked for by both of the following
	client := redis.NewClient(options)
	shared, err := rediscache.NewShared(client, rediscache.SharedConfig{})
	if err != nil {
		return nil, nil, err
	}
	bus, err := rediscache.OpenBus(client, rediscache.BusConfig{})
	if err != nil {
		return nil, nil, err
	}
	cache, err := resolve.NewCache(store, resolve.CacheConfig{Shared: shared, Bus: bus})
	if err != nil {
		return nil, nil, err
	}
	for !bus.Connected() { // a service needs not wait for that
		time.Sleep(time.Millisecond)
	}
	return cache, func() { _, _, _ = cache.Close(), bus.Close(), client.Close() }, nil
}
