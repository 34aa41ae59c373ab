package accesstoken_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

const (
	issuerName   = "https://auth.example.com"
	audienceName = "https://api.example.com"
)

// start is what the clocks of tests begin with: a moment within a second, because tokens
// have whole ones.
var start = time.Date(2026, 3, 1, 12, 0, 0, 700_000_000, time.UTC)

// clock is a time that a test sets.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return start.Add(time.Duration(c.offset.Load())) }

func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

// world is an issuer and a verifier that fit each other.
type world struct {
	clock    *clock
	key      accesstoken.Key
	keys     *accesstoken.Keys
	issuer   *accesstoken.Issuer
	verifier *accesstoken.Verifier
	acme     tenant.ID
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{clock: new(clock), key: newKey(tb, accesstoken.EdDSA), acme: tenant.NewID()}
	w.keys = newKeys(tb, accesstoken.KeySet{Signing: w.key})
	w.issuer = w.newIssuer(tb, accesstoken.IssuerConfig{})
	w.verifier = w.newVerifier(tb, accesstoken.VerifierConfig{})
	return w
}

// newIssuer makes an issuer with the keys, the clock and the names of w, where cfg has no others.
func (w *world) newIssuer(tb testing.TB, cfg accesstoken.IssuerConfig) *accesstoken.Issuer {
	tb.Helper()
	if cfg.Issuer == "" {
		cfg.Issuer = issuerName
	}
	if cfg.Audience == "" {
		cfg.Audience = audienceName
	}
	if cfg.Now == nil {
		cfg.Now = w.clock.now
	}
	issuer, err := accesstoken.NewIssuer(w.keys, cfg)
	require.NoError(tb, err)
	return issuer
}

// newVerifier makes a verifier as newIssuer makes an issuer.
func (w *world) newVerifier(tb testing.TB, cfg accesstoken.VerifierConfig) *accesstoken.Verifier {
	tb.Helper()
	cfg.Issuer, cfg.Audience = issuerName, audienceName
	if cfg.Now == nil {
		cfg.Now = w.clock.now
	}
	verifier, err := accesstoken.NewVerifier(w.keys, cfg)
	require.NoError(tb, err)
	return verifier
}

func (w *world) ada() tenant.Principal {
	return tenant.Principal{Kind: tenant.User, ID: "ada", Email: "ada@acme.example", Tenant: w.acme, Role: "owner"}
}

// token is one of ada in acme, of version 3 of her membership.
func (w *world) token(tb testing.TB) string {
	tb.Helper()
	token, _, err := w.issuer.Issue(w.ada(), 3)
	require.NoError(tb, err)
	return token
}

func newKeys(tb testing.TB, set accesstoken.KeySet) *accesstoken.Keys {
	tb.Helper()
	keys, err := accesstoken.NewKeys(set)
	require.NoError(tb, err)
	return keys
}

func newKey(tb testing.TB, alg accesstoken.Algorithm) accesstoken.Key {
	tb.Helper()
	if alg == accesstoken.RS256 {
		return rsaKey()
	}
	key, err := accesstoken.GenerateKey(alg)
	require.NoError(tb, err)
	return key
}

// rsaKey is one for all tests, and of the least size, because it takes long to find.
var rsaKey = sync.OnceValue(func() accesstoken.Key {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	key, err := accesstoken.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		panic(err)
	}
	return key
})

// private is what a key keeps to itself.
func private(tb testing.TB, key accesstoken.Key) crypto.PrivateKey {
	tb.Helper()
	text, err := key.MarshalPEM()
	require.NoError(tb, err)
	block, _ := pem.Decode(text)
	inner, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(tb, err)
	return inner
}

// headerOf and claimsOf are the parts of a token as they read.
func headerOf(tb testing.TB, token string) string { return decode(tb, strings.Split(token, ".")[0]) }
func claimsOf(tb testing.TB, token string) string { return decode(tb, strings.Split(token, ".")[1]) }

func decode(tb testing.TB, part string) string {
	tb.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(tb, err)
	return string(text)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs any header and any claims with a key of Ed25519, as somebody does who has
// the key, or a fault in the issuer.
func forge(tb testing.TB, key accesstoken.Key, header, claims string) string {
	tb.Helper()
	signed := encode(header) + "." + encode(claims)
	return signed + "." + encode(string(ed25519.Sign(private(tb, key).(ed25519.PrivateKey), []byte(signed))))
}

// with is a JSON object with some members set, and those removed whose value is nil.
func with(tb testing.TB, object string, changes map[string]any) string {
	tb.Helper()
	members := make(map[string]any)
	require.NoError(tb, json.Unmarshal([]byte(object), &members))
	for name, value := range changes {
		if value == nil {
			delete(members, name)
			continue
		}
		members[name] = value
	}
	text, err := json.Marshal(members)
	require.NoError(tb, err)
	return string(text)
}

// get is a request with these header fields, each behind its name.
func get(target string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

// answer is what a handler answered, and the request that got to the innermost one.
type answer struct {
	*httptest.ResponseRecorder
	reached *http.Request
}

// serve sends a request through a middleware.
func serve(middleware func(http.Handler) http.Handler, r *http.Request) answer {
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a.reached = r })).ServeHTTP(a, r)
	return a
}

// requireRefused holds an answer to be a problem of a code, and the handler not reached.
func (a answer) requireRefused(tb testing.TB, status int, code tenant.Code) problem.Document {
	tb.Helper()
	require.Nil(tb, a.reached, "the handler")
	require.Equal(tb, status, a.Code)
	var d problem.Document
	require.NoError(tb, json.Unmarshal(a.Body.Bytes(), &d))
	assert.Equal(tb, code, d.Code)
	return d
}
