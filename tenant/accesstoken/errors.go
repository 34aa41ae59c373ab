package accesstoken

import (
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Why a token is refused, for [errors.Is], logs and metrics. A client is not told: each
// comes inside a [tenant.Error] of the code unauthenticated, whose detail tells an expired
// token from a bad one and no more.
var (
	ErrMalformed   = errors.New("access token that can't be read")
	ErrHeader      = errors.New("access token whose header is not the one of its key")
	ErrUnknownKey  = errors.New("access token of a key that is not accepted")
	ErrSignature   = errors.New("access token with a wrong signature, or of a method that is not taken")
	ErrIssuer      = errors.New("access token of another issuer")
	ErrAudience    = errors.New("access token for another audience")
	ErrClaims      = errors.New("access token with a claim that is missing or can't be")
	ErrNotYetValid = errors.New("access token that is not valid yet")
	ErrExpired     = errors.New("access token that has expired")
)

// ErrOutdated says that the membership has changed since the token was made from it. The
// client needs a new token. It comes inside a [tenant.Error] as the others do.
var ErrOutdated = errors.New("access token of a membership that has changed since")

// Errors for [errors.Is] and to return as they are.
var (
	errUnauthenticated = &tenant.Error{Code: tenant.CodeUnauthenticated}
	errNotAMember      = &tenant.Error{Code: tenant.CodeNotAMember, Detail: "the user is no member of the tenant any more"}
	errTwoCredentials  = &tenant.Error{Code: tenant.CodeCredentialConflict, Detail: "the request has more than one credential"}
)

// reasons are our names for what package jwt finds. Of several that apply, the first is
// told; that a token has expired comes last, for it is what a client may know.
var reasons = [...]struct{ found, reason error }{
	{ErrUnknownKey, ErrUnknownKey},
	{ErrHeader, ErrHeader},
	{jwt.ErrTokenMalformed, ErrMalformed},
	{jwt.ErrTokenUnverifiable, ErrHeader}, // a method that nobody knows
	{jwt.ErrTokenSignatureInvalid, ErrSignature},
	{jwt.ErrTokenInvalidIssuer, ErrIssuer},
	{jwt.ErrTokenInvalidAudience, ErrAudience},
	{jwt.ErrTokenRequiredClaimMissing, ErrClaims},
	{ErrClaims, ErrClaims},
	{jwt.ErrTokenUsedBeforeIssued, ErrNotYetValid},
	{jwt.ErrTokenNotValidYet, ErrNotYetValid},
	{jwt.ErrTokenExpired, ErrExpired},
}

// explain is an error of package jwt in our words.
func explain(err error) error {
	for _, r := range reasons {
		if errors.Is(err, r.found) {
			return fmt.Errorf("%w: %v", r.reason, err)
		}
	}
	return err
}

// refuse is what the client is told of a token that is refused because of err.
func refuse(err error) error {
	detail := "the access token is not valid"
	switch {
	case errors.Is(err, ErrExpired):
		detail = "the access token has expired"
	case errors.Is(err, ErrOutdated):
		detail = "the membership has changed since the access token was made; get a new one"
	}
	return &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: detail, Err: err}
}
