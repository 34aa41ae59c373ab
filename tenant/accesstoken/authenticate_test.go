package accesstoken_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

const challenged = `Bearer realm="api", error="invalid_token"`

func TestPrincipalOfTheTokenIsInTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{})
	token, issued, err := w.issuer.Issue(w.ada(), 3)
	require.NoError(t, err)
	for _, field := range []string{"Bearer " + token, "bearer " + token, "BEARER " + token, "Bearer   " + token} {
		r := get("/v1/notes", "Authorization", field)
		a := serve(authenticate, r)
		require.NotNil(t, a.reached, field)
		who, ok := tenant.PrincipalFromContext(a.reached.Context())
		assert.True(t, ok)
		assert.Equal(t, w.ada(), who)
		claims, ok := accesstoken.ClaimsFromContext(a.reached.Context())
		assert.True(t, ok)
		assert.Equal(t, issued, claims)

		_, ok = tenant.PrincipalFromContext(r.Context())
		assert.False(t, ok, "the request of the handlers further out")
		assert.Equal(t, r.URL, a.reached.URL)
		assert.Equal(t, r.Header, a.reached.Header)
	}
	_, ok := accesstoken.ClaimsFromContext(t.Context())
	assert.False(t, ok)
}

func TestRequestWithoutATokenPassesAsNobodyOrIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []*http.Request{
		get("/v1/notes"),
		get("/v1/notes?access_token=" + w.token(t)), // RFC 6750, 2.3 allows it, and nobody should
		get("/v1/notes", "Cookie", "access_token="+w.token(t)),
		get("/v1/notes", "Proxy-Authorization", "Bearer "+w.token(t)),
		get("/v1/notes", "X-Access-Token", w.token(t)),
	} {
		a := serve(accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{}), r)
		require.NotNil(t, a.reached)
		assert.Same(t, r, a.reached)
		_, ok := tenant.PrincipalFromContext(a.reached.Context())
		assert.False(t, ok)

		a = serve(accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Required: true}), r)
		a.requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
		assert.Equal(t, []string{`Bearer realm="api"`}, a.Header().Values("WWW-Authenticate"), "no error, for there is none (RFC 6750, 3.1)")
	}
}

func TestFieldThatIsNotBearerAndOneTokenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{})
	for name, field := range map[string]string{
		"empty":                   "",
		"a space":                 " ",
		"the scheme alone":        "Bearer",
		"the scheme and a space":  "Bearer ",
		"the token alone":         token,
		"another scheme":          "Basic YWRhOnNlY3JldA==",
		"another, with a token":   "Token " + token,
		"a scheme that begins so": "Bearertoken " + token,
		"no space":                "Bearer:" + token,
		"a tab":                   "Bearer\t" + token,
		"a tab behind the space":  "Bearer \t" + token,
		"two tokens":              "Bearer " + token + " " + token,
		"a list":                  "Bearer " + token + ",Bearer " + token,
		"a parameter":             "Bearer " + token + ", realm=api",
		"quotes":                  `Bearer "` + token + `"`,
		"a space in front":        " Bearer " + token,
		"a MiB of spaces":         "Bearer " + strings.Repeat(" ", 1<<20),
		"a MiB":                   "Bearer " + strings.Repeat("A", 1<<20),
	} {
		r := get("/v1/notes")
		r.Header["Authorization"] = []string{field}
		a := serve(authenticate, r)
		a.requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
		assert.Equal(t, []string{challenged}, a.Header().Values("WWW-Authenticate"), name)
		assert.NotContains(t, a.Body.String(), token, name)
		assert.Less(t, a.Body.Len(), 1000, name)
	}
}

func TestTwoCredentialsAreAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{})
	for _, second := range []string{w.token(t), "x", ""} {
		r := get("/", "Authorization", "Bearer "+w.token(t), "Authorization", "Bearer "+second)
		serve(authenticate, r).requireRefused(t, http.StatusBadRequest, tenant.CodeCredentialConflict)
	}

	r := get("/", "Authorization", "Bearer "+w.token(t))
	key := tenant.Principal{Kind: tenant.Key, ID: "k1", Tenant: w.acme}
	r = r.WithContext(tenant.NewPrincipalContext(r.Context(), key))
	serve(authenticate, r).requireRefused(t, http.StatusBadRequest, tenant.CodeCredentialConflict)
}

func TestCredentialOfAnotherAuthenticationIsLeftToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	isKey := func(token string) bool { return strings.HasPrefix(token, "notes_live_") }
	optional := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Foreign: isKey})
	required := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Foreign: isKey, Required: true})

	withKey := get("/", "Authorization", "Bearer notes_live_0123")
	assert.Same(t, withKey, serve(optional, withKey).reached)
	serve(required, withKey).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)

	key := tenant.Principal{Kind: tenant.Key, ID: "k1", Tenant: w.acme}
	known := withKey.WithContext(tenant.NewPrincipalContext(t.Context(), key))
	for _, authenticate := range []func(http.Handler) http.Handler{optional, required} {
		a := serve(authenticate, known)
		require.NotNil(t, a.reached, "who is known already stays so")
		who, _ := tenant.PrincipalFromContext(a.reached.Context())
		assert.Equal(t, key, who)
	}

	withToken := get("/", "Authorization", "Bearer "+w.token(t))
	assert.NotNil(t, serve(required, withToken).reached)
	serve(optional, get("/", "Authorization", "Bearer xnotes_live_")).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
}

