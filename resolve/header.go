package resolve

import (
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
)

// The header fields of [Header].
const (
	HeaderSlug = "X-Tenant-Slug"
	HeaderID   = "X-Tenant-ID"
)

// canonicalID is the spelling under which net/http keeps the field HeaderID.
const canonicalID = "X-Tenant-Id"

// Header is the source of programs: the field X-Tenant-Slug carries a tenant's slug,
// X-Tenant-ID its id. A request may have both, which then must agree.
//
// A field that is there must be well formed: an empty one is malformed, as is a list, an
// id in X-Tenant-Slug, or a slug in X-Tenant-ID. A field on several lines must say the same on
// each, for some programs read the first and some the last.
func Header() Source { return header{} }

type header struct{}

// Tenant implements [Source].
func (header) Tenant(r *http.Request) (Claim, error) {
	var claim Claim
	if lines := r.Header[HeaderSlug]; len(lines) > 0 {
		slug, err := tenant.ParseSlug(lines[0])
		if err != nil {
			return Claim{}, invalid("header %s: %v", HeaderSlug, err)
		}
		if !allSame(lines) {
			return Claim{}, invalid("header %s: several lines that differ", HeaderSlug)
		}
		claim.Slug = slug
	}
	if lines := r.Header[canonicalID]; len(lines) > 0 {
		id, err := tenant.ParseID(lines[0])
		if err != nil {
			return Claim{}, invalid("header %s: %v", HeaderID, err)
		}
		if !allSame(lines) {
			return Claim{}, invalid("header %s: several lines that differ", HeaderID)
		}
		claim.ID = id
	}
	return claim, nil
}

// allSame reports whether each line is what the first one is.
func allSame(lines []string) bool {
	for _, line := range lines[1:] {
		if line != lines[0] {
			return false
		}
	}
	return true
}
