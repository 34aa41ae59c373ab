package accesstoken_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// From a user who switches to a tenant, to a handler that knows who acts.
func Example() {
	// When the program starts. A real one reads the key with ParseKey from where it keeps
	// its secrets.
	key, err := accesstoken.GenerateKey(accesstoken.EdDSA)
	if err != nil {
		panic(err)
	}
	keys, err := accesstoken.NewKeys(accesstoken.KeySet{Signing: key})
	if err != nil {
		panic(err)
	}
	issuer, err := accesstoken.NewIssuer(keys, accesstoken.IssuerConfig{
		Issuer: "https://auth.example.com", Audience: "https://api.example.com",
	})
	if err != nil {
		panic(err)
	}
	verifier, err := accesstoken.NewVerifier(keys, accesstoken.VerifierConfig{
		Issuer: "https://auth.example.com", Audience: "https://api.example.com",
	})
	if err != nil {
		panic(err)
	}

	// When Ada switches to Acme: her membership has just been read, and is of version 1.
	acme := tenant.NewID()
	token, claims, err := issuer.Issue(tenant.Principal{
		Kind: tenant.User, ID: "ada", Email: "ada@acme.example", Tenant: acme, Role: "owner",
	}, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println("expires in", claims.ExpiresAt.Sub(claims.IssuedAt))

	// On each request.
	authenticate := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{Required: true})
	handler := authenticate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		who, _ := tenant.PrincipalFromContext(r.Context())
		fmt.Println(who.ID, "is", who.Role, "and acts in Acme:", who.Tenant == acme)
	}))
	r := httptest.NewRequest(http.MethodGet, "/v1/notes", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	handler.ServeHTTP(httptest.NewRecorder(), r)

	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/v1/notes", nil))
	fmt.Println(response.Code, response.Header().Get("WWW-Authenticate"))
	// Output:
	// expires in 10m0s
	// ada is owner and acts in Acme: true
	// 401 Bearer realm="api"
}

// A key is replaced while requests come in, and none is refused.
func ExampleKeySet_Rotate() {
	current, _ := accesstoken.GenerateKey(accesstoken.EdDSA)
	next, _ := accesstoken.GenerateKey(accesstoken.EdDSA)
	set := accesstoken.KeySet{Signing: current}
	keys, err := accesstoken.NewKeys(set)
	if err != nil {
		panic(err)
	}

	// First all are told of the next key: every process of the service, and whoever reads
	// the published set.
	set.Next = next.Public()
	if err := keys.Replace(set); err != nil {
		panic(err)
	}

	// Then, when caches of the published set have expired (DefaultJWKSMaxAge, and some
	// more), it takes over. Tokens of the former key are good for as long as they live.
	set, err = set.Rotate(next, time.Now(), accesstoken.MaxLifetime+accesstoken.MaxLeeway)
	if err != nil {
		panic(err)
	}
	if err := keys.Replace(set); err != nil {
		panic(err)
	}
	fmt.Println(set.Signing.ID() == next.ID(), set.Accepted[0].Key.ID() == current.ID())
	// Output:
	// true true
}

// The public keys, for those who verify tokens elsewhere.
func ExampleNewJWKS() {
	key, err := accesstoken.ParsePublicKey([]byte(`
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----`))
	if err != nil {
		panic(err)
	}
	keys, err := accesstoken.NewKeys(accesstoken.KeySet{Accepted: []accesstoken.AcceptedKey{{Key: key}}})
	if err != nil {
		panic(err)
	}
	published, err := accesstoken.NewJWKS(keys, accesstoken.JWKSConfig{MaxAge: time.Minute})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /.well-known/jwks.json", published)

	response := httptest.NewRecorder()
	mux.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", nil))
	fmt.Println(response.Header().Get("Cache-Control"))
	fmt.Println(response.Body)
	// Output:
	// public, max-age=60
	// {"keys":[{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig","alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}]}
}

// memberships is a stand-in for a cache of memberships, such as that of package invite.
type memberships map[string]int64

func (m memberships) MembershipVersion(_ context.Context, _ tenant.ID, userID string) (int64, error) {
	return m[userID], nil // 0 for those who are no members
}

// Who is removed is refused, though the token has not expired.
func ExampleMembers() {
	key, _ := accesstoken.GenerateKey(accesstoken.EdDSA)
	keys, _ := accesstoken.NewKeys(accesstoken.KeySet{Signing: key})
	issuer, _ := accesstoken.NewIssuer(keys, accesstoken.IssuerConfig{Issuer: "auth", Audience: "api"})
	verifier, _ := accesstoken.NewVerifier(keys, accesstoken.VerifierConfig{Issuer: "auth", Audience: "api"})
	ada := tenant.Principal{Kind: tenant.User, ID: "ada", Tenant: tenant.NewID(), Role: "admin"}
	token, _, err := issuer.Issue(ada, 3)
	if err != nil {
		panic(err)
	}

	members := memberships{"ada": 3}
	handler := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{Members: members})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	request := func() int {
		r := httptest.NewRequest(http.MethodGet, "/v1/notes", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		return response.Code
	}
	fmt.Println("as it was:", request())
	members["ada"] = 4 // she is a viewer now
	fmt.Println("another role:", request())
	delete(members, "ada")
	fmt.Println("removed:", request())
	// Output:
	// as it was: 200
	// another role: 401
	// removed: 403
}

// A service's log tells why a token was refused; the client is not told.
func ExampleVerifier_Verify() {
	key, _ := accesstoken.GenerateKey(accesstoken.EdDSA)
	keys, _ := accesstoken.NewKeys(accesstoken.KeySet{Signing: key})
	verifier, _ := accesstoken.NewVerifier(keys, accesstoken.VerifierConfig{Issuer: "auth", Audience: "api"})

	other, _ := accesstoken.GenerateKey(accesstoken.EdDSA)
	foreign, _ := accesstoken.NewKeys(accesstoken.KeySet{Signing: other})
	issuer, _ := accesstoken.NewIssuer(foreign, accesstoken.IssuerConfig{Issuer: "auth", Audience: "api"})
	token, _, err := issuer.Issue(tenant.Principal{Kind: tenant.User, ID: "ada"}, 0)
	if err != nil {
		panic(err)
	}

	_, err = verifier.Verify(context.Background(), token)
	fmt.Println(errors.Is(err, accesstoken.ErrUnknownKey))
	if client, ok := errors.AsType[*tenant.Error](err); ok {
		fmt.Println(client.Code, "-", client.Detail)
	}
	// Output:
	// true
	// unauthenticated - the access token is not valid
}