func TestVerifierOfTheProductsOwnIsHeldToItsContract(t *testing.T) {
	t.Parallel()
	ada := tenant.Principal{Kind: tenant.User, ID: "ada"}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		claims accesstoken.Claims
		err    error
		status int
		code   tenant.Code
	}{
		"an error of its own":      {accesstoken.Claims{Principal: ada}, errors.New("bad signature of secret-1"), 401, tenant.CodeUnauthenticated},
		"an error with a code":     {accesstoken.Claims{Principal: ada}, &tenant.Error{Code: tenant.CodeUnavailable}, 503, tenant.CodeUnavailable},
		"a request that has ended": {accesstoken.Claims{}, canceled.Err(), 503, tenant.CodeUnavailable},
		"nobody":                   {accesstoken.Claims{}, nil, 401, tenant.CodeUnauthenticated},
		"a user without an id":     {accesstoken.Claims{Principal: tenant.Principal{Kind: tenant.User}}, nil, 401, tenant.CodeUnauthenticated},
		"an id of no kind":         {accesstoken.Claims{Principal: tenant.Principal{ID: "ada"}}, nil, 401, tenant.CodeUnauthenticated},
	} {
		verifier := accesstoken.VerifierFunc(func(context.Context, string) (accesstoken.Claims, error) { return test.claims, test.err })
		a := serve(accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{}), get("/", "Authorization", "Bearer x"))
		a.requireRefused(t, test.status, test.code)
		assert.NotContains(t, a.Body.String(), "secret-1", name)
		assert.Equal(t, test.status == 401, a.Header().Get("WWW-Authenticate") == challenged, name)
	}
	verifier := accesstoken.VerifierFunc(func(_ context.Context, token string) (accesstoken.Claims, error) {
		return accesstoken.Claims{Principal: tenant.Principal{Kind: tenant.User, ID: token}}, nil
	})
	a := serve(accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{}), get("/", "Authorization", "Bearer ada"))
	require.NotNil(t, a.reached)
	who, _ := tenant.PrincipalFromContext(a.reached.Context())
	assert.Equal(t, ada, who)
}

func TestErrorHandlerIsToldWhyAndTheClientIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var told error
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{
		OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
			told = err
			w.WriteHeader(http.StatusTeapot)
		},
	})
	a := serve(authenticate, get("/", "Authorization", "Bearer "+strings.Replace(w.token(t), ".", ".e30", 1)))
	assert.Equal(t, http.StatusTeapot, a.Code)
	assert.Nil(t, a.reached)
	assert.Equal(t, challenged, a.Header().Get("WWW-Authenticate"))
	require.Error(t, told)
	assert.Contains(t, told.Error(), "access token", "what a log gets")
}

func TestAuthenticateNeedsAVerifier(t *testing.T) {
	t.Parallel()
	assert.Panics(t, func() { accesstoken.Authenticate(nil, accesstoken.AuthenticateConfig{}) })
}

func TestRow33_TokenOfOneTenantIsOfNoUseOnAnothersHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := tenanttest.NewStore(
		tenant.Tenant{ID: w.acme, Slug: "acme-corp"}, tenant.Tenant{Slug: "beta-industries"})
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Required: true})
	inTenant := resolve.Middleware(store, resolve.Subdomain("example.com"), resolve.Header(), resolve.Path(), resolve.FromPrincipal())
	both := func(next http.Handler) http.Handler { return authenticate(inTenant(next)) }
	ofAcme := "Bearer " + w.token(t)
	dora, _, err := w.issuer.Issue(tenant.Principal{Kind: tenant.User, ID: "dora"}, 0)
	require.NoError(t, err)

	for _, r := range []*http.Request{
		get("http://beta-industries.example.com/v1/notes", "Authorization", ofAcme),
		get("/v1/notes", "Authorization", ofAcme, resolve.HeaderSlug, "beta-industries"),
		get("/t/beta-industries/v1/notes", "Authorization", ofAcme),
		get("http://nobody.example.com/v1/notes", "Authorization", ofAcme),
	} {
		serve(both, r).requireRefused(t, http.StatusForbidden, tenant.CodeTenantMismatch)
	}
	for _, r := range []*http.Request{
		get("http://acme-corp.example.com/v1/notes", "Authorization", ofAcme),
		get("/v1/notes", "Authorization", ofAcme),
		get("/t/acme-corp/v1/notes", "Authorization", ofAcme),
		get("/t/acme-corp/v1/notes", "Authorization", "Bearer "+dora), // the guard behind it asks for the membership
	} {
		a := serve(both, r)
		require.NotNil(t, a.reached, r.URL)
		in, ok := tenant.FromContext(a.reached.Context())
		assert.True(t, ok)
		assert.Equal(t, w.acme, in.ID)
	}
	serve(both, get("/v1/notes", "Authorization", "Bearer "+dora)).requireRefused(t, http.StatusBadRequest, tenant.CodeTenantRequired)
}
