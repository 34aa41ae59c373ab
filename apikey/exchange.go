package apikey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// TokenLifetime is how long the token lives that a key is exchanged for.
const TokenLifetime = 5 * time.Minute

// Issuer makes access tokens for keys, as the Issuer of package accesstoken does.
//
// IssueKey makes a token with which who, a key, acts until notAfter at the latest, and says
// when it ends.
type Issuer interface {
	IssueKey(who tenant.Principal, notAfter time.Time) (token string, expiresAt time.Time, err error)
}

// Exchange makes access tokens of keys: a service presents its key once in five minutes, and
// the token to whoever it calls, who verify it without a database. The token says the key's
// id, tenant and scopes.
//
// A token outlives the key that was revoked, by [TokenLifetime] at most, unless who verifies
// it asks [Keys.CheckKey]; and the networks of the key are looked at once, when it is
// exchanged.
type Exchange struct {
	keys   *Keys
	issuer Issuer
	cfg    AuthenticateConfig
}

// NewExchange makes an Exchange. Of cfg, it uses ClientAddr and OnError.
func NewExchange(keys *Keys, issuer Issuer, cfg AuthenticateConfig) (*Exchange, error) {
	if keys == nil || issuer == nil {
		return nil, errors.New("apikey: an exchange needs keys and an issuer")
	}
	if cfg.ClientAddr == nil {
		cfg.ClientAddr = remoteAddr
	}
	if cfg.OnError == nil {
		cfg.OnError = problem.Write
	}
	return &Exchange{keys: keys, issuer: issuer, cfg: cfg}, nil
}

// Token makes a token of a key. The errors are those of [Keys.Verify], and that of the
// issuer. Tokens end in whole seconds, so a key may be refused as expired within its last one.
func (x *Exchange) Token(ctx context.Context, key string, from netip.Addr) (token string, expiresAt time.Time, err error) {
	verified, err := x.keys.Verify(ctx, key, from)
	if err != nil {
		return "", time.Time{}, err
	}
	notAfter := x.keys.cfg.Now().Add(TokenLifetime)
	if !verified.ExpiresAt.IsZero() && verified.ExpiresAt.Before(notAfter) {
		notAfter = verified.ExpiresAt
	}
	token, expiresAt, err = x.issuer.IssueKey(verified.Principal(), notAfter)
	if err != nil && notAfter.Sub(x.keys.cfg.Now()) < time.Second {
		return "", time.Time{}, errExpired // what is left of the key is too short for a token
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("apikey: exchange a key: %w", err)
	}
	return token, expiresAt, nil
}

// ServeHTTP answers a POST that has a key, as [Authenticate] reads it, with a token in JSON:
//
//	{"access_token": "…", "token_type": "Bearer", "expires_in": 300, "expires_at": "…"}
//
// Its errors are those of Authenticate with Required, and method_not_allowed.
func (x *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem.MethodNotAllowed(w, r)
		return
	}
	key, presented, err := x.keys.presented(r.Header)
	if err == nil && !presented {
		err = errUnauthenticated
	}
	var answer struct {
		Token     string    `json:"access_token"`
		Type      string    `json:"token_type"`
		ExpiresIn int64     `json:"expires_in"` // seconds
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err == nil {
		answer.Token, answer.ExpiresAt, err = x.Token(r.Context(), key, x.cfg.ClientAddr(r))
	}
	if err != nil {
		challenge(w, presented, err)
		x.cfg.OnError(w, r, err)
		return
	}
	answer.Type, answer.ExpiresIn = "Bearer", max(0, int64(answer.ExpiresAt.Sub(x.keys.cfg.Now())/time.Second))
	body, err := json.Marshal(answer) //nolint:gosec // the token is what was asked for
	if err != nil {
		x.cfg.OnError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // RFC 6749, 5.1
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(body, '\n')) // a client that has gone is told nothing
}
