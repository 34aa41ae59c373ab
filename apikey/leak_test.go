package apikey_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
)

// reporter signs reports, as GitHub does, and publishes its key.
type reporter struct {
	key     *ecdsa.PrivateKey
	fetched int
	fail    error
	publish string // in place of the document
}

func newReporter(t testing.TB) *reporter {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &reporter{key: key}
}

func published(t testing.TB, keys map[string]any) string {
	t.Helper()
	var list []map[string]any
	for id, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key)
		require.NoError(t, err)
		list = append(list, map[string]any{"key_identifier": id, "is_current": true, "key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	}
	text, err := json.Marshal(map[string]any{"public_keys": append(list, map[string]any{"key_identifier": "broken", "key": "x"})})
	require.NoError(t, err)
	return string(text)
}

func (p *reporter) source(t testing.TB, s site) *apikey.PublicKeySource {
	t.Helper()
	source, err := apikey.NewPublicKeySource(func(context.Context) (io.ReadCloser, error) {
		p.fetched++
		if p.fail != nil {
			return nil, p.fail
		}
		text := p.publish
		if text == "" {
			text = published(t, map[string]any{"github": &p.key.PublicKey})
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}, s.clock.Now)
	require.NoError(t, err)
	return source
}

// report is a signed report of these keys.
func (p *reporter) report(t testing.TB, tokens ...string) *http.Request {
	t.Helper()
	var elements []map[string]string
	for _, token := range tokens {
		elements = append(elements, map[string]string{"token": token, "type": "notes_api_key", "url": "https://github.com/acme/x", "source": "commit"})
	}
	body, err := json.Marshal(elements)
	require.NoError(t, err)
	return p.signed(t, string(body))
}

func (p *reporter) signed(t testing.TB, body string) *http.Request {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	signature, err := ecdsa.SignASN1(rand.Reader, p.key, digest[:])
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/leaks", strings.NewReader(body))
	r.Header.Set("Github-Public-Key-Identifier", "github")
	r.Header.Set("Github-Public-Key-Signature", base64.StdEncoding.EncodeToString(signature))
	return r
}

type labelled struct {
	Hash  string `json:"token_hash"`
	Type  string `json:"token_type"`
	Label string `json:"label"`
}

func send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLeakedKeysAreRevoked(t *testing.T) {
	t.Parallel()
	s, p := setUp(t), newReporter(t)
	acme, beta := s.create(t, "acme-corp"), s.create(t, "beta-corp")
	key, secret := s.mint(t, acme)
	_, second := s.mint(t, beta)
	other, untouched := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	var leaks []apikey.Leak
	h, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{
		PublicKeys: p.source(t, s),
		OnLeak:     func(_ context.Context, leak apikey.Leak) { leaks = append(leaks, leak) },
	})
	require.NoError(t, err)

	tokens := []string{secret, forged(t), "nonsense", withSecret(t, s, untouched), second, secret}
	w := send(h, p.report(t, tokens...))
	require.Equal(t, 200, w.Code, "%s", w.Body)
	var labels []labelled
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &labels))
	require.Len(t, labels, len(tokens))
	for i, want := range []string{"true_positive", "false_positive", "false_positive", "false_positive", "true_positive", "true_positive"} {
		hash := sha256.Sum256([]byte(tokens[i]))
		assert.Equal(t, labelled{hex.EncodeToString(hash[:]), "notes_api_key", want}, labels[i], i)
	}
	assert.NotContains(t, w.Body.String(), secret)
	for _, text := range []string{secret, second} {
		_, err := s.keys.Verify(t.Context(), text, home)
		require.ErrorIs(t, err, apikey.ErrRevoked)
	}
	_, err = s.keys.Verify(t.Context(), untouched, home)
	require.NoError(t, err, "whoever knows the id of a key %s can't have it revoked", other.ID)

	require.Len(t, leaks, 3)
	assert.Equal(t, key.ID, leaks[0].Key.ID)
	assert.Equal(t, acme.ID, leaks[0].Key.TenantID)
	assert.False(t, leaks[0].Key.RevokedAt.IsZero())
	assert.Equal(t, "https://github.com/acme/x", leaks[0].URL)
	assert.Equal(t, []bool{false, false, true}, []bool{leaks[0].Before, leaks[1].Before, leaks[2].Before})
	events := s.told(t, acme)
	assert.Equal(t, map[string]string{"reason": "leaked"}, events[len(events)-1].After)
	assert.Equal(t, 1, p.fetched)

	w = send(h, p.report(t))
	assert.JSONEq(t, `[]`, w.Body.String())
}

