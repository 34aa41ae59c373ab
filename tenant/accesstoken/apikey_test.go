package accesstoken_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// export is a key of acme.
func (w *world) export() tenant.Principal {
	return tenant.Principal{Kind: tenant.Key, ID: "k1", Tenant: w.acme, Scopes: []string{"notes:read", "notes:write"}}
}

func TestTokenOfAKeySaysWhatTheKeyIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, who := range []tenant.Principal{w.export(), {Kind: tenant.Key, ID: "k1", Tenant: w.acme, Scopes: []string{}}} {
		token, expires, err := w.issuer.IssueKey(who, start.Add(time.Hour))
		require.NoError(t, err)
		claims, err := w.verifier.Verify(t.Context(), token)
		require.NoError(t, err)
		assert.Equal(t, who, claims.Principal)
		assert.Zero(t, claims.MembershipVersion)
		assert.Equal(t, expires, claims.ExpiresAt)
		assert.Equal(t, accesstoken.MaxKeyLifetime, claims.ExpiresAt.Sub(claims.IssuedAt))
		assert.Contains(t, claimsOf(t, token), `"kind":"key"`)
	}
}

func TestTokenOfAKeyEndsWithTheFirstOfItsBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		lifetime, left, want time.Duration
	}{
		{0, time.Hour, accesstoken.MaxKeyLifetime},
		{time.Minute, time.Hour, time.Minute},
		{0, 30 * time.Second, 30 * time.Second},
	} {
		_, expires, err := w.newIssuer(t, accesstoken.IssuerConfig{Lifetime: test.lifetime}).IssueKey(w.export(), start.Add(test.left))
		require.NoError(t, err)
		assert.WithinDuration(t, start.Add(test.want), expires, time.Second)
		assert.False(t, expires.After(start.Add(test.left)))
	}
	for _, over := range []time.Duration{0, -time.Hour, 10 * time.Millisecond} {
		token, _, err := w.issuer.IssueKey(w.export(), start.Add(over))
		require.ErrorContains(t, err, "not in the future")
		assert.Empty(t, token)
	}
}

func TestTokenIsMadeForAKeyWithinBoundsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, change := range map[string]func(*tenant.Principal){
		"no key":             func(p *tenant.Principal) { p.Kind = tenant.User },
		"the key's id":       func(p *tenant.Principal) { p.ID = "" },
		"of no tenant":       func(p *tenant.Principal) { p.Tenant = tenant.ID{} },
		"a role":             func(p *tenant.Principal) { p.Role = "owner" },
		"an e-mail address":  func(p *tenant.Principal) { p.Email = "ada@acme.example" },
		"scopes are not":     func(p *tenant.Principal) { p.Scopes = []string{"notes:read admin"} },
		"are not words":      func(p *tenant.Principal) { p.Scopes = []string{""} },
		"words of up to 409": func(p *tenant.Principal) { p.Scopes = []string{strings.Repeat("s", accesstoken.MaxScopesLen+1)} },
	} {
		who := w.export()
		change(&who)
		token, _, err := w.issuer.IssueKey(who, start.Add(time.Hour))
		require.ErrorContains(t, err, want)
		assert.Empty(t, token)
	}
	_, _, err := w.issuer.Issue(w.export(), 1)
	require.ErrorContains(t, err, "tokens are for users")
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Next: w.key.Public()}))
	_, _, err = w.issuer.IssueKey(w.export(), start.Add(time.Hour))
	require.ErrorContains(t, err, "no signing key any more")
}

func TestRow33_TokenIsOfAKeyOrOfAUserAndNotOfBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, _, err := w.issuer.IssueKey(w.export(), start.Add(time.Hour))
	require.NoError(t, err)
	user := w.token(t)
	for name, changed := range map[string]struct {
		of     string
		change map[string]any
	}{
		"a key with a role":       {key, map[string]any{"role": "owner"}},
		"a key with a version":    {key, map[string]any{"mver": 3}},
		"a key with an address":   {key, map[string]any{"email": "ada@acme.example"}},
		"a key, address verified": {key, map[string]any{"email_verified": true}},
		"a key of no tenant":      {key, map[string]any{"tid": nil}},
		"a key that is no kind":   {key, map[string]any{"kind": nil}},
		"an unknown kind":         {key, map[string]any{"kind": "user"}},
		"a kind in capitals":      {key, map[string]any{"kind": nil, "KIND": "key"}},
		"a key for longer":        {key, map[string]any{"exp": start.Add(accesstoken.MaxKeyLifetime + time.Second).Unix()}},
		"a user with a scope":     {user, map[string]any{"scope": "notes:read"}},
		"a user that is a key":    {user, map[string]any{"kind": "key"}},
	} {
		forged := forge(t, w.key, headerOf(t, changed.of), with(t, claimsOf(t, changed.of), changed.change))
		_, err := w.verifier.Verify(t.Context(), forged)
		require.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeUnauthenticated}, name)
	}
	same := forge(t, w.key, headerOf(t, key), claimsOf(t, key))
	_, err = w.verifier.Verify(t.Context(), same)
	require.NoError(t, err, "nothing else is wrong with them")
}

// keyCheck answers for k1 of one tenant.
type keyCheck struct {
	in  tenant.ID
	err error
}

func (c keyCheck) CheckKey(_ context.Context, in tenant.ID, keyID string) error {
	if in != c.in || keyID != "k1" {
		return errors.New("asked for another key")
	}
	return c.err
}

func TestTokenOfAKeyIsHeldAgainstTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, _, err := w.issuer.IssueKey(w.export(), start.Add(time.Hour))
	require.NoError(t, err)
	members := &membership{clock: w.clock, version: 1}
	revoked := &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: "the API key was revoked"}
	for _, test := range []struct {
		keys   accesstoken.KeyChecker
		status int
		code   tenant.Code
	}{
		{nil, 0, ""},
		{keyCheck{w.acme, nil}, 0, ""},
		{keyCheck{w.acme, revoked}, http.StatusUnauthorized, tenant.CodeUnauthenticated},
		{keyCheck{w.acme, errors.New("away")}, http.StatusServiceUnavailable, tenant.CodeUnavailable},
	} {
		a := serve(accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Members: members, APIKeys: test.keys}), get("/", "Authorization", "Bearer "+token))
		if test.code != "" {
			a.requireRefused(t, test.status, test.code)
			continue
		}
		require.NotNil(t, a.reached, "%s", a.Body)
		who, _ := tenant.PrincipalFromContext(a.reached.Context())
		assert.Equal(t, w.export(), who)
	}
	assert.Zero(t, members.asked, "a key is no member")
}
