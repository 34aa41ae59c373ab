package accesstoken_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func TestTokenSaysWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issuer := w.newIssuer(t, accesstoken.IssuerConfig{Random: bytes.NewReader(make([]byte, 16))})
	token, claims, err := issuer.Issue(w.ada(), 3)
	require.NoError(t, err)
	issued := start.Truncate(time.Second)
	want := accesstoken.Claims{
		Principal: w.ada(), MembershipVersion: 3, TokenID: "AAAAAAAAAAAAAAAAAAAAAA",
		IssuedAt: issued, ExpiresAt: issued.Add(10 * time.Minute),
	}
	assert.Equal(t, want, claims)
	assert.JSONEq(t, fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":"at+jwt"}`, w.key.ID()), headerOf(t, token))
	assert.JSONEq(t, fmt.Sprintf(`{
		"iss": "https://auth.example.com", "aud": ["https://api.example.com"], "sub": "ada", "jti": "AAAAAAAAAAAAAAAAAAAAAA",
		"iat": %d, "nbf": %d, "exp": %d, "tid": %q, "role": "owner", "mver": 3, "email": "ada@acme.example", "email_verified": true
	}`, issued.Unix(), issued.Unix(), issued.Unix()+600, w.acme), claimsOf(t, token))

	got, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, want, got, "and when it was seen before")
}

// Verifiers compare headers to the byte, and those of the last release are still around
// while a new one is rolled out.
func TestHeaderOfATokenIsTheSameInEachRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.Equal(t, `{"alg":"EdDSA","kid":"`+w.key.ID()+`","typ":"at+jwt"}`, headerOf(t, w.token(t)))
}

func TestTokenOfNoTenantNamesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dora := tenant.Principal{Kind: tenant.User, ID: "dora"}
	token, _, err := w.issuer.Issue(dora, 0)
	require.NoError(t, err)
	for _, name := range []string{"tid", "role", "mver", "email", "email_verified"} {
		assert.NotContains(t, claimsOf(t, token), `"`+name+`"`, "absent, not empty")
	}
	claims, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, dora, claims.Principal)
	assert.Zero(t, claims.MembershipVersion)
}

func TestEachTokenHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := make(map[string]bool)
	for range 1000 {
		_, claims, err := w.issuer.Issue(w.ada(), 1)
		require.NoError(t, err)
		ids[claims.TokenID] = true
	}
	assert.Len(t, ids, 1000)
}

func TestTokenLivesAsLongAsConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, lifetime := range []time.Duration{time.Second, time.Minute, accesstoken.MaxLifetime} {
		token, claims, err := w.newIssuer(t, accesstoken.IssuerConfig{Lifetime: lifetime}).Issue(w.ada(), 1)
		require.NoError(t, err)
		assert.Equal(t, lifetime, claims.ExpiresAt.Sub(claims.IssuedAt))
		_, err = w.verifier.Verify(t.Context(), token)
		require.NoError(t, err)
	}
}

func TestTokenIsMadeForAUserWithinBoundsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := func(f func(p *tenant.Principal)) tenant.Principal {
		p := w.ada()
		f(&p)
		return p
	}
	for name, test := range map[string]struct {
		who     tenant.Principal
		version int64
		want    string
	}{
		"nobody":                     {tenant.Principal{}, 0, "tokens are for users"},
		"a key":                      {change(func(p *tenant.Principal) { p.Kind = tenant.Key }), 1, "tokens are for users"},
		"with scopes":                {change(func(p *tenant.Principal) { p.Scopes = []string{"notes:read"} }), 1, "scopes"},
		"without an id":              {change(func(p *tenant.Principal) { p.ID = "" }), 1, "the user's id"},
		"a long id":                  {change(func(p *tenant.Principal) { p.ID = strings.Repeat("a", 256) }), 1, "the user's id"},
		"an id with a line break":    {change(func(p *tenant.Principal) { p.ID = "a\nb" }), 1, "the user's id"},
		"an id that is no UTF-8":     {change(func(p *tenant.Principal) { p.ID = "a\xff" }), 1, "the user's id"},
		"a long address":             {change(func(p *tenant.Principal) { p.Email = strings.Repeat("a", 255) }), 1, "e-mail"},
		"an address with a NUL":      {change(func(p *tenant.Principal) { p.Email = "a\x00" }), 1, "e-mail"},
		"a long role":                {change(func(p *tenant.Principal) { p.Role = strings.Repeat("a", 65) }), 1, "the role"},
		"a role of no tenant":        {change(func(p *tenant.Principal) { p.Tenant = tenant.ID{} }), 0, "no tenant"},
		"a version of no tenant":     {tenant.Principal{Kind: tenant.User, ID: "dora"}, 1, "no tenant"},
		"a tenant without a version": {w.ada(), 0, "1 or more"},
		"a negative version":         {w.ada(), -1, "1 or more"},
	} {
		token, claims, err := w.issuer.Issue(test.who, test.version)
		require.ErrorContains(t, err, test.want, name)
		assert.Empty(t, token, name)
		assert.Zero(t, claims, name)
	}

	longest := tenant.Principal{
		Kind: tenant.User, ID: strings.Repeat("<", 255), Email: strings.Repeat(`"`, 254), Tenant: w.acme, Role: strings.Repeat("&", 64),
	}
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: newKey(t, accesstoken.RS256)}))
	token, _, err := w.issuer.Issue(longest, 1<<62)
	require.NoError(t, err)
	assert.Less(t, len(token), accesstoken.MaxTokenLen)
	claims, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, longest, claims.Principal)
}

