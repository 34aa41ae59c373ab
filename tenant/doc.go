// Package tenant has the words that the other packages share: which tenant a request
// is for, who acts in it, and what may go wrong.
//
// A middleware (package resolve) finds out which tenant a request is for, looks it up
// in a [Store] and puts it into the context. Whoever works for the request takes it
// from there:
//
//	t, err := tenant.Require(ctx)
//	if err != nil {
//		return err // tenant_required: no tenant in the context
//	}
//	log.Info("exporting", "tenant", t.Slug)
//
// Most code needs not even that, for tenantdb reads the context itself and confines
// every statement to its tenant.
//
// A [Tenant] is known by an [ID], which never changes, and by a [Slug], which people
// see in addresses and which can be renamed. Whatever is stored refers to the ID.
//
// What an API client may see of a failure is an [*Error] with a [Code]; package
// tenant/problem writes it to the response.
//
// The package depends on the standard library alone. Its values are immutable and may
// be used by several goroutines at once.
package tenant
