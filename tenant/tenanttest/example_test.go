package tenanttest_test

import (
	"context"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// A store for the tests of a service, and what happens to its tenants in the end.
func ExampleStore() {
	store := tenanttest.NewStore(
		tenant.Tenant{Slug: "acme-corp", Name: "Acme Corp", Plan: "pro"},
		tenant.Tenant{Slug: "beta-industries", Name: "Beta Industries"},
	)
	ctx := context.Background()

	acme, err := store.Lookup(ctx, tenant.BySlug("acme-corp"))
	fmt.Println(acme.Name, acme.Status, err)

	_, _ = store.Rename(acme.ID, "acme")
	_, err = store.Lookup(ctx, tenant.BySlug("acme-corp"))
	fmt.Println(err)

	_ = store.Delete(acme.ID)
	_, err = store.Lookup(ctx, tenant.ByID(acme.ID))
	fmt.Println(err)
	_, err = store.Lookup(ctx, tenant.BySlug("nobody"))
	fmt.Println(err)
	// Output:
	// Acme Corp active <nil>
	// tenant_gone: the tenant was deleted, or has another slug now
	// tenant_gone: the tenant was deleted, or has another slug now
	// tenant_not_found: there is no such tenant
}
