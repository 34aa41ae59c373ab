package resolve_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// FuzzSubdomain: what is taken for a tenant's host is one, and every spelling of it that
// is taken means the tenant that the canonical one means.
func FuzzSubdomain(f *testing.F) {
	for _, host := range []string{
		"acme-corp.example.com", "acme-corp.example.com:8080", "acme-corp.example.com.", "acme-corp.EXAMPLE.com", "www.example.com",
		"example.com", "a.b.example.com", "acme.evil.com", "evilexample.com", "[::1]:80", "127.0.0.1", "user@acme.example.com",
		"xn--acm-epa.example.com", "ACME.example.com", ".example.com", "", "acme.example.com:80:80", "acme\x00.example.com",
	} {
		f.Add(host)
	}
	source := resolve.Subdomain("example.com")
	f.Fuzz(func(t *testing.T, host string) {
		r := get("/")
		r.Host = host
		claim, err := source.Tenant(r)
		if err != nil {
			require.ErrorIs(t, err, resolve.ErrInvalid)
			assert.Zero(t, claim)
			return
		}
		if claim == (resolve.Claim{}) {
			return
		}
		requireSlug(t, claim)
		canonical := string(claim.Slug) + ".example.com"
		require.Equal(t, resolve.Claim{Slug: claim.Slug}, claim)
		require.True(t, strings.HasPrefix(strings.ToLower(host), canonical), "%q for %q", claim.Slug, host)
		require.Empty(t, strings.Trim(host[len(canonical):], ".:0123456789"), host)
		r.Host = canonical
		again, err := source.Tenant(r)
		require.NoError(t, err)
		require.Equal(t, claim, again)
	})
}

// FuzzDomain: what is taken for a tenant's domain is in the one form that is looked up, every
// spelling of it that is taken means the same, and no host is read by two sources.
func FuzzDomain(f *testing.F) {
	for _, host := range []string{
		"notes.acme.example", "Notes.ACME.example.:8080", "xn--bro-hoa.example", "b\u00fcro.example", "xn--acme-.example", "acme.example.com", "EXAMPLE.com",
		"evilexample.com", "[::1]:80", "127.0.0.1:80", "127.1", "0x7f.1", "localhost", "acme..example", "acme.example..", "user@acme.example", "", ".", "\u212aiosk.example",
	} {
		f.Add(host)
	}
	source, subdomain := resolve.Domain("example.com"), resolve.Subdomain("example.com")
	f.Fuzz(func(t *testing.T, host string) {
		r := get("/")
		r.Host = host
		claim, err := source.Tenant(r)
		if err != nil {
			require.ErrorIs(t, err, resolve.ErrInvalid)
			assert.Zero(t, claim)
			return
		}
		if claim == (resolve.Claim{}) {
			return
		}
		require.Equal(t, resolve.Claim{Domain: claim.Domain}, claim)
		require.True(t, dnsname.IsCanonical(claim.Domain), claim.Domain)
		require.False(t, dnsname.Within(claim.Domain, "example.com"), claim.Domain)
		require.True(t, strings.HasPrefix(strings.ToLower(host), claim.Domain), "%q for %q", claim.Domain, host)
		require.Empty(t, strings.Trim(host[len(claim.Domain):], ".:0123456789"), host)
		other, err := subdomain.Tenant(r)
		require.NoError(t, err)
		require.Zero(t, other)
		r.Host = claim.Domain
		again, err := source.Tenant(r)
		require.NoError(t, err)
		require.Equal(t, claim, again)
	})
}