func TestReportThatIsNotSignedRevokesNothing(t *testing.T) {
	t.Parallel()
	s, p, stranger := setUp(t), newReporter(t), newReporter(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	h, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{PublicKeys: p.source(t, s)})
	require.NoError(t, err)
	field := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, change := range map[string]func(r *http.Request){
		"no identifier":   field("Github-Public-Key-Identifier", ""),
		"an unknown one":  field("Github-Public-Key-Identifier", "gitlab"),
		"an unusable one": field("Github-Public-Key-Identifier", "broken"),
		"no signature":    field("Github-Public-Key-Signature", ""),
		"no base64":       field("Github-Public-Key-Signature", "!"),
		"no DER":          field("Github-Public-Key-Signature", "AAAA"),
		"another's":       field("Github-Public-Key-Signature", stranger.report(t, secret).Header.Get("Github-Public-Key-Signature")),
		"another body": func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`[{"token":"` + secret + `"}]`))
		},
	} {
		r := p.report(t, secret)
		change(r)
		assert.Equal(t, 401, send(h, r).Code, name)
	}
	assert.LessOrEqual(t, p.fetched, 2)
	for body, want := range map[string]int{
		"": 400, "{}": 400, "[": 400, `["x"]`: 400,
		strings.Repeat(" ", apikey.MaxReportLen+1):                   413,
		"[" + strings.Repeat("{},", apikey.MaxReported) + "{}" + "]": 413,
	} {
		assert.Equal(t, want, send(h, p.signed(t, body)).Code, "%.20s", body)
	}
	r := p.report(t, secret)
	r.Method = http.MethodGet
	w := send(h, r)
	assert.Equal(t, 405, w.Code)
	assert.Equal(t, http.MethodPost, w.Header().Get("Allow"))
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	_, err = apikey.NewLeakHandler(nil, apikey.LeakConfig{PublicKeys: p.source(t, s)})
	require.Error(t, err)
	_, err = apikey.NewLeakHandler(s.keys, apikey.LeakConfig{})
	require.Error(t, err)
}

func TestReportIsToBeSentAgainWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s, p := setUp(t), newReporter(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	h, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{PublicKeys: p.source(t, s)})
	require.NoError(t, err)
	s.proxy.Cut()
	assert.Equal(t, 503, send(h, p.report(t, secret)).Code)
	s.proxy.Restore()
	assert.Equal(t, 200, send(h, p.report(t, secret)).Code)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked)
}

func TestPublicKeysAreFetchedSeldom(t *testing.T) {
	t.Parallel()
	s, p := setUp(t), newReporter(t)
	h, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{PublicKeys: p.source(t, s)})
	require.NoError(t, err)
	status := func(id string) int {
		r := p.report(t)
		r.Header.Set("Github-Public-Key-Identifier", id)
		return send(h, r).Code
	}
	for range 10 {
		assert.Equal(t, 200, status("github"))
		assert.Equal(t, 401, status("unknown"))
	}
	assert.Equal(t, 1, p.fetched)
	s.clock.Pass(time.Minute)
	assert.Equal(t, 401, status("unknown"))
	assert.Equal(t, 401, status("unknown"))
	assert.Equal(t, 2, p.fetched, "an unknown key is asked for once a minute")

	s.clock.Pass(time.Hour)
	p.fail = errors.New("GitHub is away")
	assert.Equal(t, 503, status("github"), "keys are not believed for ever")
	assert.Equal(t, 503, status("github"))
	assert.Equal(t, 3, p.fetched)
	s.clock.Pass(time.Minute)
	p.fail = nil
	for _, text := range []string{"{", strings.Repeat(" ", 1<<20+1), `{"public_keys":[` + strings.Repeat("{},", 1000) + `{}]}`} {
		p.publish = text
		assert.Equal(t, 503, status("github"))
		s.clock.Pass(time.Minute)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	p.publish = published(t, map[string]any{"github": &rsaKey.PublicKey, "other": &p384.PublicKey})
	assert.Equal(t, 401, status("github"), "of another kind is none")
	_, err = apikey.NewPublicKeySource(nil, nil)
	require.Error(t, err)
}

func TestPublicKeysComeFromAnAddress(t *testing.T) {
	t.Parallel()
	s, p := setUp(t), newReporter(t)
	var authorization string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, published(t, map[string]any{"github": &p.key.PublicKey}))
	}))
	defer server.Close()
	source, err := apikey.NewPublicKeySource(apikey.FetchPublicKeys(server.Client(), server.URL, "token"), s.clock.Now)
	require.NoError(t, err)
	h, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{PublicKeys: source})
	require.NoError(t, err)
	status = http.StatusForbidden
	assert.Equal(t, 503, send(h, p.report(t)).Code)
	status = http.StatusOK
	s.clock.Pass(time.Minute)
	assert.Equal(t, 200, send(h, p.report(t)).Code)
	assert.Equal(t, "Bearer token", authorization)
	for _, url := range []string{"http://127.0.0.1:1/", ":"} {
		_, err := apikey.FetchPublicKeys(nil, url, "")(t.Context())
		require.Error(t, err)
	}
}

// Whoever asks need not be GitHub: one who names an unknown key and hangs up must not keep
// the keys from those who come after.
func TestWhoHangsUpDoesNotSpoilTheFetchForOthers(t *testing.T) {
	t.Parallel()
	s, p := setUp(t), newReporter(t)
	source, err := apikey.NewPublicKeySource(func(ctx context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(published(t, map[string]any{"github": &p.key.PublicKey}))), ctx.Err()
	}, s.clock.Now)
	require.NoError(t, err)
	h, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{PublicKeys: source})
	require.NoError(t, err)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := p.report(t).WithContext(gone)
	r.Header.Set("Github-Public-Key-Identifier", "unknown")
	send(h, r)
	assert.Equal(t, 200, send(h, p.report(t)).Code)
}
