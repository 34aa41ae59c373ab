package main

import (
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// tokenAudience is the name of this service in the tokens that are for it.
const tokenAudience = "notes"

// tokens makes and verifies access tokens. All processes on one database have the same
// key, and so take each other's.
type tokens struct {
	// signIns are for no tenant, and live as long as tokens may: the demonstration has no
	// identity provider that would renew them. switches are for a tenant, and short-lived.
	signIns, switches *accesstoken.Issuer

	verifier *accesstoken.Verifier
	jwks     http.Handler
}

// newTokens makes tokens of a key. The issuer is the name of this service among all that
// sign tokens, which another environment does not share.
func newTokens(key accesstoken.Key, issuer string) (t tokens, err error) {
	keys, err := accesstoken.NewKeys(accesstoken.KeySet{Signing: key})
	if err != nil {
		return tokens{}, err
	}
	cfg := accesstoken.IssuerConfig{Issuer: issuer, Audience: tokenAudience}
	if t.switches, err = accesstoken.NewIssuer(keys, cfg); err != nil {
		return tokens{}, err
	}
	cfg.Lifetime = accesstoken.MaxLifetime
	if t.signIns, err = accesstoken.NewIssuer(keys, cfg); err != nil {
		return tokens{}, err
	}
	if t.verifier, err = accesstoken.NewVerifier(keys, accesstoken.VerifierConfig{Issuer: issuer, Audience: tokenAudience}); err != nil {
		return tokens{}, err
	}
	t.jwks, err = accesstoken.NewJWKS(keys, accesstoken.JWKSConfig{})
	return t, err
}

// ofNoTenant is the token of someone who has just signed in.
func (t tokens) ofNoTenant(u user) (string, accesstoken.Claims, error) {
	return t.signIns.Issue(tenant.Principal{Kind: tenant.User, ID: u.ID, Email: u.Email}, 0)
}

// ofMember is the token with which a user acts in a tenant. The membership is one that
// was read just now, and never what an earlier token has said of it.
func (t tokens) ofMember(u user, m invite.Member) (string, accesstoken.Claims, error) {
	who := tenant.Principal{Kind: tenant.User, ID: u.ID, Email: u.Email, Tenant: m.TenantID, Role: string(m.Role)}
	return t.switches.Issue(who, m.Version)
}
