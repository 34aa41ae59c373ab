package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// signer signs tokens with a key and says what it likes in them.
type signer struct {
	key              accesstoken.Key
	issuer, audience string
	now              time.Time
}

func (s signer) token(t testing.TB, who tenant.Principal) string {
	t.Helper()
	keys, err := accesstoken.NewKeys(accesstoken.KeySet{Signing: s.key})
	require.NoError(t, err)
	issuer, err := accesstoken.NewIssuer(keys, accesstoken.IssuerConfig{
		Issuer: s.issuer, Audience: s.audience, Now: func() time.Time { return s.now },
	})
	require.NoError(t, err)
	version := int64(0)
	if !who.Tenant.IsZero() {
		version = 1 << 40
	}
	token, _, err := issuer.Issue(who, version)
	require.NoError(t, err)
	return token
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestRow33_TokensThatNobodyHereMadeAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	key, err := loadTokenKey(t.Context(), a.server.control)
	require.NoError(t, err)
	stolen, err := accesstoken.GenerateKey(accesstoken.EdDSA)
	require.NoError(t, err)
	public, err := key.Public().MarshalPEM()
	require.NoError(t, err)

	who := tenant.Principal{Kind: tenant.User, ID: p.ID, Email: p.Email, Tenant: in.ID, Role: "owner"}
	ours := signer{key: key, issuer: "https://localhost", audience: tokenAudience, now: time.Now()}
	good := ours.token(t, who)
	parts := strings.Split(good, ".")
	header := func(alg string) string {
		return encoded(`{"alg":"` + alg + `","kid":"` + key.ID() + `","typ":"at+jwt"}`)
	}
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(header("HS256") + "." + parts[1]))
	changed := func(change func(*signer)) string {
		s := ours
		change(&s)
		return s.token(t, who)
	}

	bad := map[string]string{
		"alg none":                    header("none") + "." + parts[1] + ".",
		"alg none, signed":            header("none") + "." + parts[1] + "." + parts[2],
		"HS256 with the public key":   header("HS256") + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"an unknown key":              changed(func(s *signer) { s.key = stolen }),
		"the signature of another":    parts[0] + "." + parts[1] + "." + strings.Split(ours.token(t, who), ".")[2],
		"expired":                     changed(func(s *signer) { s.now = s.now.Add(-accesstoken.DefaultLifetime - accesstoken.MaxLeeway) }),
		"not valid yet":               changed(func(s *signer) { s.now = s.now.Add(accesstoken.MaxLeeway) }),
		"of another environment":      changed(func(s *signer) { s.issuer = "https://notes.example" }),
		"for another service":         changed(func(s *signer) { s.audience = "billing" }),
		"truncated":                   good[:len(good)-1],
		"without a signature":         parts[0] + "." + parts[1],
		"longer than any (and 32 KB)": good + strings.Repeat("A", 32<<10),
	}
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes", token: good}).status, "the test signs as the service does")
	for name, token := range bad {
		for _, path := range []string{"/v1/notes", "/v1/me", "/v1/tenants/" + string(in.Slug), "/t/" + string(in.Slug) + "/v1/members"} {
			got := a.do(t, request{method: "GET", path: path, token: token})
			assert.Equal(t, 401, got.status, "%s: %s: %s", name, path, got.body)
			assert.Contains(t, got.header.Get("WWW-Authenticate"), "invalid_token", name)
		}
	}
}

func TestRow33_ATokenOfOneTenantIsNoneOnTheHostOfAnother(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in, other := a.newTenant(t, p), a.newTenant(t, p)
	token := a.switchTo(t, p, string(in.Slug)).Token
	for _, w := range ways(t)[:4] {
		for _, path := range []string{"/v1/notes", "/v1/members", "/v1/invites", "/v1/me"} {
			requireProblem(t, a.do(t, w.say(a, request{method: "GET", path: path, token: token}, other)), 403, tenant.CodeTenantMismatch)
		}
	}
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(other.Slug), token: token}), 403, tenant.CodeTenantMismatch)
}

func TestTheKeySetVerifiesWhatTheServiceSigns(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	got := a.do(t, request{method: "GET", path: "/.well-known/jwks.json"})
	set := as[struct {
		Keys []map[string]any `json:"keys"`
	}](t, got, 200)
	require.Len(t, set.Keys, 1)
	assert.NotContains(t, set.Keys[0], "d", "the private part")
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(a.newPerson(t).token, ".")[0])
	require.NoError(t, err)
	var header struct{ Alg, Kid string }
	require.NoError(t, json.Unmarshal(head, &header))
	assert.Equal(t, "EdDSA", header.Alg)
	assert.Equal(t, set.Keys[0]["kid"], header.Kid)

	again := a.do(t, request{method: "GET", path: "/.well-known/jwks.json", header: headers("If-None-Match", got.header.Get("ETag"))})
	assert.Equal(t, 304, again.status)
}

func TestATokenSaysWhoActsAndAsWhat(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, viewer := a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, owner)
	a.join(t, in, viewer, invite.RoleViewer)
	m, err := a.server.members.Get(t.Context(), in.ID, viewer.ID)
	require.NoError(t, err)

	claims, err := a.server.tokens.verifier.Verify(t.Context(), a.switchTo(t, viewer, string(in.Slug)).Token)
	require.NoError(t, err)
	assert.Equal(t, tenant.Principal{Kind: tenant.User, ID: viewer.ID, Email: viewer.Email, Tenant: in.ID, Role: "viewer"}, claims.Principal)
	assert.Equal(t, m.Version, claims.MembershipVersion)
	assert.Equal(t, accesstoken.DefaultLifetime, claims.ExpiresAt.Sub(claims.IssuedAt))

	claims, err = a.server.tokens.verifier.Verify(t.Context(), viewer.token)
	require.NoError(t, err)
	assert.Equal(t, tenant.Principal{Kind: tenant.User, ID: viewer.ID, Email: viewer.Email}, claims.Principal)
}
