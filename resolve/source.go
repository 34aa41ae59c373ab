package resolve

import (
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
)

// Source is one place of a request that may name its tenant.
//
// Tenant returns what r names there, and the zero [Claim] when it names none, which is no
// error. Something malformed in that place is an error, never a name that is left out: a
// request must not get to another tenant, or to none, by a name that nobody could read.
//
// The error goes to the client. [tenant.ErrBadSlug] and [tenant.ErrBadID], also wrapped,
// become a tenant_invalid with the error's text as its detail; a [tenant.Error] stays as
// it is, [ErrInvalid] for one; any other error is the service's own fault and becomes what
// the error handler makes of it, by default an internal error.
//
// Tenant is called on every request, by many goroutines at once. It looks nothing up,
// for the resolver does, and it does not change r or read its body.
type Source interface {
	Tenant(r *http.Request) (Claim, error)
}

// SourceFunc makes a [Source] of a function.
type SourceFunc func(r *http.Request) (Claim, error)

// Tenant calls f.
func (f SourceFunc) Tenant(r *http.Request) (Claim, error) { return f(r) }

// Claim is which tenant a source says that a request is for. It is no more than that: a
// claim. Most sources fill one of Slug, ID and Domain; with several filled, all must lead
// to the same tenant. The zero Claim names none.
type Claim struct {
	Slug   tenant.Slug // as tenant.ParseSlug returns it
	ID     tenant.ID
	Domain string // in the form of tenant.ByDomain

	// Prefix is the part of the path that named the tenant, such as /t/acme-corp. It is
	// taken off the path that the handlers see, which is then what comes behind it, or /
	// for nothing. It begins with a slash, does not end with one, ends where a segment
	// of the path ends, and has only characters that no path escapes. Without a name it
	// counts for nothing.
	Prefix string
}

// isZero reports whether c names no tenant.
func (c Claim) isZero() bool { return c.Slug == "" && c.ID.IsZero() && c.Domain == "" }

// merge takes what a claim says into all, and reports whether the two agree as far as that
// can be seen without a look-up: a slug never leads to the tenant of another slug.
func merge(all *Claim, claim Claim) (agree bool) {
	return settle(&all.Slug, claim.Slug) &&
		settle(&all.ID, claim.ID) &&
		settle(&all.Domain, claim.Domain) &&
		settle(&all.Prefix, claim.Prefix)
}

// settle sets to when it is not set yet, and reports whether it agrees with value, which
// the zero value does.
func settle[T comparable](to *T, value T) (agrees bool) {
	var none T
	if *to == none {
		*to = value
	}
	return value == none || value == *to
}
