package oidc_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/examples/internal/oidctest"
	"github.com/tenantwall/tenantwall/examples/recipes/oidc"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// TestMain sees to it that a closed Provider fetches no keys any more.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a service with two tenants, and its provider.
type world struct {
	*oidctest.Provider

	verifier   *oidc.Provider
	handler    http.Handler
	acme, beta tenant.Tenant
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		Provider: oidctest.New(t),
		acme:     tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Name: "Acme"},
		beta:     tenant.Tenant{ID: tenant.NewID(), Slug: "beta-corp", Name: "Beta"},
	}
	var err error
	w.verifier, err = oidc.NewProvider(context.WithoutCancel(t.Context()), w.Config()) // so that Close alone ends it
	require.NoError(t, err)
	t.Cleanup(w.verifier.Close)
	w.handler = oidc.NewHandler(tenanttest.NewStore(w.acme, w.beta), "example.com", w.verifier.Verify, me(), slog.New(slog.DiscardHandler))
	return w
}

// me says who acts, and in which tenant.
func me() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, r *http.Request) {
		who, _ := tenant.PrincipalFromContext(r.Context())
		in, _ := tenant.FromContext(r.Context())
		fmt.Fprintf(w, "%s <%s> in %s\n", who.ID, who.Email, in.Slug)
	})
	return mux
}

// get asks who the bearer of token is at a host, and returns the status and, of an answer
// that is a problem, its code; otherwise the text.
func (w *world) get(host, token string) (status int, answer string) {
	r := httptest.NewRequest(http.MethodGet, "https://"+host+"/v1/me", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	response := httptest.NewRecorder()
	w.handler.ServeHTTP(response, r)
	var told struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(response.Body.Bytes(), &told) == nil {
		return response.Code, told.Code
	}
	return response.Code, response.Body.String()
}

func TestEachTenantsTokenWorksInItsOwnTenantAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.Token(t, "k1", jwt.MapClaims{"org_id": w.acme.ID.String()})
	beta := w.Token(t, "k1", jwt.MapClaims{"org_id": w.beta.ID.String(), "sub": "bob", "email": "bob@beta.example"})
	for name, test := range map[string]struct {
		host, token string
		status      int
		answer      string
	}{
		"acme's token at acme's host": {"acme-corp.example.com", acme, 200, "ada <ada@acme.example> in acme-corp\n"},
		"beta's token at beta's host": {"beta-corp.example.com", beta, 200, "bob <bob@beta.example> in beta-corp\n"},
		"acme's token at beta's host": {"beta-corp.example.com", acme, 403, "tenant_mismatch"},
		"beta's token at acme's host": {"acme-corp.example.com", beta, 403, "tenant_mismatch"},
		"acme's token at the base":    {"example.com", acme, 200, "ada <ada@acme.example> in acme-corp\n"},
		"acme's token at no tenant's": {"nobody.example.com", acme, 403, "tenant_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := w.get(test.host, test.token)
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.answer, answer)
		})
	}
}

func TestATokenWithoutATenantGetsIntoNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, org := range map[string]any{"no claim": nil, "the id of no tenant": tenant.ID{}.String()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := w.Token(t, "k1", jwt.MapClaims{"org_id": org})
			claims, err := w.verifier.Verify(t.Context(), token)
			require.NoError(t, err, "the token itself is good")
			assert.True(t, claims.Principal.Tenant.IsZero())

			status, answer := w.get("acme-corp.example.com", token)
			assert.Equal(t, http.StatusForbidden, status)
			assert.Equal(t, "not_a_member", answer)

			status, answer = w.get("example.com", token)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Equal(t, "tenant_required", answer)
		})
	}
}

func TestATokenThatIsNotGoodIsRefused(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]func(*testing.T, *world) string{
		"of another issuer":      with("iss", "https://login.example.org/"),
		"without an issuer":      with("iss", nil),
		"for another audience":   with("aud", "https://other.example.com"),
		"without an audience":    with("aud", nil),
		"that has expired":       with("exp", time.Now().Add(-time.Minute).Unix()),
		"without an expiry":      with("exp", nil),
		"not valid yet":          with("nbf", time.Now().Add(time.Hour).Unix()),
		"issued in the future":   with("iat", time.Now().Add(time.Hour).Unix()),
		"without a subject":      with("sub", nil),
		"of a slug, not an id":   with("org_id", "acme-corp"),
		"of an empty tenant":     with("org_id", ""),
		"longer than any should": with("filler", strings.Repeat("x", accesstoken.MaxTokenLen)),
		"that is none":           func(*testing.T, *world) string { return "eyJhbGciOiJFZERTQSJ9" },
		"that nobody signed": func(t *testing.T, _ *world) string {
			return oidctest.Sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "k1", nil)
		},
		"signed with the public key as a secret": func(t *testing.T, w *world) string {
			public := w.Key("k1").Public().(ed25519.PublicKey)
			return oidctest.Sign(t, jwt.SigningMethodHS256, []byte(public), "k1", nil)
		},
		"of a key that the provider has not": func(t *testing.T, _ *world) string {
			return oidctest.Sign(t, jwt.SigningMethodEdDSA, oidctest.NewKey(t), "k2", nil)
		},
		"of another key under the name of a known one": func(t *testing.T, _ *world) string {
			return oidctest.Sign(t, jwt.SigningMethodEdDSA, oidctest.NewKey(t), "k1", nil)
		},
		"that names no key": func(t *testing.T, w *world) string {
			return oidctest.Sign(t, jwt.SigningMethodEdDSA, w.Key("k1"), "", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, answer := w.get("acme-corp.example.com", token(t, w))
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Equal(t, "unauthenticated", answer)
		})
	}
}