func TestIssuerSaysWhatItCantBeMadeOf(t *testing.T) {
	t.Parallel()
	key := newKey(t, accesstoken.EdDSA)
	keys := newKeys(t, accesstoken.KeySet{Signing: key})
	verifying := newKeys(t, accesstoken.KeySet{Next: key.Public()})
	for _, test := range []struct {
		keys *accesstoken.Keys
		cfg  accesstoken.IssuerConfig
		want string
	}{
		{nil, accesstoken.IssuerConfig{Issuer: "i", Audience: "a"}, "no keys"},
		{verifying, accesstoken.IssuerConfig{Issuer: "i", Audience: "a"}, "no signing key"},
		{keys, accesstoken.IssuerConfig{Audience: "a"}, "Issuer is not"},
		{keys, accesstoken.IssuerConfig{Issuer: "i"}, "Audience is not"},
		{keys, accesstoken.IssuerConfig{Issuer: strings.Repeat("i", 256), Audience: "a"}, "Issuer is not"},
		{keys, accesstoken.IssuerConfig{Issuer: "i", Audience: "a\n"}, "Audience is not"},
		{keys, accesstoken.IssuerConfig{Issuer: "i", Audience: "a", Lifetime: -1}, "a lifetime of"},
		{keys, accesstoken.IssuerConfig{Issuer: "i", Audience: "a", Lifetime: time.Millisecond}, "a lifetime of"},
		{keys, accesstoken.IssuerConfig{Issuer: "i", Audience: "a", Lifetime: 1500 * time.Millisecond}, "a lifetime of"},
		{keys, accesstoken.IssuerConfig{Issuer: "i", Audience: "a", Lifetime: accesstoken.MaxLifetime + time.Second}, "a lifetime of"},
	} {
		issuer, err := accesstoken.NewIssuer(test.keys, test.cfg)
		require.ErrorContains(t, err, test.want)
		assert.Nil(t, issuer)
	}
}

func TestIssuerFailsWhenRandomnessOrItsKeyDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("no entropy")
	for _, random := range []io.Reader{iotest.ErrReader(broken), bytes.NewReader(make([]byte, 15))} {
		token, _, err := w.newIssuer(t, accesstoken.IssuerConfig{Random: random}).Issue(w.ada(), 1)
		require.Error(t, err)
		assert.Empty(t, token)
	}
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Next: w.key.Public()}))
	token, _, err := w.issuer.Issue(w.ada(), 1)
	require.ErrorContains(t, err, "no signing key any more")
	assert.Empty(t, token)
}

func TestAddressThatIsNotVerifiedIsNotHandedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	for name, changes := range map[string]map[string]any{
		"said not to be": {"email_verified": false},
		"not said to be": {"email_verified": nil},
	} {
		claims, err := w.verifier.Verify(t.Context(), forge(t, w.key, headerOf(t, token), with(t, claimsOf(t, token), changes)))
		require.NoError(t, err, name)
		assert.Empty(t, claims.Principal.Email, name)
	}
	_, err := w.verifier.Verify(t.Context(), forge(t, w.key, headerOf(t, token),
		with(t, claimsOf(t, token), map[string]any{"email_verified": json.RawMessage(`"true"`)})))
	require.ErrorIs(t, err, accesstoken.ErrMalformed)
}
