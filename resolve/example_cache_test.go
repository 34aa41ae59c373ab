package resolve_test

import (
	"context"
	"fmt"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// A cache before the store, told of what this process changes.
func ExampleNewCache() {
	ctx := context.Background()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp", Name: "Acme Corp"})
	cache, err := resolve.NewCache(store, resolve.CacheConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()

	for range 3 {
		t, err := cache.Lookup(ctx, tenant.BySlug("acme-corp"))
		fmt.Println(t.Name, err)
	}
	acme, _ := cache.Lookup(ctx, tenant.BySlug("acme-corp"))
	renamed, _ := store.Rename(acme.ID, "acme-labs")
	cache.Put(ctx, renamed) // the catalog's OnChange does this

	_, err = cache.Lookup(ctx, tenant.BySlug("acme-corp"))
	fmt.Println(err)
	fmt.Println(cache.Stats().Loads, "look-up in the store")
	// Output:
	// Acme Corp <nil>
	// Acme Corp <nil>
	// Acme Corp <nil>
	// tenant_gone: the tenant was deleted, or has another slug now
	// 1 look-up in the store
}
