package accesstoken

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// wire is the second part of a token.
type wire struct {
	jwt.RegisteredClaims
	Tenant            string `json:"tid,omitempty"`  // absent for a token of no tenant
	Role              string `json:"role,omitempty"` // in that tenant
	MembershipVersion int64  `json:"mver,omitempty"` // of that membership
	Email             string `json:"email,omitempty"`
	EmailVerified     bool   `json:"email_verified,omitempty"`
	Kind              string `json:"kind,omitempty"`  // kindKey for an API key's token, absent for a user's
	Scope             string `json:"scope,omitempty"` // of a key, separated by spaces (RFC 8693, 4.2)
}

// kindKey is the kind of a token whose sub is a key and not a user. A verifier that does not
// know of it finds no mver, and refuses.
const kindKey = string(tenant.Key)

// UnmarshalJSON reads an object whose names pass checkClaimNames. Unknown ones are left
// aside.
func (w *wire) UnmarshalJSON(text []byte) error {
	if err := checkClaimNames(text); err != nil {
		return err
	}
	type plain wire // without this method
	return json.Unmarshal(text, (*plain)(w))
}

// Validate is called by package jwt, which has looked at the issuer, the audience and the
// times that are there. It looks at the rest. The error is ErrClaims.
func (w *wire) Validate() error {
	switch {
	case w.Subject == "":
		return fmt.Errorf("%w: no sub", ErrClaims)
	case w.ID == "":
		return fmt.Errorf("%w: no jti", ErrClaims)
	case w.IssuedAt == nil:
		return fmt.Errorf("%w: no iat", ErrClaims)
	case w.ExpiresAt != nil && w.ExpiresAt.Sub(w.IssuedAt.Time) > MaxLifetime:
		return fmt.Errorf("%w: exp is more than %v behind iat", ErrClaims, MaxLifetime)
	case w.Kind != "" && w.Kind != kindKey:
		return fmt.Errorf("%w: an unknown kind", ErrClaims)
	case w.Kind == kindKey:
		return w.validateKey()
	case w.Scope != "":
		return fmt.Errorf("%w: a scope of a user", ErrClaims)
	case w.Tenant == "" && (w.Role != "" || w.MembershipVersion != 0):
		return fmt.Errorf("%w: a role or mver without tid", ErrClaims)
	case w.Tenant != "" && w.MembershipVersion < 1:
		return fmt.Errorf("%w: tid without mver", ErrClaims)
	}
	return nil
}

func (w *wire) validateKey() error {
	switch {
	case w.Tenant == "":
		return fmt.Errorf("%w: a key without tid", ErrClaims)
	case w.Role != "" || w.MembershipVersion != 0 || w.Email != "" || w.EmailVerified:
		return fmt.Errorf("%w: a key with what a user has", ErrClaims)
	case w.ExpiresAt != nil && w.ExpiresAt.Sub(w.IssuedAt.Time) > MaxKeyLifetime:
		return fmt.Errorf("%w: exp of a key is more than %v behind iat", ErrClaims, MaxKeyLifetime)
	}
	return nil
}

// claims is what w means. The error is ErrClaims.
func (w *wire) claims() (Claims, error) {
	who := tenant.Principal{Kind: tenant.User, ID: w.Subject, Role: w.Role}
	if w.Kind == kindKey {
		who.Kind, who.Scopes = tenant.Key, strings.Fields(w.Scope)
	}
	if w.EmailVerified {
		who.Email = w.Email
	}
	if w.Tenant != "" {
		id, err := tenant.ParseID(w.Tenant)
		if err != nil {
			return Claims{}, fmt.Errorf("%w: tid: %w", ErrClaims, err)
		}
		who.Tenant = id
	}
	return Claims{
		Principal:         who,
		MembershipVersion: w.MembershipVersion,
		TokenID:           w.ID,
		IssuedAt:          w.IssuedAt.UTC(),
		ExpiresAt:         w.ExpiresAt.UTC(),
	}, nil
}
