package resolve_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestTheTenantIsInTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, r := range map[string]*http.Request{
		"host":           get("http://acme-corp.example.com/notes"),
		"header by slug": get("/notes", resolve.HeaderSlug, "acme-corp"),
		"header by id":   get("/notes", resolve.HeaderID, w.acme.ID.String()),
		"path":           get("/t/acme-corp/notes"),
		"all of them":    get("http://acme-corp.example.com/t/acme-corp/notes", resolve.HeaderSlug, "acme-corp", resolve.HeaderID, w.acme.ID.String()),
	} {
		w.store.reset()
		inside, err := w.resolver(t).Resolve(r)
		require.NoError(t, err, name)
		got, ok := tenant.FromContext(inside.Context())
		assert.True(t, ok, name)
		assert.Equal(t, w.acme, got, name)
		assert.Equal(t, "/notes", inside.URL.Path, name)
		assert.Len(t, w.store.asked(), 1, "look-ups for %s", name)
	}
}

func TestTheRestOfTheRequestStaysAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type key struct{}
	ctx := tenant.NewRequestIDContext(context.WithValue(t.Context(), key{}, "kept"), "req-1")
	for _, r := range []*http.Request{
		get("/notes?limit=3&cursor=%2F", resolve.HeaderSlug, "acme-corp"),
		get("/t/acme-corp/notes?limit=3&cursor=%2F"),
	} {
		r = r.WithContext(ctx)
		r.SetPathValue("outer", "kept")
		before := *r.URL
		inside, err := w.resolver(t).Resolve(r)
		require.NoError(t, err)
		assert.Equal(t, "req-1", tenant.RequestIDFromContext(inside.Context()))
		assert.Equal(t, "kept", inside.Context().Value(key{}))
		assert.Equal(t, "kept", inside.PathValue("outer"))
		assert.Equal(t, "limit=3&cursor=%2F", inside.URL.RawQuery)
		assert.Equal(t, r.RequestURI, inside.RequestURI)
		assert.Equal(t, before, *r.URL, "the request of the handlers further out")
		_, ok := tenant.FromContext(r.Context())
		assert.False(t, ok, "the request of the handlers further out")
	}
}

func TestRow15_RequestThatNamesNoTenantIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []*http.Request{
		get("/notes"),
		get("http://example.com/notes"),
		as(get("/notes"), tenant.Principal{Kind: tenant.User, ID: "ada"}), // of no tenant
		as(get("/notes"), tenant.Principal{Tenant: w.acme.ID}),            // nobody
	} {
		_, err := w.resolver(t).Resolve(r)
		require.ErrorIs(t, err, tenant.ErrRequired)
		status, reached := serve(t, w.resolver(t), r)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Nil(t, reached, "the handler")
	}
	assert.Empty(t, w.store.asked())
}

func TestPrincipalNamesTheTenantOnlyAsASource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := as(get("/notes"), keyOf(w.acme))
	inside, err := w.resolver(t).Resolve(r)
	require.NoError(t, err)
	got, _ := tenant.FromContext(inside.Context())
	assert.Equal(t, w.acme, got)

	_, err = newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Header()}}).Resolve(r)
	require.ErrorIs(t, err, tenant.ErrRequired)
}

func TestOptionalTenantMayBeLeftOutButNotWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, w.store, resolve.Config{Sources: w.sources(), Optional: true})

	status, reached := serve(t, rs, get("http://www.example.com/"))
	assert.Equal(t, http.StatusOK, status)
	require.NotNil(t, reached)
	_, ok := tenant.FromContext(reached.Context())
	assert.False(t, ok)

	for r, want := range map[*http.Request]int{
		get("http://Acme-Corp.example.com/"):                                        http.StatusBadRequest,
		get("http://nobody.example.com/"):                                           http.StatusNotFound,
		get("http://acme-corp.example.com/", resolve.HeaderSlug, "beta-industries"): http.StatusBadRequest,
		as(get("/", resolve.HeaderSlug, "beta-industries"), keyOf(w.acme)):          http.StatusForbidden,
		get("/t/acme-corp/"):                                                        http.StatusOK,
	} {
		status, _ := serve(t, rs, r)
		assert.Equal(t, want, status, r.URL)
	}
}

func TestRow24_OnlyExactPathsAreSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, w.store, resolve.Config{Sources: w.sources(), Skip: []string{"/health", "/v1/login"}})
	for target, skipped := range map[string]bool{
		"/health":               true,
		"/health?verbose=1":     true,
		"/v1/login":             true,
		"/healthcare":           false,
		"/healthz":              false,
		"/health/":              false,
		"/health/records":       false,
		"/health%2Frecords":     false,
		"/healt%68":             false,
		"/Health":               false,
		"//health":              false,
		"/x/../health":          false,
		"/v1/login/../notes":    false,
		"/v1%2Flogin":           false,
		"/v1":                   false,
		"/":                     false,
		"/t/acme-corp/../login": false,
	} {
		status, reached := serve(t, rs, get(target))
		assert.Equal(t, skipped, reached != nil, target)
		assert.Equal(t, skipped, status == http.StatusOK, target)
	}

	t.Run("a skipped request passes as it came", func(t *testing.T) {
		t.Parallel()
		r := get("http://acme-corp.example.com/health", resolve.HeaderSlug, "MALFORMED")
		_, reached := serve(t, rs, r)
		assert.Same(t, r, reached)
	})
	t.Run("a tenant's own path is not skipped", func(t *testing.T) {
		t.Parallel()
		_, reached := serve(t, rs, get("/t/acme-corp/health"))
		require.NotNil(t, reached)
		got, _ := tenant.FromContext(reached.Context())
		assert.Equal(t, w.acme, got)
	})
}

func TestStatusOfTheTenantIsHeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for status, want := range map[tenant.Status]struct {
		err  error
		code int
	}{
		tenant.StatusSuspended:    {tenant.ErrSuspended, http.StatusForbidden},
		tenant.StatusProvisioning: {tenant.ErrUnavailable, http.StatusServiceUnavailable},
		tenant.StatusDeleted:      {tenant.ErrGone, http.StatusGone},
		"archived":                {tenant.ErrSuspended, http.StatusForbidden}, // from a later version
	} {
		other, err := w.store.Put(tenant.Tenant{Slug: tenant.Slug("is-" + status), Status: status})
		require.NoError(t, err)
		for _, r := range []*http.Request{
			get("/notes", resolve.HeaderSlug, string(other.Slug)),
			get("/notes", resolve.HeaderID, other.ID.String()),
			get("/t/" + string(other.Slug) + "/notes"),
			as(get("/notes"), keyOf(other)),
		} {
			_, err = w.resolver(t).Resolve(r)
			require.ErrorIs(t, err, want.err, status)
			code, reached := serve(t, w.resolver(t), r)
			assert.Equal(t, want.code, code, status)
			assert.Nil(t, reached, status)
		}
	}
}

func TestFormerSlugIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.store.Rename(w.acme.ID, "acme-inc")
	require.NoError(t, err)
	_, err = w.resolver(t).Resolve(get("/t/acme-corp/"))
	require.ErrorIs(t, err, tenant.ErrGone)
	inside, err := w.resolver(t).Resolve(get("/t/acme-inc/"))
	require.NoError(t, err)
	got, _ := tenant.FromContext(inside.Context())
	assert.Equal(t, w.acme.ID, got.ID)
}

func TestStoreThatCannotTellIsNotTakenForAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down := errors.New("connection refused")
	w.store.fail(down)
	for _, r := range []*http.Request{
		get("/t/acme-corp/"),
		get("/", resolve.HeaderID, w.acme.ID.String()),
		as(get("/"), keyOf(w.acme)),
	} {
		_, err := w.resolver(t).Resolve(r)
		require.ErrorIs(t, err, tenant.ErrUnavailable)
		require.ErrorIs(t, err, down)
		visible, ok := errors.AsType[*tenant.Error](err)
		require.True(t, ok)
		assert.NotContains(t, visible.Detail, "refused")
		assert.Positive(t, visible.RetryAfter)
		status, reached := serve(t, w.resolver(t), r)
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Nil(t, reached)
	}
}

func TestStoreThatAnswersWithAnotherTenantIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, mixedUp{w.beta}, resolve.Config{Sources: w.sources()})
	for _, r := range []*http.Request{
		get("/t/acme-corp/"),
		get("/", resolve.HeaderID, w.acme.ID.String()),
		as(get("/"), keyOf(w.acme)),
	} {
		_, err := rs.Resolve(r)
		require.ErrorContains(t, err, "another tenant")
		status, reached := serve(t, rs, r)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Nil(t, reached)
	}
}

func TestErrorHandlerCanBeReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var got error
	rs := newResolver(t, w.store, resolve.Config{Sources: w.sources(), OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		w.WriteHeader(http.StatusTeapot)
	}})
	status, reached := serve(t, rs, get("/"))
	assert.Equal(t, http.StatusTeapot, status)
	assert.Nil(t, reached)
	require.ErrorIs(t, got, tenant.ErrRequired)
}

func TestResponsesSayThatTheyDependOnTheHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const want = "X-Tenant-Slug, X-Tenant-ID"
	vary := func(rs *resolve.Resolver, r *http.Request, before ...string) []string {
		recorder := httptest.NewRecorder()
		for _, field := range before {
			recorder.Header().Add("Vary", field)
		}
		rs.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Accept")
		})).ServeHTTP(recorder, r)
		return recorder.Header()["Vary"]
	}
	rs := w.resolver(t)
	assert.Equal(t, []string{want, "Accept"}, vary(rs, get("/t/acme-corp/")))
	assert.Equal(t, []string{want, "Accept"}, vary(rs, get("/t/acme-corp/")), "the second response")
	assert.Equal(t, []string{"Origin", want, "Accept"}, vary(rs, get("/t/acme-corp/"), "Origin"))
	assert.Equal(t, []string{want}, vary(rs, get("/")), "an error")

	rs = newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Path()}})
	assert.Equal(t, []string{"Accept"}, vary(rs, get("/t/acme-corp/")))
}

