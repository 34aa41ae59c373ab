package apikey_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// answer is what a handler answered, and the request that got to the innermost one.
type answer struct {
	*httptest.ResponseRecorder
	reached *http.Request
}

// get is a request with these header fields, each behind its name.
func get(fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/v1/notes", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

// serve sends a request through middlewares, the outermost first.
func serve(r *http.Request, middlewares ...func(http.Handler) http.Handler) answer {
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a.reached = r })
	for i := range middlewares {
		h = middlewares[len(middlewares)-1-i](h)
	}
	h.ServeHTTP(a, r)
	return a
}

func (a answer) requireRefused(t testing.TB, status int, code tenant.Code) {
	t.Helper()
	require.Nil(t, a.reached, "the handler")
	require.Equal(t, status, a.Code, "%s", a.Body)
	var d problem.Document
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &d))
	assert.Equal(t, code, d.Code)
}

// signing are an issuer and the authentication of users, as they stand beside keys.
func signing(t testing.TB, s site) (*accesstoken.Issuer, func(http.Handler) http.Handler) {
	t.Helper()
	key, err := accesstoken.GenerateKey(accesstoken.EdDSA)
	require.NoError(t, err)
	set, err := accesstoken.NewKeys(accesstoken.KeySet{Signing: key})
	require.NoError(t, err)
	issuer, err := accesstoken.NewIssuer(set, accesstoken.IssuerConfig{Issuer: "i", Audience: "a", Now: s.clock.Now})
	require.NoError(t, err)
	verifier, err := accesstoken.NewVerifier(set, accesstoken.VerifierConfig{Issuer: "i", Audience: "a", Now: s.clock.Now})
	require.NoError(t, err)
	return issuer, accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{Foreign: s.keys.Format().LooksLikeKey, APIKeys: s.keys})
}

func TestKeyOfTheRequestActs(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	_, users := signing(t, s)
	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	for _, field := range [][]string{
		{"X-API-Key", secret}, {"x-api-key", secret},
		{"Authorization", "Bearer " + secret}, {"Authorization", "bearer  " + secret},
	} {
		for _, order := range [][]func(http.Handler) http.Handler{{services}, {services, users}, {users, services}} {
			r := get(field...)
			a := serve(r, order...)
			require.NotNil(t, a.reached, "%v: %s", field[:1], a.Body)
			who, ok := tenant.PrincipalFromContext(a.reached.Context())
			assert.True(t, ok)
			assert.Equal(t, key.Principal(), who)
			got, ok := apikey.FromContext(a.reached.Context())
			assert.True(t, ok)
			assert.Equal(t, key, got)
			_, ok = tenant.PrincipalFromContext(r.Context())
			assert.False(t, ok, "the request of the handlers further out")
		}
	}
	_, ok := apikey.FromContext(t.Context())
	assert.False(t, ok)
}

func TestRequestWithoutAKeyPassesAsNobodyOrIsRefused(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	optional := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	required := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{Required: true})
	for _, r := range []*http.Request{
		get(), get("Cookie", "key="+secret), get("X-Key", secret), get("Authorization", "Basic "+secret), get("Authorization", secret),
		get("Authorization", "Bearer eyJhbGciOiJFZERTQSJ9.e30.c2ln"), get("Authorization", "Bearer"),
	} {
		a := serve(r, optional)
		require.Same(t, r, a.reached)
		a = serve(r, required)
		a.requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
		assert.Equal(t, `Bearer realm="api"`, a.Header().Get("WWW-Authenticate"))
	}
	known := get()
	known = known.WithContext(tenant.NewPrincipalContext(known.Context(), tenant.Principal{Kind: tenant.User, ID: "ada"}))
	assert.Same(t, known, serve(known, required).reached, "who was authenticated further out is somebody")
}

func TestKeyThatIsNotGoodIsRefusedWithAChallenge(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, revoked := s.mint(t, acme)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	_, users := signing(t, s)
	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	for _, text := range []string{"", "x", "notes_", forged(t), revoked, revoked + ",", "eyJhbGciOiJFZERTQSJ9.e30.c2ln"} {
		for _, order := range [][]func(http.Handler) http.Handler{{services, users}, {users, services}} {
			a := serve(get("X-API-Key", text), order...)
			a.requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
			assert.Equal(t, []string{`Bearer realm="api", error="invalid_token"`}, a.Header().Values("WWW-Authenticate"))
			assert.NotContains(t, a.Body.String(), revoked)
			if s.keys.Format().LooksLikeKey(text) {
				serve(get("Authorization", "Bearer "+text), order...).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
			}
		}
	}
	s.proxy.Cut()
	a := serve(get("X-API-Key", forged(t)), services)
	a.requireRefused(t, http.StatusServiceUnavailable, tenant.CodeUnavailable)
	assert.Empty(t, a.Header().Get("WWW-Authenticate"))
	assert.NotEmpty(t, a.Header().Get("Retry-After"))
}

