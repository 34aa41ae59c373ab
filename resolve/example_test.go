package resolve_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// Acme Corp has a host name of its own.
func ExampleSubdomain() {
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp", Name: "Acme Corp"})
	inTenant := resolve.Middleware(store, resolve.Subdomain("example.com"))

	handler := inTenant(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t, err := tenant.Require(r.Context())
		fmt.Println(t.Name, err)
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://acme-corp.example.com/notes", nil))

	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest("GET", "http://acme-corp.evil.example/notes", nil))
	fmt.Println(response.Code)
	// Output:
	// Acme Corp <nil>
	// 400
}

// The router behind the path prefix has the patterns that it would have without.
func ExamplePath() {
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"}, tenant.Tenant{Slug: "beta-industries"})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		t, _ := tenant.FromContext(r.Context())
		fmt.Println(t.Slug, r.URL.Path, r.PathValue("id"))
		fmt.Println("more at", resolve.PathPrefix(r.Context())+"/notes")
	})
	handler := resolve.Middleware(store, resolve.Path())(mux)

	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/t/beta-industries/notes/7", nil))
	// Output:
	// beta-industries /notes/7 7
	// more at /t/beta-industries/notes
}

// Whoever holds a key of one tenant can't use it on another, however the other is named.
func ExampleFromPrincipal() {
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp"}
	store := tenanttest.NewStore(acme, tenant.Tenant{Slug: "beta-industries"})

	// An authentication does this, once it has verified the key.
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key := tenant.Principal{Kind: tenant.Key, ID: "key-1", Tenant: acme.ID}
			next.ServeHTTP(w, r.WithContext(tenant.NewPrincipalContext(r.Context(), key)))
		})
	}
	inTenant := resolve.Middleware(store, resolve.Header(), resolve.FromPrincipal())
	handler := authenticate(inTenant(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t, _ := tenant.FromContext(r.Context())
		fmt.Println("handled for", t.Slug)
	})))

	for _, slug := range []string{"", "acme-corp", "beta-industries"} {
		r := httptest.NewRequest("GET", "/notes", nil)
		if slug != "" {
			r.Header.Set(resolve.HeaderSlug, slug)
		}
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		fmt.Println(response.Code)
	}
	// Output:
	// handled for acme-corp
	// 200
	// handled for acme-corp
	// 200
	// 403
}

// Settings from outside are looked at when the program starts.
func ExampleNew() {
	baseDomain := "https://example.com" // say, from a flag
	_, err := resolve.New(new(tenanttest.Store), resolve.Config{
		Sources: []resolve.Source{resolve.Header(), resolve.Subdomain(baseDomain)},
		Skip:    []string{"/healthz", "/v1/login"},
	})
	fmt.Println(err)
	// Output:
	// resolve: source 2: base domain "https://example.com": it is to be like example.com: lower case, without scheme, port, or a dot at an end
}

// Tenants that bring domains of their own: the store knows whose notes.acme.example is. That
// of tenantdb does for domains that are verified, see its Catalog.VerifyDomain.
func ExampleDomain() {
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp"}
	store := tenanttest.NewStore(acme)
	if err := store.AddDomain(acme.ID, "notes.acme.example"); err != nil {
		fmt.Println(err)
	}
	handler := resolve.Middleware(store, resolve.Domain("example.com"), resolve.Subdomain("example.com"))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t, _ := tenant.FromContext(r.Context())
			fmt.Println(r.Host, "is", t.Slug)
		}))

	for _, host := range []string{"notes.acme.example:8080", "acme-corp.example.com", "notes.beta.example"} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", "http://"+host+"/", nil))
		fmt.Println(recorder.Code)
	}
	// Output:
	// notes.acme.example:8080 is acme-corp
	// 200
	// acme-corp.example.com is acme-corp
	// 200
	// 404
}

// Tenants in paths of another form than Path's. The prefix is taken off the path that the
// handlers see.
//
// A query parameter would be as easy to read, and must not be: links with one are sent
// around, kept in logs and in Referer headers, and whoever clicks on one would act in a
// tenant that somebody else chose.
func ExampleSourceFunc() {
	inPath := resolve.SourceFunc(func(r *http.Request) (resolve.Claim, error) {
		rest, found := strings.CutPrefix(r.URL.Path, "/orgs/")
		if !found {
			return resolve.Claim{}, nil
		}
		name, _, _ := strings.Cut(rest, "/")
		slug, err := tenant.ParseSlug(name)
		return resolve.Claim{Slug: slug, Prefix: "/orgs/" + name}, err
	})

	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	handler := resolve.Middleware(store, inPath)(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t, _ := tenant.FromContext(r.Context())
			fmt.Println(r.URL.Path, "of", t.Slug)
		}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/orgs/acme-corp/notes", nil))
	// Output:
	// /notes of acme-corp
}

// Behind a proxy that is one's own, the host is that which the proxy was asked for. From
// anybody else the field counts for nothing.
func ExampleTrustProxies() {
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	inTenant := resolve.Middleware(store, resolve.Subdomain("example.com", resolve.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))))
	handler := inTenant(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {}))

	for _, from := range []string{"10.1.2.3:4567", "203.0.113.9:4567"} {
		r := httptest.NewRequest("GET", "http://notes.internal/notes", nil)
		r.RemoteAddr = from
		r.Header.Set("X-Forwarded-Host", "acme-corp.example.com")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		fmt.Println(response.Code)
	}
	// Output:
	// 200
	// 400
}
