// Package tenanttest has what tests need in place of a real tenant.Store, and what tests
// a real one.
//
// [Store] keeps tenants in memory, for the tests of a service and for its examples:
//
//	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp", Name: "Acme Corp"})
//	handler := resolve.Middleware(store, resolve.Header())(inner)
//
// [RunStore] holds any other store to the contract of [tenant.Store]. Whoever writes one
// fills a [Harness] with what the suite needs done to tenants, and calls it from a test:
//
//	func TestStore(t *testing.T) {
//		catalog := open(t)
//		tenanttest.RunStore(t, tenanttest.Harness{
//			Store: catalog,
//			Create: func(ctx context.Context, t tenant.Tenant) error {
//				_, err := catalog.Create(ctx, tenantdb.NewTenant{ID: t.ID, Slug: t.Slug, Name: t.Name, Plan: t.Plan})
//				return err
//			},
//			…
//		})
//	}
//
// The package needs the standard library alone, so that it brings no testing library
// into the tests of others.
package tenanttest