func TestTwoCredentialsAreAConflictInWhateverOrder(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	issuer, users := signing(t, s)
	token, _, err := issuer.Issue(tenant.Principal{Kind: tenant.User, ID: "ada", Tenant: acme.ID, Role: "owner"}, 1)
	require.NoError(t, err)
	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	for _, fields := range [][]string{
		{"X-API-Key", secret, "X-API-Key", secret},
		{"X-API-Key", "", "X-API-Key", ""},
		{"X-API-Key", secret, "Authorization", "Bearer " + secret},
		{"X-API-Key", secret, "Authorization", "Bearer " + token},
		{"Authorization", "Bearer " + token, "Authorization", "Bearer " + secret},
		{"Authorization", "Bearer " + secret, "Authorization", "Bearer " + secret},
		{"Authorization", "Bearer " + secret, "Authorization", "Basic x"},
		{"Authorization", "Basic x", "Authorization", "Bearer " + secret},
	} {
		serve(get(fields...), services, users).requireRefused(t, http.StatusBadRequest, tenant.CodeCredentialConflict)
		serve(get(fields...), users, services).requireRefused(t, http.StatusBadRequest, tenant.CodeCredentialConflict)
		serve(get(fields...), services).requireRefused(t, http.StatusBadRequest, tenant.CodeCredentialConflict)
	}
	known := get("X-API-Key", secret)
	known = known.WithContext(tenant.NewPrincipalContext(known.Context(), tenant.Principal{Kind: tenant.User, ID: "ada"}))
	serve(known, services).requireRefused(t, http.StatusBadRequest, tenant.CodeCredentialConflict)
	assert.NotNil(t, serve(get("Authorization", "Bearer "+token), services, users).reached, "one of them alone is none")
}

func TestClientAddressIsThePeersUnlessSaidOtherwise(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme, func(n *apikey.NewKey) { n.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	for remote, allowed := range map[string]bool{
		"192.0.2.1:80": true, "[::ffff:192.0.2.1]:80": true, "198.51.100.1:80": false, "@": false, "": false, "192.0.2.1": false,
	} {
		r := get("X-API-Key", secret, "X-Forwarded-For", "192.0.2.1")
		r.RemoteAddr = remote
		if a := serve(r, services); allowed {
			assert.NotNil(t, a.reached, remote)
		} else {
			a.requireRefused(t, http.StatusForbidden, tenant.CodeForbidden)
			assert.Empty(t, a.Header().Get("WWW-Authenticate"))
		}
	}
	var told error
	behind := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{
		ClientAddr: func(r *http.Request) netip.Addr {
			addr, _ := netip.ParseAddr(r.Header.Get("X-Forwarded-For"))
			return addr
		},
		OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
			told = err
			w.WriteHeader(http.StatusTeapot)
		},
	})
	r := get("X-API-Key", secret, "X-Forwarded-For", "192.0.2.1")
	r.RemoteAddr = "198.51.100.1:80"
	assert.NotNil(t, serve(r, behind).reached)
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	assert.Equal(t, http.StatusTeapot, serve(r, behind).Code)
	require.ErrorIs(t, told, apikey.ErrAddress)
}

func TestAuthenticateNeedsKeys(t *testing.T) {
	t.Parallel()
	assert.Panics(t, func() { apikey.Authenticate(nil, apikey.AuthenticateConfig{}) })
}

func TestScopeIsAskedOfKeysAndNothingElseLetsAnybodyIn(t *testing.T) {
	t.Parallel()
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive, Version: 1}
	suspended := acme
	suspended.Status = tenant.StatusSuspended
	reader := tenant.Principal{Kind: tenant.Key, ID: "k", Tenant: acme.ID, Scopes: []string{read}}
	foreign := reader
	foreign.Tenant = tenant.NewID()
	ofNone := reader
	ofNone.Tenant = tenant.ID{}
	user := tenant.Principal{Kind: tenant.User, ID: "ada", Tenant: acme.ID, Role: "owner", Scopes: []string{read, write}}
	users := func(next http.Handler) http.Handler { return next }
	for name, test := range map[string]struct {
		scope  string
		in     tenant.Tenant
		who    tenant.Principal
		status int
		code   tenant.Code
		either bool // a user is let in where users are
	}{
		"the scope":          {read, acme, reader, 200, "", true},
		"another scope":      {write, acme, reader, 403, tenant.CodeForbidden, false},
		"a part of the name": {"notes", acme, reader, 403, tenant.CodeForbidden, false},
		"another tenant's":   {read, acme, foreign, 403, tenant.CodeTenantMismatch, false},
		"no tenant's":        {read, acme, ofNone, 403, tenant.CodeTenantMismatch, false},
		"nobody":             {read, acme, tenant.Principal{}, 401, tenant.CodeUnauthenticated, false},
		"no tenant":          {read, tenant.Tenant{}, reader, 400, tenant.CodeTenantRequired, false},
		"suspended":          {read, suspended, reader, 403, tenant.CodeTenantSuspended, false},
		"a user":             {read, acme, user, 403, tenant.CodeForbidden, true},
	} {
		ctx := tenant.NewPrincipalContext(tenant.NewContext(context.Background(), test.in), test.who)
		a := serve(get().WithContext(ctx), apikey.RequireScope(test.scope))
		if test.code != "" {
			a.requireRefused(t, test.status, test.code)
		} else {
			require.NotNil(t, a.reached, name)
		}
		a = serve(get().WithContext(ctx), apikey.RequireScopeOr(test.scope, users))
		if test.either {
			assert.NotNil(t, a.reached, name)
		} else {
			a.requireRefused(t, test.status, test.code)
		}
	}
	for _, scope := range []string{"", "Notes", "notes read", "notes:*"} {
		assert.Panics(t, func() { apikey.RequireScope(scope) }, scope)
	}
}

