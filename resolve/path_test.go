package resolve_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestPathIsStrippedForTheHandlers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for target, want := range map[string]struct{ path, raw string }{
		"/t/acme-corp":                               {"/", ""},
		"/t/acme-corp/":                              {"/", ""},
		"/t/acme-corp?x=1":                           {"/", ""},
		"/t/acme-corp/v1/notes":                      {"/v1/notes", ""},
		"/t/acme-corp/v1/notes/":                     {"/v1/notes/", ""},
		"/t/acme-corp/v1//notes":                     {"/v1//notes", ""},
		"/t/acme-corp/t/beta-industries":             {"/t/beta-industries", ""}, // once, not twice
		"/t/acme-corp/a%20b":                         {"/a b", ""},
		"/t/acme-corp/a%2Fb":                         {"/a/b", "/a%2Fb"},
		"/t/acme-corp/a%2fb":                         {"/a/b", "/a%2fb"},
		"/t/acme-corp/%6Eotes":                       {"/notes", "/%6Eotes"},
		"/t/acme-corp/100%25":                        {"/100%", ""},
		"/t/acme-corp/%252e%252e/x":                  {"/%2e%2e/x", ""},
		"/t/acme-corp/..x/x../...":                   {"/..x/x../...", ""},
		"/t/acme-corp/.well-known/x":                 {"/.well-known/x", ""},
		"/t/acme-corp/ünïcode":                       {"/ünïcode", "/ünïcode"},
		"http://acme-corp.example.com/t/acme-corp/x": {"/x", ""},
	} {
		r := get(target)
		inside, err := w.resolver(t).Resolve(r)
		require.NoError(t, err, target)
		got, _ := tenant.FromContext(inside.Context())
		assert.Equal(t, w.acme, got, target)
		assert.Equal(t, want.path, inside.URL.Path, target)
		assert.Equal(t, want.raw, inside.URL.RawPath, target)
		assert.Equal(t, "/t/acme-corp", resolve.PathPrefix(inside.Context()), target)
		assert.Equal(t, target, inside.RequestURI)
	}
}

func TestPathsThatNameNoTenantStayAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Path()}, Optional: true})
	for _, target := range []string{
		"/", "/notes", "/t", "/tx/acme-corp", "/T/acme-corp/", "//t/acme-corp/", "/x/t/acme-corp/", "/x/../t/acme-corp/", "/./t/acme-corp/",
		"/notes?path=/t/acme-corp", "/t%2Dx/acme-corp",
	} {
		r := get(target)
		inside, err := rs.Resolve(r)
		require.NoError(t, err, target)
		assert.Same(t, r, inside, target)
		assert.Empty(t, resolve.PathPrefix(inside.Context()))
	}
	r := get("/")
	r.Method, r.URL.Path = http.MethodOptions, "*"
	_, err := rs.Resolve(r)
	require.NoError(t, err)
	r.Method, r.URL.Path = http.MethodConnect, ""
	_, err = rs.Resolve(r)
	require.NoError(t, err)
}

func TestRow20_PathsWithTwoMeaningsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, target := range []string{
		// In the tenant's place.
		"/t/",
		"/t//acme-corp/",
		"/t//",
		"/t/./acme-corp/",
		"/t/../t/acme-corp/",
		"/t/Acme-Corp/",
		"/t/www/",
		"/t/a",
		"/t/pg_catalog/",
		"/t/acme%2Dcorp/",
		"/t/%61cme-corp/",
		"/t/acme-corp%2Fv1/notes",
		"/t/acme-corp%2fv1",
		"/t/acme-corp%2F",
		"/t/acme-corp%5C..%5Cbeta-industries/",
		"/t/acme-corp%00/",
		"/t/acme-corp%20/",
		"/t/acme-corp;beta-industries/",
		"/t/acme-corp./",
		"/t/acme%252Dcorp/",
		"/t/аcme-corp/", // Cyrillic
		"/t/xn--cme-corp-12g/",
		"/t/" + strings.Repeat("a", 1<<16) + "/",

		// In the prefix.
		"/%74/acme-corp/",
		"/t%2Facme-corp/",
		"/t%2facme-corp%2fnotes",

		// Behind it.
		"/t/acme-corp/..",
		"/t/acme-corp/../",
		"/t/acme-corp/../beta-industries/notes",
		"/t/acme-corp/x/../../../t/beta-industries",
		"/t/acme-corp/%2e%2e/beta-industries/",
		"/t/acme-corp/%2E./beta-industries/",
		"/t/acme-corp/..%2Fbeta-industries/",
		"/t/acme-corp/x%2F..%2F..%2Fbeta-industries",
		"/t/acme-corp/.",
		"/t/acme-corp/./notes",
		"/t/acme-corp//",
		"/t/acme-corp//evil.example/",
		"/t/acme-corp/%2Fevil.example/",
		"/t/acme-corp/%2f%2fevil.example/",
	} {
		r := get(target)
		_, err := w.resolver(t).Resolve(r)
		require.ErrorIs(t, err, resolve.ErrInvalid, "%.60s", target)
		assert.Less(t, len(err.Error()), 200, "%.60s", target)
		status, reached := serve(t, w.resolver(t), r)
		assert.Equal(t, http.StatusBadRequest, status, "%.60s", target)
		assert.Nil(t, reached, "%.60s", target)
	}
	assert.Empty(t, w.store.asked())
}

func TestPathUnderAnotherPrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.PathUnder("/app/org.s")}})
	inside, err := rs.Resolve(get("/app/org.s/acme-corp/notes"))
	require.NoError(t, err)
	assert.Equal(t, "/notes", inside.URL.Path)
	assert.Equal(t, "/app/org.s/acme-corp", resolve.PathPrefix(inside.Context()))
	_, err = rs.Resolve(get("/t/acme-corp/notes"))
	require.ErrorIs(t, err, tenant.ErrRequired)

	for _, prefix := range []string{"", "/", "t", "/t/", "//t", "/a//b", "/..", "/a/./b", "/a b", "/a%20b", "/ü", "/{slug}", "/a?b"} {
		_, err := resolve.New(w.store, resolve.Config{Sources: []resolve.Source{resolve.PathUnder(prefix)}})
		require.ErrorContains(t, err, "path prefix", prefix)
		_, err = resolve.PathUnder(prefix).Tenant(get("/t/acme-corp/"))
		require.Error(t, err, prefix)
	}
}

func TestPathsUnderTwoPrefixesThatBothNameATenantConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Path(), resolve.PathUnder("/t/acme-corp")}})
	_, err := rs.Resolve(get("/t/acme-corp/acme-corp/"))
	require.ErrorIs(t, err, resolve.ErrConflict)
	_, err = rs.Resolve(get("/t/beta-industries/acme-corp/"))
	require.NoError(t, err)
}

func TestPrefixesOfResolversWithinEachOtherAddUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outer := w.resolver(t)
	inner := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.PathUnder("/org")}})
	inside, err := outer.Resolve(get("/t/acme-corp/org/acme-corp/notes"))
	require.NoError(t, err)
	inside, err = inner.Resolve(inside)
	require.NoError(t, err)
	assert.Equal(t, "/notes", inside.URL.Path)
	assert.Equal(t, "/t/acme-corp/org/acme-corp", resolve.PathPrefix(inside.Context()))
	_, err = inner.Resolve(must(outer.Resolve(get("/t/acme-corp/org/beta-industries/notes"))))
	require.ErrorIs(t, err, resolve.ErrConflict)
}

func TestPrefixOfASourceOfOnesOwnIsHeldToTheRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for prefix, ok := range map[string]bool{
		"/acme": true, "/acme/notes": true, "": true,
		"/acm": false, "/acme/": false, "/other": false, "acme": false, "/acme/notes/more": false, "/": false,
	} {
		rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.SourceFunc(func(*http.Request) (resolve.Claim, error) {
			return resolve.Claim{ID: w.acme.ID, Prefix: prefix}, nil
		})}})
		_, err := rs.Resolve(get("/acme/notes"))
		if ok {
			require.NoError(t, err, prefix)
		} else {
			require.ErrorIs(t, err, resolve.ErrInvalid, prefix)
		}
		empty := get("/")
		empty.URL.Path = ""
		_, err = rs.Resolve(empty)
		assert.Equal(t, prefix == "", err == nil, "no path, prefix %q", prefix)
	}

	rs := newResolver(t, w.store, resolve.Config{Optional: true, Sources: []resolve.Source{resolve.SourceFunc(func(*http.Request) (resolve.Claim, error) {
		return resolve.Claim{Prefix: "/acme"}, nil
	})}})
	inside, err := rs.Resolve(get("/acme/notes"))
	require.NoError(t, err)
	assert.Equal(t, "/acme/notes", inside.URL.Path, "a prefix without a name counts for nothing")
}

func TestServeMuxBehindThePrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request) {
		who, _ := tenant.FromContext(r.Context())
		_, _ = io.WriteString(w, string(who.Slug)+" "+r.Pattern+" id="+r.PathValue("id")+" rest="+r.PathValue("rest"))
	}
	mux.HandleFunc("GET /v1/notes", answer)
	mux.HandleFunc("GET /v1/notes/{id}", answer)
	mux.HandleFunc("DELETE /v1/notes/{id}", answer)
	mux.HandleFunc("GET /files/{rest...}", answer)
	mux.HandleFunc("GET /folder/", answer)
	mux.HandleFunc("GET /{$}", answer)
	outer := http.NewServeMux() // the middleware itself stands in a mux with a wildcard
	outer.Handle("/t/{slug}/", w.resolver(t).Middleware(mux))
	outer.Handle("/t/{slug}", w.resolver(t).Middleware(mux))

	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/t/acme-corp", 200, "acme-corp GET /{$} id= rest="},
		{"GET", "/t/acme-corp/", 200, "acme-corp GET /{$} id= rest="},
		{"GET", "/t/acme-corp/v1/notes?limit=1", 200, "acme-corp GET /v1/notes id= rest="},
		{"GET", "/t/beta-industries/v1/notes/7", 200, "beta-industries GET /v1/notes/{id} id=7 rest="},
		{"GET", "/t/acme-corp/v1/notes/a%2Fb", 200, "acme-corp GET /v1/notes/{id} id=a/b rest="},
		{"GET", "/t/acme-corp/v1/notes/a%20b", 200, "acme-corp GET /v1/notes/{id} id=a b rest="},
		{"DELETE", "/t/acme-corp/v1/notes/7", 200, "acme-corp DELETE /v1/notes/{id} id=7 rest="},
		{"GET", "/t/acme-corp/files/a/b%2Fc/", 200, "acme-corp GET /files/{rest...} id= rest=a/b/c/"},
		{"PUT", "/t/acme-corp/v1/notes/7", 405, "Method Not Allowed\n"},
		{"GET", "/t/acme-corp/nowhere", 404, "404 page not found\n"},
	} {
		recorder := httptest.NewRecorder()
		outer.ServeHTTP(recorder, httptest.NewRequest(c.method, c.target, nil))
		assert.Equal(t, c.status, recorder.Code, c.target)
		assert.Equal(t, c.body, recorder.Body.String(), c.target)
	}

	t.Run("its own redirects know nothing of the prefix", func(t *testing.T) {
		t.Parallel()
		recorder := httptest.NewRecorder()
		outer.ServeHTTP(recorder, get("/t/acme-corp/folder"))
		assert.Equal(t, "/folder/", recorder.Header().Get("Location"), "PathUnder says so; if this fails, it can say better")
	})
}

// TestRouterThatReadsTheRawPathBehindThePrefix stands for chi and its like, which take
// URL.RawPath when there is one, URL.Path otherwise, and cut it up themselves.
func TestRouterThatReadsTheRawPathBehindThePrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var matched string
	router := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.Path
		}
		id, found := strings.CutPrefix(path, "/notes/")
		if !found || strings.Contains(id, "/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		matched = id
	})
	for target, want := range map[string]string{
		"/t/acme-corp/notes/7":     "7",
		"/t/acme-corp/notes/a%2Fb": "a%2Fb",
		"/t/acme-corp/notes/a%20b": "a b",
		"/t/acme-corp/notes/a/b":   "",
	} {
		matched = ""
		w.resolver(t).Middleware(router).ServeHTTP(httptest.NewRecorder(), get(target))
		assert.Equal(t, want, matched, target)
	}
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}
