package tenanttest_test

import (
	"context"
	"fmt"
	"testing"

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

// A store of one's own is held to what every store promises, in a test of its package. Here
// it is the one in memory; a store that caches, or asks another service, is told of the
// changes by the same functions.
func ExampleRunStore() { //nolint:testableexamples // with -v its output has that of the tests
	testStore := func(t *testing.T) { // func TestStore(t *testing.T)
		store := tenanttest.NewStore()
		setStatus := func(status tenant.Status) func(context.Context, tenant.ID) error {
			return func(_ context.Context, id tenant.ID) error {
				_, err := store.SetStatus(id, status)
				return err
			}
		}
		tenanttest.RunStore(t, tenanttest.Harness{
			Store: store,
			Create: func(_ context.Context, t tenant.Tenant) error {
				_, err := store.Put(t)
				return err
			},
			Rename: func(_ context.Context, id tenant.ID, slug tenant.Slug) error {
				_, err := store.Rename(id, slug)
				return err
			},
			Suspend: setStatus(tenant.StatusSuspended),
			Resume:  setStatus(tenant.StatusActive),
			Delete:  func(_ context.Context, id tenant.ID) error { return store.Delete(id) },
		})
	}
	_ = testStore // "go test" runs it
}
