package resolve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// BenchmarkMiddleware is what the middleware adds to a request, with all sources and a
// store in memory: to find the tenant, and the new request with its context.
func BenchmarkMiddleware(b *testing.B) {
	for name, serve := range middlewareCases(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

func TestMiddlewareAllocatesNoMoreThanTheRequestAndItsContext(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	for name, serve := range middlewareCases(t) {
		assert.LessOrEqual(t, testing.AllocsPerRun(100, serve), 3.0, name)
	}
}

// middlewareCases are functions that serve a request each, by the place of its name.
func middlewareCases(tb testing.TB) map[string]func() {
	tb.Helper()
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive}
	store := inMemory{tenant.BySlug(acme.Slug): acme, tenant.ByID(acme.ID): acme}
	inTenant := resolve.Middleware(store, resolve.Subdomain("example.com"), resolve.Header(), resolve.Path(), resolve.FromPrincipal())
	handler := inTenant(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := tenant.FromContext(r.Context()); !ok {
			panic("no tenant")
		}
	}))
	cases := make(map[string]func())
	for name, r := range map[string]*http.Request{
		"subdomain":           get("http://acme-corp.example.com:8080/v1/notes"),
		"header":              get("/v1/notes", resolve.HeaderSlug, "acme-corp"),
		"path":                get("/t/acme-corp/v1/notes"),
		"principal":           as(get("/v1/notes"), keyOf(acme)),
		"all":                 as(get("http://acme-corp.example.com:8080/t/acme-corp/v1/notes", resolve.HeaderSlug, "acme-corp", resolve.HeaderID, acme.ID.String()), keyOf(acme)),
		"path with an escape": get("/t/acme-corp/v1/notes/a%2Fb"),
	} {
		recorder := httptest.NewRecorder()
		serve := func() {
			clear(recorder.Header()) // each response has its own
			handler.ServeHTTP(recorder, r)
		}
		serve()
		require.Equal(tb, http.StatusOK, recorder.Code, name)
		cases[name] = serve
	}
	return cases
}

type inMemory map[tenant.Ref]tenant.Tenant

func (m inMemory) Lookup(_ context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	t, ok := m[ref]
	if !ok {
		return tenant.Tenant{}, tenant.ErrNotFound
	}
	return t, nil
}