func TestSettingsThatCannotBeAreRefusedAtStart(t *testing.T) {
	t.Parallel()
	store := new(tenanttest.Store)
	header := []resolve.Source{resolve.Header()}
	for _, bad := range []struct {
		name  string
		store tenant.Store
		cfg   resolve.Config
		says  string
	}{
		{"no store", nil, resolve.Config{Sources: header}, "no store"},
		{"no source", store, resolve.Config{}, "no source"},
		{"a nil source", store, resolve.Config{Sources: []resolve.Source{resolve.Header(), nil}}, "source 2: it is nil"},
		{"a source with bad settings", store, resolve.Config{Sources: []resolve.Source{resolve.Subdomain("")}}, "source 1: base domain"},
		{"a skipped path without a slash", store, resolve.Config{Sources: header, Skip: []string{"healthz"}}, `"healthz"`},
		{"an empty skipped path", store, resolve.Config{Sources: header, Skip: []string{""}}, `""`},
	} {
		rs, err := resolve.New(bad.store, bad.cfg)
		require.ErrorContains(t, err, bad.says, bad.name)
		assert.Nil(t, rs, bad.name)
	}
	assert.Panics(t, func() { resolve.Middleware(store) })
	assert.NotPanics(t, func() { resolve.Middleware(store, resolve.Header()) })
}

func TestSourceOfOnesOwnTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bug := errors.New("nil map")
	fromUser := func(r *http.Request) (resolve.Claim, error) {
		switch user := r.Header.Get("User"); user {
		case "":
			return resolve.Claim{}, nil
		case "bug":
			return resolve.Claim{}, bug
		case "own":
			return resolve.Claim{}, &tenant.Error{Code: tenant.CodeForbidden, Detail: "not you"}
		default:
			slug, err := tenant.ParseSlug(user)
			return resolve.Claim{Slug: slug}, err
		}
	}
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.SourceFunc(fromUser)}})
	_, err := rs.Resolve(get("/", "User", "Acme"))
	require.ErrorIs(t, err, resolve.ErrInvalid)
	require.ErrorContains(t, err, "first character")
	_, err = rs.Resolve(get("/", "User", "own"))
	require.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeForbidden})
	_, err = rs.Resolve(get("/", "User", "bug"))
	require.ErrorIs(t, err, bug)
	_, visible := errors.AsType[*tenant.Error](err)
	assert.False(t, visible)
	_, err = rs.Resolve(get("/", "User", "beta-industries"))
	require.NoError(t, err)
}

// world is a store with two tenants, and the sources that name them.
type world struct {
	store      *watched
	acme, beta tenant.Tenant
}

func newWorld(t *testing.T) world {
	t.Helper()
	store := new(tenanttest.Store)
	acme, err := store.Put(tenant.Tenant{Slug: "acme-corp", Name: "Acme Corp"})
	require.NoError(t, err)
	beta, err := store.Put(tenant.Tenant{Slug: "beta-industries", Name: "Beta Industries"})
	require.NoError(t, err)
	return world{&watched{Store: store}, acme, beta}
}

func (w world) sources() []resolve.Source {
	return []resolve.Source{resolve.Subdomain("example.com"), resolve.Header(), resolve.Path(), resolve.FromPrincipal()}
}

func (w world) resolver(t *testing.T) *resolve.Resolver {
	t.Helper()
	return newResolver(t, w.store, resolve.Config{Sources: w.sources()})
}

func newResolver(t *testing.T, store tenant.Store, cfg resolve.Config) *resolve.Resolver {
	t.Helper()
	rs, err := resolve.New(store, cfg)
	require.NoError(t, err)
	return rs
}

// watched is a store that remembers what was looked up, and can be made to fail.
type watched struct {
	*tenanttest.Store
	mu     sync.Mutex
	refs   []tenant.Ref
	failed error
}

func (s *watched) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs = append(s.refs, ref)
	if s.failed != nil {
		return tenant.Tenant{}, s.failed
	}
	return s.Store.Lookup(ctx, ref)
}

func (s *watched) asked() []tenant.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refs
}

func (s *watched) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs = nil
}

func (s *watched) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// mixedUp is a store that has one answer to everything.
type mixedUp struct{ answer tenant.Tenant }

func (s mixedUp) Lookup(context.Context, tenant.Ref) (tenant.Tenant, error) { return s.answer, nil }

// get is a request with header fields, given as names and values.
func get(target string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

// as is r with a credential.
func as(r *http.Request, p tenant.Principal) *http.Request {
	return r.WithContext(tenant.NewPrincipalContext(r.Context(), p))
}

func keyOf(t tenant.Tenant) tenant.Principal {
	return tenant.Principal{Kind: tenant.Key, ID: "key-1", Tenant: t.ID}
}

// serve is the status that r is answered with, and the request that the handler behind the
// middleware got, or nil.
func serve(t *testing.T, rs *resolve.Resolver, r *http.Request) (status int, reached *http.Request) {
	t.Helper()
	recorder := httptest.NewRecorder()
	rs.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached = r })).ServeHTTP(recorder, r)
	return recorder.Code, reached
}