// FuzzPath: what is taken for a tenant's path begins with it in its one spelling, the
// handlers get what comes behind it, and nothing in it leads out of the tenant again.
func FuzzPath(f *testing.F) {
	for _, target := range []string{
		"/t/acme-corp/v1/notes", "/t/acme-corp", "/t/acme-corp/", "/t/acme-corp/a%2Fb", "/t/acme%2Dcorp/x", "/t/acme-corp%2Fx",
		"/t/acme-corp/..", "/t/acme-corp/%2e%2e/x", "/t/acme-corp//x", "/t//acme-corp", "/%74/acme-corp/x", "/t/acme-corp/ü", "/notes",
		"/t/acme-corp/x?y=%2F#z", "http://example.com/t/acme-corp/x", "/t/acme-corp/%252e%252e/", "/t/acme-corp/.x", "*", "",
	} {
		f.Add(target)
	}
	acme := tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // no server hands such a request to a handler
		}
		r := &http.Request{Method: http.MethodGet, URL: u, RequestURI: target, Header: make(http.Header)}
		before := *u
		claim, err := resolve.Path().Tenant(r)
		if err != nil {
			require.ErrorIs(t, err, resolve.ErrInvalid)
			return
		}
		if claim == (resolve.Claim{}) {
			require.False(t, strings.HasPrefix(u.Path, "/t/"), target)
			return
		}
		requireSlug(t, claim)
		require.Equal(t, "/t/"+string(claim.Slug), claim.Prefix)

		found := acme
		found.Slug = claim.Slug
		rs := newResolver(t, mixedUp{found}, resolve.Config{Sources: []resolve.Source{resolve.Path()}})
		inside, err := rs.Resolve(r)
		require.Equal(t, before, *u, "the request further out")
		if err != nil {
			require.ErrorIs(t, err, resolve.ErrInvalid)
			return
		}
		rest := strings.TrimPrefix(u.EscapedPath(), claim.Prefix)
		if rest == "" {
			rest = "/"
		}
		require.Equal(t, rest, inside.URL.EscapedPath())
		require.Equal(t, u.RawQuery, inside.URL.RawQuery)
		require.True(t, strings.HasPrefix(inside.URL.Path, "/"))
		require.False(t, strings.HasPrefix(inside.URL.Path, "//"))
		for segment := range strings.SplitSeq(inside.URL.Path, "/") {
			require.NotContains(t, []string{".", ".."}, segment)
		}

		// A proxy that cleans paths, and a router that does, see the same tenant.
		clean, err := url.ParseRequestURI(claim.Prefix + rest)
		require.NoError(t, err)
		again, err := resolve.Path().Tenant(&http.Request{URL: clean.JoinPath()})
		require.NoError(t, err)
		require.Equal(t, claim, again)
		var routed string
		mux := http.NewServeMux()
		mux.HandleFunc("/t/{slug}/", func(_ http.ResponseWriter, r *http.Request) { routed = r.PathValue("slug") })
		mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: http.MethodGet, URL: u, RequestURI: target})
		require.Contains(t, []string{"", string(claim.Slug)}, routed)
	})
}

// FuzzHeader: what is taken from the headers is what stands in them, and well formed.
func FuzzHeader(f *testing.F) {
	f.Add("acme-corp", "acme-corp", someID)
	f.Add("acme-corp", "beta-industries", "")
	f.Add("", "www", "00000000-0000-0000-0000-000000000000")
	f.Add("Acme", "a,b", strings.ToUpper(someID))
	f.Fuzz(func(t *testing.T, slug, second, id string) {
		r := get("/", resolve.HeaderSlug, slug, resolve.HeaderSlug, second, resolve.HeaderID, id)
		claim, err := resolve.Header().Tenant(r)
		if err != nil {
			require.ErrorIs(t, err, resolve.ErrInvalid)
			assert.Zero(t, claim)
			return
		}
		requireSlug(t, claim)
		require.Equal(t, resolve.Claim{Slug: tenant.Slug(slug), ID: claim.ID}, claim)
		require.Equal(t, slug, second)
		require.Equal(t, id, claim.ID.String())
	})
}

func requireSlug(t *testing.T, claim resolve.Claim) {
	t.Helper()
	slug, err := tenant.ParseSlug(string(claim.Slug))
	require.NoError(t, err)
	require.Equal(t, claim.Slug, slug)
}
