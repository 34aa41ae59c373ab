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
// Beside the tenant that is acted on, the context has the [Principal] who acts: a user or a
// key, as a verified credential says. That there is one says nothing about membership; the
// guards of packages invite and apikey ask for that.
//
// # What goes wrong
//
// What an API client may see of a failure is an [*Error] with a [Code]; package
// tenant/problem writes it to the response. [errors.Is] compares codes, so
//
//	errors.Is(err, tenant.ErrSuspended)
//
// holds for every error of the code tenant_suspended, whoever made it. A product's own codes
// are an Error with a Status. Text that is no id or slug is [ErrBadID] or [ErrBadSlug].
//
// # Zero values
//
// The zero [Tenant], [ID], [Ref] and [Principal] are nobody: a zero Tenant is refused with
// [ErrRequired], a Store finds nothing by a zero Ref, and SQL gets NULL for a zero ID. An
// empty Plan is the product's default plan.
//
// The package depends on the standard library alone. Its values are immutable and may
// be used by several goroutines at once.
package tenant
