package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxTokenLen bounds a token in bytes. A longer one is refused without being looked at.
const MaxTokenLen = 8 << 10

// How far the clocks of issuer and verifier may be apart.
const (
	DefaultLeeway = 30 * time.Second
	MaxLeeway     = 2 * time.Minute
)

// DefaultCacheSize is for how many tokens a [Verifier] remembers that they are good. They
// take about 5 MB.
const DefaultCacheSize = 10_000

const maxCacheSize = 10_000_000

// VerifierConfig says how a [Verifier] works. Issuer and Audience must be set.
type VerifierConfig struct {
	// Issuer and Audience are those of the [IssuerConfig]. Tokens of any other issuer, or
	// for other audiences alone, are refused.
	Issuer, Audience string

	// Leeway is how long before its time and after its end a token is accepted, because
	// clocks differ, up to MaxLeeway. Zero means DefaultLeeway, a negative one means none.
	Leeway time.Duration

	// CacheSize is how many tokens are remembered once they are verified. Zero means
	// DefaultCacheSize, a negative one none. It is rounded up to a multiple of 16.
	CacheSize int

	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Verifier verifies the tokens of an [Issuer]. It may be used by several goroutines at
// once.
//
// It remembers tokens that it found good, by their SHA-256, so that the next request with
// the same token costs no signature. Such a token, too, is refused once it has expired, and
// once its key is not accepted any more. Tokens that it refused it does not remember:
// otherwise whoever makes them up would push out the good ones.
type Verifier struct {
	keys   *Keys
	parser *jwt.Parser
	leeway time.Duration
	now    func() time.Time
	seen   *cache // nil for none
}

// NewVerifier makes a Verifier of tokens that keys of keys have signed, which may be
// replaced meanwhile. The error says which setting can't be.
func NewVerifier(keys *Keys, cfg VerifierConfig) (*Verifier, error) {
	if cfg.Leeway == 0 {
		cfg.Leeway = DefaultLeeway
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = DefaultCacheSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if keys == nil {
		return nil, errors.New("accesstoken: new verifier: no keys")
	}
	if err := checkNames(cfg.Issuer, cfg.Audience); err != nil {
		return nil, fmt.Errorf("accesstoken: new verifier: %w", err)
	}
	if cfg.Leeway > MaxLeeway {
		return nil, fmt.Errorf("accesstoken: new verifier: a leeway of %v: take %v at most, and mend the clocks", cfg.Leeway, MaxLeeway)
	}
	if cfg.CacheSize > maxCacheSize {
		return nil, fmt.Errorf("accesstoken: new verifier: a cache of %d tokens: take %d at most", cfg.CacheSize, maxCacheSize)
	}
	v := &Verifier{keys: keys, leeway: max(cfg.Leeway, 0), now: cfg.Now}
	if cfg.CacheSize > 0 {
		v.seen = newCache(cfg.CacheSize)
	}
	v.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{string(EdDSA), string(ES256), string(RS256)}),
		jwt.WithStrictDecoding(),
		jwt.WithIssuer(cfg.Issuer),
		jwt.WithAudience(cfg.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithNotBeforeRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(v.leeway),
		jwt.WithTimeFunc(cfg.Now),
	)
	return v, nil
}

// Verify is what token says, if it is good. The error is a [tenant.Error] of the code
// unauthenticated around one of the errors of this package, which say why. The context is
// not used, because nothing is waited for.
func (v *Verifier) Verify(_ context.Context, token string) (Claims, error) {
	if len(token) > MaxTokenLen {
		return Claims{}, refuse(fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(token), MaxTokenLen))
	}
	if v.seen == nil {
		good, err := v.open(token)
		return good.claims, err
	}
	digest := digestOf(token)
	if good, ok := v.seen.get(digest); ok && v.stillGood(good) {
		return good.claims, nil
	}
	good, err := v.open(token)
	if err != nil {
		return Claims{}, err
	}
	v.seen.put(digest, good)
	return good.claims, nil
}

// verified is a token that was found good.
type verified struct {
	claims Claims
	keyID  string
}

// stillGood reports whether a token that was good is so now. What else is looked at in a
// token does not change.
func (v *Verifier) stillGood(good verified) bool {
	now := v.now()
	_, accepted := v.keys.find(good.keyID, now)
	return accepted && now.Before(good.claims.ExpiresAt.Add(v.leeway))
}

// open verifies token itself.
func (v *Verifier) open(token string) (verified, error) {
	if strings.ContainsAny(token, "\r\n") {
		return verified{}, refuse(ErrMalformed) // base64 leaves them out, so one token had many spellings
	}
	var key PublicKey
	var w wire
	_, err := v.parser.ParseWithClaims(token, &w, func(t *jwt.Token) (any, error) {
		var err error
		key, err = v.keyOf(t)
		return key.key, err
	})
	if err != nil {
		return verified{}, refuse(explain(err))
	}
	claims, err := w.claims()
	if err != nil {
		return verified{}, refuse(err)
	}
	return verified{claims: claims, keyID: key.id}, nil
}

// keyOf is the key that a token says it was signed with. The token's header must be the
// one that the key's own tokens have, to the byte. So it has no say in how it is verified:
// there is no room for another method (none, or HS256 with the public key for a secret), a
// key or its address (jwk, jku, x5c, x5u), crit, or a member that occurs twice. The error
// is ErrUnknownKey or ErrHeader.
func (v *Verifier) keyOf(t *jwt.Token) (PublicKey, error) {
	id, _ := t.Header["kid"].(string)
	key, ok := v.keys.find(id, v.now())
	if !ok {
		return PublicKey{}, ErrUnknownKey
	}
	if said, _, _ := strings.Cut(t.Raw, "."); said != key.header {
		return PublicKey{}, ErrHeader
	}
	return key, nil
}
