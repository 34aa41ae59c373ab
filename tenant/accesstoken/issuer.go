package accesstoken

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// How long tokens live. A short life is what ends the access of someone whom nothing else
// stops, so it is bounded; [Verifier] refuses tokens of a longer one.
const (
	DefaultLifetime = 10 * time.Minute
	MaxLifetime     = time.Hour
	MaxKeyLifetime  = 5 * time.Minute // of an API key's token
)

// Bounds of what a token says, in bytes.
const (
	MaxUserIDLen = 255 // as of a sub in OpenID Connect Core, 2
	MaxEmailLen  = 254 // of an address that SMTP carries (RFC 5321, 4.5.3.1.3)
	MaxRoleLen   = 64
	MaxNameLen   = 255  // of an issuer and an audience
	MaxScopesLen = 4096 // of all scopes of a key, with a space between two
)

// tokenIDLen is the length of a token's id in random bytes.
const tokenIDLen = 16

// IssuerConfig says how an [Issuer] works. Issuer and Audience must be set.
type IssuerConfig struct {
	// Issuer is the "iss" of the tokens: the name of this issuer, best its URL, which should
	// differ between production and every other environment. Audience is their "aud": the
	// name of the services that take them. Both are 1 to MaxNameLen bytes, and those of the
	// [VerifierConfig].
	Issuer, Audience string

	// Lifetime is how long a token lives, in whole seconds up to MaxLifetime. Zero means
	// DefaultLifetime.
	Lifetime time.Duration

	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// Random is where the ids of tokens come from. Nil means crypto/rand. It must be safe
	// for concurrent use.
	Random io.Reader
}

// Issuer makes tokens. It may be used by several goroutines at once.
type Issuer struct {
	keys *Keys
	cfg  IssuerConfig
}

// NewIssuer makes an Issuer that signs with the signing key of keys, which may be replaced
// meanwhile. The error says which setting can't be.
func NewIssuer(keys *Keys, cfg IssuerConfig) (*Issuer, error) {
	if cfg.Lifetime == 0 {
		cfg.Lifetime = DefaultLifetime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if keys == nil {
		return nil, errors.New("accesstoken: new issuer: no keys")
	}
	if err := checkNames(cfg.Issuer, cfg.Audience); err != nil {
		return nil, fmt.Errorf("accesstoken: new issuer: %w", err)
	}
	if cfg.Lifetime < time.Second || cfg.Lifetime > MaxLifetime || cfg.Lifetime%time.Second != 0 {
		return nil, fmt.Errorf("accesstoken: new issuer: a lifetime of %v: take whole seconds up to %v", cfg.Lifetime, MaxLifetime)
	}
	if keys.signing().IsZero() {
		return nil, errors.New("accesstoken: new issuer: the key set has no signing key")
	}
	return &Issuer{keys: keys, cfg: cfg}, nil
}

// Issue makes a token with which who acts until it expires, and returns it with what it
// says. Whoever calls it vouches for all of that: that the user is signed in, that the
// e-mail address is verified, and that a member of who.Tenant with that role is, at this
// moment, of that membershipVersion, which is 1 or more. A token of no tenant has no role
// and version 0.
//
// The error is about a principal that is no user, or a field out of its bounds; or else
// the key set has lost its signing key, or the randomness failed.
func (i *Issuer) Issue(who tenant.Principal, membershipVersion int64) (token string, claims Claims, err error) {
	if err := checkPrincipal(who, membershipVersion); err != nil {
		return "", Claims{}, fmt.Errorf("accesstoken: issue a token: %w", err)
	}
	return i.issue(i.wire(who, membershipVersion))
}

// IssueKey makes a token with which an API key acts until notAfter, the configured lifetime or
// [MaxKeyLifetime], whichever ends first, and returns it with its end, in whole seconds.
// Whoever calls it vouches for the key and its scopes. It is what the exchange of package
// apikey asks for.
//
// The error is about a principal that is no key of a tenant, a field out of its bounds, or a
// notAfter that is over; or else as of Issue.
func (i *Issuer) IssueKey(who tenant.Principal, notAfter time.Time) (token string, expiresAt time.Time, err error) {
	if err := checkKey(who); err != nil {
		return "", time.Time{}, fmt.Errorf("accesstoken: issue a key's token: %w", err)
	}
	w := i.wire(who, 0)
	w.Kind, w.Scope = kindKey, strings.Join(who.Scopes, " ")
	for _, end := range []time.Time{notAfter, w.IssuedAt.Add(MaxKeyLifetime)} {
		if end.Before(w.ExpiresAt.Time) {
			w.ExpiresAt = jwt.NewNumericDate(end)
		}
	}
	if !w.ExpiresAt.After(w.IssuedAt.Time) {
		return "", time.Time{}, errors.New("accesstoken: issue a key's token: its end is not in the future")
	}
	token, claims, err := i.issue(w)
	return token, claims.ExpiresAt, err
}

// issue signs what a token says, once it has an id.
func (i *Issuer) issue(w wire) (token string, claims Claims, err error) {
	key := i.keys.signing()
	if key.IsZero() {
		return "", Claims{}, errors.New("accesstoken: issue a token: the key set has no signing key any more")
	}
	var id [tokenIDLen]byte
	if _, err := io.ReadFull(i.cfg.Random, id[:]); err != nil {
		return "", Claims{}, fmt.Errorf("accesstoken: issue a token: %w", err)
	}
	w.ID = base64.RawURLEncoding.EncodeToString(id[:])
	claims, err = w.claims()
	if err != nil {
		return "", Claims{}, fmt.Errorf("accesstoken: issue a token: %w", err)
	}
	token, err = key.sign(w)
	if err != nil {
		return "", Claims{}, fmt.Errorf("accesstoken: issue a token: %w", err)
	}
	return token, claims, nil
}

func (i *Issuer) wire(who tenant.Principal, membershipVersion int64) wire {
	now := i.cfg.Now()
	w := wire{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    i.cfg.Issuer,
			Audience:  jwt.ClaimStrings{i.cfg.Audience},
			Subject:   who.ID,
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(i.cfg.Lifetime)),
		},
		Role:              who.Role,
		MembershipVersion: membershipVersion,
		Email:             who.Email,
		EmailVerified:     who.Email != "",
	}
	if !who.Tenant.IsZero() {
		w.Tenant = who.Tenant.String()
	}
	return w
}

