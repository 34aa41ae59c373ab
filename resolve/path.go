package resolve

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// Path is the source of tenants that stand in the path: /t/acme-corp/notes names the tenant
// acme-corp, and the handlers behind see /notes. It is [PathUnder] with the prefix /t.
func Path() Source { return PathUnder("/t") }

// PathUnder is the source of tenants that stand in the path behind a prefix: with the
// prefix /org, the path /org/acme-corp/notes names the tenant acme-corp, and the handlers
// behind see /notes. Paths that don't lie beneath the prefix name none.
//
// The segment behind the prefix must be a slug, spelled without escapes. What comes behind
// it is the handlers' affair, escapes included, with two exceptions that are malformed. A
// segment . or .. in any spelling: a proxy that cleans paths would see another tenant in
// /t/acme-corp/../beta-industries than a server that does not. And a second slash right
// behind the slug: the handlers would see a path that begins with two, which a browser
// that is redirected to it takes for another site.
//
// The prefix begins with a slash and has at least one segment, of letters, digits, hyphens,
// underscores and tildes, or of dots among them. A tenant in the first segment (/acme-corp/…)
// would leave the product no paths of its own; for that, write a [Source] that knows which
// are which.
//
// Routers find the rest of the path as they would without the prefix: http.ServeMux with
// methods and wildcards, and those such as chi that read URL.Path or, if there is one,
// URL.RawPath. The middleware must come before the router has begun to match, which in chi
// means Use on the outermost router. What [http.Request].RequestURI says stays as it came. A
// router that redirects within the path, as http.ServeMux does to add a slash at the end,
// knows nothing of the prefix, and its redirect leads out of the tenant; handlers that
// redirect use [PathPrefix].
func PathUnder(prefix string) Source {
	return &path{under: prefix, err: checkUnder(prefix)}
}

type path struct {
	under string
	err   error // what is wrong with the prefix
}

func (p *path) check() error { return p.err }

// Tenant implements [Source].
func (p *path) Tenant(r *http.Request) (Claim, error) {
	if p.err != nil {
		return Claim{}, p.err
	}
	rest, found := strings.CutPrefix(r.URL.Path, p.under)
	if !found || !strings.HasPrefix(rest, "/") {
		return Claim{}, nil
	}
	segment, _, _ := strings.Cut(rest[1:], "/")
	slug, err := tenant.ParseSlug(segment)
	if err != nil {
		return Claim{}, invalid("path behind %s: %v", p.under, err)
	}
	return Claim{Slug: slug, Prefix: r.URL.Path[:len(p.under)+len("/")+len(segment)]}, nil
}

// checkUnder is an error that tells what keeps prefix from standing before slugs.
func checkUnder(prefix string) error {
	segments, found := strings.CutPrefix(prefix, "/")
	if !found || segments == "" {
		return fmt.Errorf("path prefix %q: it is to be like /t: a slash and at least one segment", prefix)
	}
	for segment := range strings.SplitSeq(segments, "/") {
		if segment == "" || isDots(segment) || !isUnreserved(segment) {
			return fmt.Errorf("path prefix %q: segment %q: letters, digits, hyphens, underscores, dots and tildes, without a slash at the end", prefix, segment)
		}
	}
	return nil
}

// isUnreserved reports whether s has only characters that no path escapes (RFC 3986, 2.3).
func isUnreserved(s string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	return strings.Trim(s, unreserved) == ""
}
