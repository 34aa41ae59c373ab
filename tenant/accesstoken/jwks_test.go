package accesstoken_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func newJWKS(t *testing.T, w *world, cfg accesstoken.JWKSConfig) http.Handler {
	t.Helper()
	cfg.Now = w.clock.now
	handler, err := accesstoken.NewJWKS(w.keys, cfg)
	require.NoError(t, err)
	return handler
}

func TestPublishedSetHasThePublicKeysInTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	former, err := accesstoken.ParsePublicKey([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----"))
	require.NoError(t, err)
	next, rsa := newKey(t, accesstoken.ES256), newKey(t, accesstoken.RS256)
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{
		Signing: w.key, Next: next.Public(),
		Accepted: []accesstoken.AcceptedKey{{Key: former, NotAfter: w.clock.now().Add(time.Minute)}, {Key: rsa.Public()}},
	}))
	handler := newJWKS(t, w, accesstoken.JWKSConfig{})
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, get("/.well-known/jwks.json"))
	require.Equal(t, http.StatusOK, response.Code)
	assert.Equal(t, "application/jwk-set+json", response.Header().Get("Content-Type"))
	assert.Equal(t, "public, max-age=300", response.Header().Get("Cache-Control"))

	var set struct{ Keys []map[string]string }
	require.NoError(t, json.Unmarshal(response.Body.Bytes(), &set))
	require.Len(t, set.Keys, 4)
	for i, id := range []string{w.key.ID(), next.ID(), former.ID(), rsa.ID()} {
		assert.Equal(t, id, set.Keys[i]["kid"])
		assert.Equal(t, "sig", set.Keys[i]["use"])
	}
	assert.Equal(t, map[string]string{
		"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		"use": "sig", "alg": "EdDSA", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	}, set.Keys[2], "as in RFC 8037, A.2")
	for i, members := range [][]string{{"crv", "kty", "x", "use", "alg", "kid"}, {"crv", "kty", "x", "y", "use", "alg", "kid"}, {}, {"e", "kty", "n", "use", "alg", "kid"}} {
		for name := range set.Keys[i] {
			if i != 2 {
				assert.Contains(t, members, name, "nothing private: no d, p, q, dp, dq, qi, k")
			}
		}
	}

	w.clock.advance(time.Minute + 1)
	response = httptest.NewRecorder()
	handler.ServeHTTP(response, get("/"))
	assert.NotContains(t, response.Body.String(), former.ID(), "a key that is not accepted any more")
}

// There is one answer but for that which a client has already, so none that is no problem.
func TestPublishedSetIsSentWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := newJWKS(t, w, accesstoken.JWKSConfig{})
	whole := httptest.NewRecorder()
	handler.ServeHTTP(whole, get("/"))
	require.Equal(t, http.StatusOK, whole.Code)
	etag := whole.Header().Get("ETag")
	for _, test := range []struct {
		name, value string
		status      int
	}{
		{"Range", "bytes=0-3", http.StatusOK},
		{"Range", "bytes=999999-", http.StatusOK},
		{"If-Match", `"another"`, http.StatusOK},
		{"If-None-Match", `"another"`, http.StatusOK},
		{"If-None-Match", `"another", W/` + etag, http.StatusNotModified},
		{"If-None-Match", "*", http.StatusNotModified},
	} {
		r := get("/")
		r.Header.Set(test.name, test.value)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		assert.Equal(t, test.status, response.Code, "%s: %s", test.name, test.value)
		assert.Equal(t, etag, response.Header().Get("ETag"))
		if test.status == http.StatusOK {
			assert.Equal(t, whole.Body.String(), response.Body.String())
		}
	}
}

func TestPublishedSetIsAskedForAgainWithItsETag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := newJWKS(t, w, accesstoken.JWKSConfig{MaxAge: time.Minute})
	ask := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		return response
	}
	first := ask(http.MethodGet, "")
	etag := first.Header().Get("ETag")
	require.NotEmpty(t, etag)
	assert.Equal(t, "public, max-age=60", first.Header().Get("Cache-Control"))

	again := ask(http.MethodGet, etag)
	assert.Equal(t, http.StatusNotModified, again.Code)
	assert.Empty(t, again.Body.Bytes())
	assert.Equal(t, "public, max-age=60", again.Header().Get("Cache-Control"))

	head := ask(http.MethodHead, "")
	assert.Equal(t, http.StatusOK, head.Code)
	assert.Empty(t, head.Body.Bytes())
	assert.Equal(t, etag, head.Header().Get("ETag"))

	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: w.key, Next: newKey(t, accesstoken.EdDSA).Public()}))
	changed := ask(http.MethodGet, etag)
	assert.Equal(t, http.StatusOK, changed.Code)
	assert.NotEqual(t, etag, changed.Header().Get("ETag"))

	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		response := ask(method, "")
		answer{ResponseRecorder: response}.requireRefused(t, http.StatusMethodNotAllowed, tenant.CodeMethodNotAllowed)
		assert.Equal(t, "GET, HEAD", response.Header().Get("Allow"))
	}
}

