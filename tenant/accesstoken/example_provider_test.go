package accesstoken_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// A product whose users sign in at an identity provider of its own. The function verifies
// the provider's tokens and says what their claims mean here.
//
// The provider's keys come from its published set; a library such as keyfunc reads it and
// keeps it fresh.
func ExampleVerifierFunc() {
	provider, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	keyOf := func(*jwt.Token) (any, error) { return &provider.PublicKey, nil } // keyfunc's, in a real program

	type claims struct {
		jwt.RegisteredClaims
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}), // what the provider signs with, and nothing else
		jwt.WithIssuer("https://login.example.com"),
		jwt.WithAudience("notes"),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
	)
	verifier := accesstoken.VerifierFunc(func(_ context.Context, token string) (accesstoken.Claims, error) {
		var said claims
		if len(token) > accesstoken.MaxTokenLen {
			return accesstoken.Claims{}, accesstoken.ErrMalformed
		}
		if _, err := parser.ParseWithClaims(token, &said, keyOf); err != nil {
			return accesstoken.Claims{}, err
		}
		who := tenant.Principal{Kind: tenant.User, ID: said.Subject}
		if said.EmailVerified {
			who.Email = said.Email
		}
		return accesstoken.Claims{Principal: who, TokenID: said.ID, ExpiresAt: said.ExpiresAt.Time}, nil
	})

	handler := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			who, _ := tenant.PrincipalFromContext(r.Context())
			fmt.Println(who.ID, who.Email, "of a tenant:", !who.Tenant.IsZero())
		}))
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "https://login.example.com", Audience: jwt.ClaimStrings{"notes"}, Subject: "248289761001",
			ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		},
		Email: "ada@acme.example", EmailVerified: true,
	}).SignedString(provider)
	if err != nil {
		panic(err)
	}
	for _, token := range []string{token, token + "x"} {
		r := httptest.NewRequest(http.MethodGet, "/v1/me", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		fmt.Println(response.Code)
	}
	// Output:
	// 248289761001 ada@acme.example of a tenant: false
	// 200
	// 401
}