// exchanged is the token that a key is exchanged for over HTTP.
type exchanged struct {
	Token     string    `json:"access_token"`
	Type      string    `json:"token_type"`
	ExpiresIn int       `json:"expires_in"`
	ExpiresAt time.Time `json:"expires_at"`
}

func exchange(t testing.TB, x http.Handler, r *http.Request) (int, exchanged) {
	t.Helper()
	w := httptest.NewRecorder()
	x.ServeHTTP(w, r)
	var got exchanged
	if w.Code == http.StatusOK {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
	return w.Code, got
}

func post(fields ...string) *http.Request {
	r := get(fields...)
	r.Method = http.MethodPost
	return r
}

func TestKeyIsExchangedForATokenThatActsAsIt(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme, func(n *apikey.NewKey) { n.Scopes = []string{read, write} })
	issuer, users := signing(t, s)
	x, err := apikey.NewExchange(s.keys, issuer, apikey.AuthenticateConfig{})
	require.NoError(t, err)
	status, got := exchange(t, x, post("Authorization", "Bearer "+secret))
	require.Equal(t, 200, status)
	assert.Equal(t, "Bearer", got.Type)
	assert.InDelta(t, 300, got.ExpiresIn, 1)
	assert.WithinDuration(t, s.clock.Now().Add(apikey.TokenLifetime), got.ExpiresAt, time.Second)

	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	ctx := tenant.NewContext(context.Background(), acme)
	r := get("Authorization", "Bearer "+got.Token).WithContext(ctx)
	a := serve(r, services, users, apikey.RequireScope(write))
	require.NotNil(t, a.reached, "%s", a.Body)
	who, _ := tenant.PrincipalFromContext(a.reached.Context())
	assert.Equal(t, key.Principal(), who)
	_, ok := apikey.FromContext(a.reached.Context())
	assert.False(t, ok)

	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	serve(r, services, users).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)

	short, secret := s.mint(t, acme, func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().Add(time.Minute) })
	_, expires, err := x.Token(t.Context(), secret, home)
	require.NoError(t, err)
	assert.False(t, expires.After(short.ExpiresAt), "a token does not outlive its key")

	now := s.clock.Now()
	s.clock.Pass(now.Truncate(time.Second).Add(time.Second + 100*time.Millisecond).Sub(now))
	_, secret = s.mint(t, acme, func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().Add(500 * time.Millisecond) })
	status, _ = exchange(t, x, post("X-API-Key", secret))
	assert.Equal(t, http.StatusUnauthorized, status, "what is left of the key is too short for a token")
}

func TestExchangeRefusesWhatAuthenticateDoes(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	issuer, _ := signing(t, s)
	x, err := apikey.NewExchange(s.keys, issuer, apikey.AuthenticateConfig{})
	require.NoError(t, err)
	for want, requests := range map[int][]*http.Request{
		401: {post(), post("X-API-Key", forged(t)), post("Authorization", "Bearer x")},
		400: {post("X-API-Key", secret, "Authorization", "Bearer "+secret)},
		405: {get("X-API-Key", secret)},
	} {
		for _, r := range requests {
			status, _ := exchange(t, x, r)
			assert.Equal(t, want, status)
		}
	}
	token, _, err := x.Token(t.Context(), forged(t), home)
	require.ErrorIs(t, err, apikey.ErrUnknown)
	assert.Empty(t, token)

	broken, err := apikey.NewExchange(s.keys, noIssuer{}, apikey.AuthenticateConfig{})
	require.NoError(t, err)
	status, _ := exchange(t, broken, post("X-API-Key", secret))
	assert.Equal(t, 500, status)
	_, err = apikey.NewExchange(nil, issuer, apikey.AuthenticateConfig{})
	require.Error(t, err)
	_, err = apikey.NewExchange(s.keys, nil, apikey.AuthenticateConfig{})
	require.Error(t, err)
}

type noIssuer struct{}

func (noIssuer) IssueKey(tenant.Principal, time.Time) (string, time.Time, error) {
	return "", time.Time{}, http.ErrAbortHandler
}