func TestJWKSSaysWhatItCantBeMadeOf(t *testing.T) {
	t.Parallel()
	_, err := accesstoken.NewJWKS(nil, accesstoken.JWKSConfig{})
	require.ErrorContains(t, err, "no keys")
	keys := newKeys(t, accesstoken.KeySet{Signing: newKey(t, accesstoken.EdDSA)})
	for _, age := range []time.Duration{-1, 1, 1500 * time.Millisecond, accesstoken.MaxJWKSMaxAge + time.Second} {
		_, err := accesstoken.NewJWKS(keys, accesstoken.JWKSConfig{MaxAge: age})
		require.ErrorContains(t, err, "a maximum age of", age)
	}
}

// elsewhere is a service that verifies tokens and has nothing but the published set, which
// it keeps as long as it may.
type elsewhere struct {
	url      string
	clock    *clock
	keys     *accesstoken.Keys
	verifier *accesstoken.Verifier

	mu    sync.Mutex
	fresh time.Time // until when
}

func newElsewhere(t *testing.T, w *world, url string) *elsewhere {
	t.Helper()
	e := &elsewhere{url: url, clock: w.clock, keys: newKeys(t, accesstoken.KeySet{Signing: newKey(t, accesstoken.EdDSA)})}
	verifier, err := accesstoken.NewVerifier(e.keys, accesstoken.VerifierConfig{Issuer: issuerName, Audience: audienceName, Now: w.clock.now})
	require.NoError(t, err)
	e.verifier = verifier
	return e
}

func (e *elsewhere) verify(ctx context.Context, token string) error {
	if err := e.refresh(ctx); err != nil {
		return err
	}
	_, err := e.verifier.Verify(ctx, token)
	return err
}

func (e *elsewhere) refresh(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.now()
	if now.Before(e.fresh) {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var age int
	if _, err := fmt.Sscanf(response.Header.Get("Cache-Control"), "public, max-age=%d", &age); err != nil {
		return err
	}
	var set struct{ Keys []map[string]string }
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return err
	}
	var accepted []accesstoken.AcceptedKey
	for _, members := range set.Keys {
		key, err := readJWK(members)
		if err != nil {
			return err
		}
		accepted = append(accepted, accesstoken.AcceptedKey{Key: key})
	}
	e.fresh = now.Add(time.Duration(age) * time.Second)
	return e.keys.Replace(accesstoken.KeySet{Accepted: accepted})
}

// readJWK reads a published key as the RFCs have it.
func readJWK(members map[string]string) (accesstoken.PublicKey, error) {
	number := func(name string) *big.Int {
		text, err := base64.RawURLEncoding.DecodeString(members[name])
		if err != nil {
			return new(big.Int)
		}
		return new(big.Int).SetBytes(text)
	}
	var key crypto.PublicKey
	switch members["kty"] {
	case "OKP":
		key = ed25519.PublicKey(number("x").FillBytes(make([]byte, 32)))
	case "EC":
		point := append([]byte{4}, number("x").FillBytes(make([]byte, 32))...)
		point = append(point, number("y").FillBytes(make([]byte, 32))...)
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return accesstoken.PublicKey{}, err
		}
		key = public
	case "RSA":
		key = &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
	}
	public, err := accesstoken.NewPublicKey(key)
	if err == nil && public.ID() != members["kid"] {
		err = fmt.Errorf("key %s is published as %s", public.ID(), members["kid"])
	}
	return public, err
}

func TestPublishedKeysVerifyElsewhere(t *testing.T) {
	t.Parallel()
	for _, alg := range []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256, accesstoken.RS256} {
		w := newWorld(t)
		require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: newKey(t, alg)}))
		server := httptest.NewServer(newJWKS(t, w, accesstoken.JWKSConfig{}))
		t.Cleanup(server.Close)
		require.NoError(t, newElsewhere(t, w, server.URL).verify(t.Context(), w.token(t)), alg)
	}
}

func TestRotationLosesNoRequestElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const maxAge = time.Minute
	server := httptest.NewServer(newJWKS(t, w, accesstoken.JWKSConfig{MaxAge: maxAge}))
	defer server.Close()
	services := []*elsewhere{newElsewhere(t, w, server.URL), newElsewhere(t, w, server.URL)}
	var l load
	l.begin(func() error {
		token, _, err := w.issuer.Issue(w.ada(), 1)
		if err != nil {
			return err
		}
		for _, service := range services {
			if err := service.verify(t.Context(), token); err != nil {
				return err
			}
		}
		return nil
	})
	set := accesstoken.KeySet{Signing: w.key}
	for range 10 {
		next := newKey(t, accesstoken.EdDSA)
		set.Next = next.Public()
		require.NoError(t, w.keys.Replace(set))
		l.pass()
		w.clock.advance(maxAge) // now no one holds a set without it
		l.pass()
		rotated, err := set.Rotate(next, w.clock.now(), accesstoken.DefaultLifetime+accesstoken.DefaultLeeway)
		require.NoError(t, err)
		set = rotated
		require.NoError(t, w.keys.Replace(set))
		l.pass()
	}
	assert.Zero(t, l.refused.Load(), "requests lost in 10 rotations")

	// The control: a key that signs without having been published.
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: newKey(t, accesstoken.EdDSA), Next: set.Signing.Public()}))
	l.pass()
	l.end()
	assert.NotZero(t, l.refused.Load(), "requests lost when the key was not Next first")
}
