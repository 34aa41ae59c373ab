package accesstoken

import (
	"context"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Claims is what a verified token says.
type Claims struct {
	// Principal is who acts. Its Kind is [tenant.User]; its Email is empty unless the token
	// calls it verified. For a token of no tenant, Tenant is zero and Role empty. That of a
	// token which an API key was exchanged for has the Kind [tenant.Key], and Scopes.
	Principal tenant.Principal

	// MembershipVersion is the version of the membership that the token was made from. It
	// is 0 for a token of no tenant, and for that of a key.
	MembershipVersion int64

	// TokenID tells the token from all others, in a log for one. It is no secret.
	TokenID string

	// IssuedAt and ExpiresAt bound the token's life, to the second.
	IssuedAt, ExpiresAt time.Time
}

type claimsKey struct{}

// newContext returns a context in which the principal of claims acts.
func newContext(ctx context.Context, claims Claims) context.Context {
	return tenant.NewPrincipalContext(context.WithValue(ctx, claimsKey{}, claims), claims.Principal)
}

// ClaimsFromContext is what the token says with which a request got past [Authenticate],
// and whether there is one. Most code needs [tenant.PrincipalFromContext] alone.
func ClaimsFromContext(ctx context.Context) (Claims, bool) {
	claims, ok := ctx.Value(claimsKey{}).(Claims)
	return claims, ok
}
