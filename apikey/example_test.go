package apikey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// A key is made, verified, rotated with an overlap, and revoked.
func ExampleKeys() {
	s, done := exampleSite()
	defer done()
	ctx, keys, acme := context.Background(), s.keys, s.create(s.t, "acme-corp")
	from := netip.MustParseAddr("192.0.2.7")

	ada := apikey.Minter{ID: "ada", Scopes: []string{"notes:read", "notes:write"}} // what her role may give
	key, secret, err := keys.Mint(ctx, acme.ID, ada, apikey.NewKey{Name: "nightly export", Scopes: []string{"notes:read"}})
	fmt.Println(key.Name, key.Scopes, secret, err) // a Secret is not printed by mistake

	verified, err := keys.Verify(ctx, string(secret), from)
	fmt.Println(verified.TenantID == acme.ID, verified.Scopes, err)

	next, newer, err := keys.Rotate(ctx, acme.ID, ada, key.ID, 10*time.Minute)
	fmt.Println(next.Name, next.Scopes, err)

	_, oldErr := keys.Verify(ctx, string(secret), from)
	_, newErr := keys.Verify(ctx, string(newer), from)
	fmt.Println(oldErr, newErr)

	fmt.Println(keys.Revoke(ctx, acme.ID, ada, key.ID))
	_, err = keys.Verify(ctx, string(secret), from)
	fmt.Println(errors.Is(err, apikey.ErrRevoked))
	// Output:
	// nightly export [notes:read] [secret] <nil>
	// true [notes:read] <nil>
	// nightly export [notes:read] <nil>
	// <nil> <nil>
	// <nil>
	// true
}

// A route that keys may use which have a scope. Whoever names the tenant stands before it;
// here a middleware that takes that of the key.
func ExampleAuthenticate() {
	s, done := exampleSite()
	defer done()
	acme := s.create(s.t, "acme-corp")
	_, secret, _ := s.keys.Mint(context.Background(), acme.ID, apikey.Minter{Scopes: s.keys.Scopes()}, apikey.NewKey{Name: "reader", Scopes: []string{"notes:read"}})

	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{Required: true})
	inAcme := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(tenant.NewContext(r.Context(), acme)))
		})
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here you are") })
	mux := http.NewServeMux()
	mux.Handle("GET /v1/notes", services(inAcme(apikey.RequireScope("notes:read")(answer))))
	mux.Handle("POST /v1/notes", services(inAcme(apikey.RequireScope("notes:write")(answer))))

	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := httptest.NewRequest(method, "/v1/notes", nil)
		r.Header.Set("X-API-Key", string(secret))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(method, w.Code)
	}
	// Output:
	// GET 200
	// POST 403
}

// A service exchanges its key for a token, and acts with that. Who verifies the token asks no
// database, or asks whether the key is still good.
func ExampleExchange() {
	s, done := exampleSite()
	defer done()
	ctx, acme := context.Background(), s.create(s.t, "acme-corp")
	ada := apikey.Minter{ID: "ada", Scopes: s.keys.Scopes()}
	key, secret, _ := s.keys.Mint(ctx, acme.ID, ada, apikey.NewKey{Name: "nightly export", Scopes: []string{"notes:read"}})

	signing, _ := accesstoken.GenerateKey(accesstoken.EdDSA)
	keys, _ := accesstoken.NewKeys(accesstoken.KeySet{Signing: signing})
	const auth, api = "https://auth.example.com", "https://api.example.com"
	issuer, _ := accesstoken.NewIssuer(keys, accesstoken.IssuerConfig{Issuer: auth, Audience: api})
	exchange, err := apikey.NewExchange(s.keys, issuer, apikey.AuthenticateConfig{})
	if err != nil {
		panic(err)
	}

	r := httptest.NewRequest(http.MethodPost, "/v1/token", nil)
	r.Header.Set("X-API-Key", string(secret))
	w := httptest.NewRecorder()
	exchange.ServeHTTP(w, r)
	var answer struct {
		Token     string `json:"access_token"`
		ExpiresIn int    `json:"expires_in"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	fmt.Println(w.Code, answer.ExpiresIn > 290)

	verifier, _ := accesstoken.NewVerifier(keys, accesstoken.VerifierConfig{Issuer: auth, Audience: api})
	authenticate := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{APIKeys: s.keys, Required: true})
	handler := authenticate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		who, _ := tenant.PrincipalFromContext(r.Context())
		fmt.Println(who.Kind, who.Scopes, who.ID == key.ID, who.Tenant == acme.ID)
	}))
	r = httptest.NewRequest(http.MethodGet, "/v1/notes", nil)
	r.Header.Set("Authorization", "Bearer "+answer.Token)
	handler.ServeHTTP(httptest.NewRecorder(), r)

	_ = s.keys.Revoke(ctx, acme.ID, ada, key.ID)
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// 200 true
	// key [notes:read] true true
	// 401
}

// A key that GitHub has found in public is revoked, and its tenant is told.
func ExampleLeakHandler() {
	s, done := exampleSite()
	defer done()
	p := newReporter(s.t) // stands for GitHub: it publishes its key, and signs with it
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, published(s.t, map[string]any{"github": &p.key.PublicKey}))
	}))
	defer github.Close()
	acme := s.create(s.t, "acme-corp")
	_, secret := s.mint(s.t, acme)

	sources, err := apikey.NewPublicKeySource(apikey.FetchPublicKeys(nil, github.URL, ""), nil) // GitHubPublicKeys
	if err != nil {
		panic(err)
	}
	leaks, err := apikey.NewLeakHandler(s.keys, apikey.LeakConfig{
		PublicKeys: sources,
		OnLeak: func(_ context.Context, leak apikey.Leak) {
			fmt.Println(leak.Key.Name, "was found at", leak.URL)
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/leaked-keys", leaks)

	r := p.report(s.t, secret)
	r.URL.Path = "/webhooks/leaked-keys"
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	_, err = s.keys.Verify(context.Background(), secret, netip.MustParseAddr("192.0.2.7"))
	fmt.Println(errors.Is(err, apikey.ErrRevoked))
	// Output:
	// nightly export was found at https://github.com/acme/x
	// 200
	// true
}

// Keys are found in a log, whatever stands around them.
func ExampleFormat_Scan() {
	format, err := apikey.NewFormat("notes", "test")
	if err != nil {
		panic(err)
	}
	log := `level=info header="X-API-Key: notes_test_ZWehwdcWrdptdmbdiWZmcWmnWqZmcnlmdrrWZsWZkkiWZWehw060b1E"
level=info text="notes_test_ZWehwdcWrdptdmbdiWZmcWmnWqZmcnlmdrrWZsWZkkiWZWehwXXXXXX has a wrong checksum"`
	for found, err := range format.Scan(strings.NewReader(log)) {
		fmt.Println(found.Offset, found.KeyID, err)
	}
	fmt.Println(format.Pattern())
	// Output:
	// 30 ZWehwdcWrdptdmbd <nil>
	// notes_test_[0-9A-Za-z]{55}
}