// with makes acme's token with one claim changed.
func with(claim string, value any) func(*testing.T, *world) string {
	return func(t *testing.T, w *world) string {
		t.Helper()
		changed := jwt.MapClaims{"org_id": w.acme.ID.String()}
		changed[claim] = value
		return w.Token(t, "k1", changed)
	}
}

func TestOnlyTheMethodThatWasSetIsTaken(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	cfg := p.Config()
	cfg.Method = "ES256"
	verifier, err := oidc.NewProvider(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(verifier.Close)
	_, err = verifier.Verify(t.Context(), p.Token(t, "k1", nil))
	assert.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid, "the key is the provider's, but of another method")
}

func TestOnlyAVerifiedEmailIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, verified := range map[string]any{"not verified": false, "not said to be": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := w.verifier.Verify(t.Context(), w.Token(t, "k1", jwt.MapClaims{"email_verified": verified}))
			require.NoError(t, err)
			assert.Equal(t, "ada", claims.Principal.ID)
			assert.Empty(t, claims.Principal.Email)
		})
	}
}

func TestARotationAtTheProviderIsPickedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	org := jwt.MapClaims{"org_id": w.acme.ID.String()}
	old := w.Token(t, "k1", org)
	status, _ := w.get("acme-corp.example.com", old)
	require.Equal(t, http.StatusOK, status)

	w.Rotate(t, "k2")
	status, _ = w.get("acme-corp.example.com", w.Token(t, "k2", org))
	assert.Equal(t, http.StatusOK, status, "the new key is fetched with its first token")

	status, answer := w.get("acme-corp.example.com", old)
	assert.Equal(t, http.StatusServiceUnavailable, status, "the old key went with that fetch, and the next must wait")
	assert.Equal(t, "unavailable", answer)
}

func TestUnknownKeysDoNotFloodTheProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unknown := func(kid string) string { return oidctest.Sign(t, jwt.SigningMethodEdDSA, oidctest.NewKey(t), kid, nil) }
	status, answer := w.get("acme-corp.example.com", unknown("k2"))
	assert.Equal(t, http.StatusUnauthorized, status, answer)

	status, answer = w.get("acme-corp.example.com", unknown("k3"))
	assert.Equal(t, http.StatusServiceUnavailable, status, "the keys were fetched a moment ago, so nobody can tell")
	assert.Equal(t, "unavailable", answer)

	status, _ = w.get("acme-corp.example.com", w.Token(t, "k1", jwt.MapClaims{"org_id": w.acme.ID.String()}))
	assert.Equal(t, http.StatusOK, status, "tokens of known keys are none the worse for it")
}

func TestNewProviderSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*oidc.Config)
		says   string
	}{
		"no issuer":           {func(c *oidc.Config) { c.Issuer = "" }, "Issuer"},
		"no audience":         {func(c *oidc.Config) { c.Audience = "" }, "Audience"},
		"no URL":              {func(c *oidc.Config) { c.JWKSURL = "" }, "https"},
		"a URL without TLS":   {func(c *oidc.Config) { c.JWKSURL = "http://login.example.com/jwks" }, "https"},
		"no method":           {func(c *oidc.Config) { c.Method = "" }, "method"},
		"a method of secrets": {func(c *oidc.Config) { c.Method = "HS256" }, "method"},
		"the method none":     {func(c *oidc.Config) { c.Method = "none" }, "method"},
		"an untrusted server": {func(c *oidc.Config) { c.Client = nil }, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := oidctest.New(t).Config()
			test.change(&cfg)
			_, err := oidc.NewProvider(context.WithoutCancel(t.Context()), cfg)
			assert.ErrorContains(t, err, test.says)
		})
	}
}
