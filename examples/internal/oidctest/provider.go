// Package oidctest is an identity provider for tests: it signs tokens, good ones and others,
// and publishes its keys.
package oidctest

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/examples/recipes/oidc"
)

const (
	issuer   = "https://login.example.com/"
	audience = "https://api.example.com"
)

// Provider is an identity provider: a key set at a URL, and the private keys to it.
type Provider struct {
	*httptest.Server

	mu   sync.Mutex
	keys map[string]ed25519.PrivateKey
}

// New starts a provider that has the key k1, and ends with the test.
func New(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{keys: map[string]ed25519.PrivateKey{"k1": NewKey(t)}}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(p.serveKeys))
	t.Cleanup(p.Close)
	return p
}

// NewKey makes a key that is no provider's yet.
func NewKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return key
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := []map[string]string{}
	for id, key := range p.keys {
		x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		set = append(set, map[string]string{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
}

// Rotate replaces all keys of p by a new one.
func (p *Provider) Rotate(t *testing.T, id string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = map[string]ed25519.PrivateKey{id: NewKey(t)}
}

// Token is one of Ada's that is good for no tenant, with some claims changed; nil takes a
// claim away.
func (p *Provider) Token(t *testing.T, kid string, changed jwt.MapClaims) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	return Sign(t, jwt.SigningMethodEdDSA, p.keys[kid], kid, changed)
}

// Sign makes a token of any kind, good or not.
func Sign(t *testing.T, method jwt.SigningMethod, key any, kid string, changed jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "ada", "email": "ada@acme.example", "email_verified": true,
		"iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
	}
	maps.Copy(claims, changed)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

// Key is the private key with an id.
func (p *Provider) Key(id string) ed25519.PrivateKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[id]
}

// Config is for those who take the provider's tokens.
func (p *Provider) Config() oidc.Config {
	return oidc.Config{Issuer: issuer, Audience: audience, JWKSURL: p.URL, Method: "EdDSA", Client: p.Client()}
}
