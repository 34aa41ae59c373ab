package tenantdb_test

import (
	"context"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// A cache of tenants is told of what this process changes at once, and follows what others
// have changed: from before it was filled, so that it misses nothing.
func ExampleCatalog_Follow() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	catalog, done := exampleCatalog(func(cfg *tenantdb.CatalogConfig) {
		cfg.OnChange = func(_ context.Context, t tenant.Tenant) { fmt.Println("forget", t.Slug, t.Status) }
	})
	defer done()

	start, err := catalog.LastEvent(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	acme, _ := catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})
	_, _ = catalog.Suspend(ctx, acme.ID)

	err = catalog.Follow(ctx, tenantdb.FollowOptions{After: start}, func(_ context.Context, e tenantdb.Event) error {
		fmt.Println("told of", e.Kind)
		if e.Kind == tenantdb.EventSuspended {
			cancel() // a service follows until it ends
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// forget acme-corp active
	// forget acme-corp suspended
	// told of tenant.reserved
	// told of tenant.created
	// told of tenant.suspended
	// tenantdb: follow events: context canceled
}

// records are what a zone's owner has published, in place of net.DefaultResolver.
type records map[string][]string

func (r records) LookupTXT(_ context.Context, name string) ([]string, error) { return r[name], nil }

// A tenant brings a domain: it claims it, publishes the record that proves it, and from then
// on is found by it. The source is resolve.Domain.
func ExampleCatalog_VerifyDomain() {
	ctx := context.Background()
	zone := make(records)
	catalog, done := exampleCatalog(func(cfg *tenantdb.CatalogConfig) {
		cfg.Domains = tenantdb.DomainConfig{Resolver: zone, Own: []string{"example.com"}}
	})
	defer done()
	acme, _ := catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})

	domain, err := catalog.AddDomain(ctx, acme.ID, "Notes.Acme.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("publish a TXT record at", domain.RecordName)
	zone[domain.RecordName+"."] = []string{domain.RecordValue}

	_, err = catalog.VerifyDomain(ctx, acme.ID, domain.Name)
	fmt.Println(err)
	found, err := catalog.Lookup(ctx, tenant.ByDomain("notes.acme.example"))
	fmt.Println(found.Slug, err)

	_, err = catalog.AddDomain(ctx, acme.ID, "beta-industries.example.com")
	fmt.Println(err)
	// Output:
	// publish a TXT record at _tenantwall-challenge.notes.acme.example
	// <nil>
	// acme-corp <nil>
	// validation_failed: some fields are not valid: domain: not a domain that a tenant can have: it is the service's own
}