func checkPrincipal(who tenant.Principal, membershipVersion int64) error {
	switch {
	case who.Kind != tenant.User:
		return fmt.Errorf("the principal is of kind %q: tokens are for users", who.Kind)
	case len(who.Scopes) > 0:
		return errors.New("the principal has scopes, which a token does not carry")
	case !isText(who.ID, 1, MaxUserIDLen):
		return fmt.Errorf("the user's id is not a text of 1 to %d bytes", MaxUserIDLen)
	case !isText(who.Email, 0, MaxEmailLen):
		return fmt.Errorf("the e-mail address is not a text of up to %d bytes", MaxEmailLen)
	case !isText(who.Role, 0, MaxRoleLen):
		return fmt.Errorf("the role is not a text of up to %d bytes", MaxRoleLen)
	case who.Tenant.IsZero() && (who.Role != "" || membershipVersion != 0):
		return errors.New("a role or a membership's version, but no tenant")
	case !who.Tenant.IsZero() && membershipVersion < 1:
		return fmt.Errorf("the membership's version is %d: it must be 1 or more", membershipVersion)
	}
	return nil
}

func checkKey(who tenant.Principal) error {
	scopes := strings.Join(who.Scopes, " ")
	switch {
	case who.Kind != tenant.Key:
		return fmt.Errorf("the principal is of kind %q, and no key", who.Kind)
	case !isText(who.ID, 1, MaxUserIDLen):
		return fmt.Errorf("the key's id is not a text of 1 to %d bytes", MaxUserIDLen)
	case who.Tenant.IsZero():
		return errors.New("the key is of no tenant")
	case who.Email != "" || who.Role != "":
		return errors.New("the principal has an e-mail address or a role, which a key has not")
	case !isText(scopes, 0, MaxScopesLen) || !slices.Equal(strings.Fields(scopes), who.Scopes) && len(who.Scopes) > 0:
		return fmt.Errorf("the scopes are not words of up to %d bytes together", MaxScopesLen)
	}
	return nil
}

func checkNames(issuer, audience string) error {
	if !isText(issuer, 1, MaxNameLen) {
		return fmt.Errorf("the Issuer is not a text of 1 to %d bytes: name it, best by a URL", MaxNameLen)
	}
	if !isText(audience, 1, MaxNameLen) {
		return fmt.Errorf("the Audience is not a text of 1 to %d bytes: name the services that take the tokens", MaxNameLen)
	}
	return nil
}

// isText reports whether s is UTF-8 of that length without control characters.
func isText(s string, shortest, longest int) bool {
	return len(s) >= shortest && len(s) <= longest && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}
