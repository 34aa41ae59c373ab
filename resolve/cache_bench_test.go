package resolve_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// cachedCases are functions that serve a request each through a middleware whose store is a
// cache, by the place of its name.
func cachedCases(tb testing.TB) map[string]func() {
	tb.Helper()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	cache, err := resolve.NewCache(store, resolve.CacheConfig{Bus: connectedBus()})
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, cache.Close()) })
	acme, err := store.Lookup(tb.Context(), tenant.BySlug("acme-corp"))
	require.NoError(tb, err)
	cases := make(map[string]func())
	for name, c := range map[string]struct {
		source  resolve.Source
		request *http.Request
	}{
		"subdomain": {resolve.Subdomain("example.com"), get("http://acme-corp.example.com:8080/v1/notes")},
		"header":    {resolve.Header(), get("/v1/notes", resolve.HeaderSlug, "acme-corp")},
		"path":      {resolve.Path(), get("/t/acme-corp/v1/notes")},
		"principal": {resolve.FromPrincipal(), as(get("/v1/notes"), keyOf(acme))},
	} {
		handler := resolve.Middleware(cache, c.source)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		recorder := httptest.NewRecorder()
		serve := func() {
			clear(recorder.Header())
			handler.ServeHTTP(recorder, c.request)
		}
		serve()
		require.Equal(tb, http.StatusOK, recorder.Code, name)
		cases[name] = serve
	}
	return cases
}

// BenchmarkCachedMiddleware is a whole resolve with a tenant that the cache knows.
func BenchmarkCachedMiddleware(b *testing.B) {
	for name, serve := range cachedCases(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

func TestCacheHitAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	c := newCached(t, resolve.CacheConfig{})
	for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.ByID(c.acme.ID), tenant.ByDomain("notes.acme.example")} {
		c.find(t, ref)
		assert.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = c.Lookup(t.Context(), ref) }), "%v", ref)
	}
}

// BenchmarkMemory is what a tenant takes that was looked up by its slug.
func BenchmarkMemory(b *testing.B) {
	const tenants = 100_000
	store := tenanttest.NewStore()
	slugs := make([]tenant.Slug, tenants)
	for i := range slugs {
		slugs[i] = tenant.Slug(fmt.Sprintf("tenant-%d", i))
		_, err := store.Put(tenant.Tenant{Slug: slugs[i], Name: "Tenant", Plan: "pro"})
		require.NoError(b, err)
	}
	var perTenant float64
	for b.Loop() {
		before := heap()
		cache, err := resolve.NewCache(store, resolve.CacheConfig{Size: tenants, Bus: connectedBus()})
		require.NoError(b, err)
		for _, slug := range slugs {
			if _, err := cache.Lookup(b.Context(), tenant.BySlug(slug)); err != nil {
				b.Fatal(err)
			}
		}
		perTenant = float64(heap()-before) / float64(cache.Stats().Tenants)
		require.NoError(b, cache.Close())
	}
	b.ReportMetric(perTenant, "B/tenant")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
