package accesstoken

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tenantwall/tenantwall/tenant/problem"
)

// How long a published key set may be cached.
const (
	DefaultJWKSMaxAge = 5 * time.Minute
	MaxJWKSMaxAge     = 24 * time.Hour
)

// JWKSConfig says how the handler of [NewJWKS] works. The zero JWKSConfig is fine.
type JWKSConfig struct {
	// MaxAge is how long clients and HTTP caches may keep the set without asking again, in
	// whole seconds up to MaxJWKSMaxAge. Zero means DefaultJWKSMaxAge. A key must be
	// published for longer than this before it signs, and a key that leaked is accepted by
	// others for as long after it is removed.
	MaxAge time.Duration

	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// jwksType is the media type of a key set (RFC 7517, 8.5.2).
const jwksType = "application/jwk-set+json"

// publishedKey is a member of a key set (RFC 7517, 4).
type publishedKey struct {
	jwk
	Use       string    `json:"use"`
	Algorithm Algorithm `json:"alg"`
	ID        string    `json:"kid"`
}

// NewJWKS makes a handler that publishes the public keys of keys as a JSON Web Key Set
// (RFC 7517; RFC 8037 for Ed25519), for those who verify tokens elsewhere: a route such as
// "GET /.well-known/jwks.json" leads to it. The next key is in it, as are those that are
// still accepted. The responses say how long they may be cached, and have an ETag. The set
// is sent whole, whatever Range says.
//
// The error says which setting can't be.
func NewJWKS(keys *Keys, cfg JWKSConfig) (http.Handler, error) {
	if cfg.MaxAge == 0 {
		cfg.MaxAge = DefaultJWKSMaxAge
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if keys == nil {
		return nil, errors.New("accesstoken: new JWKS: no keys")
	}
	if cfg.MaxAge < time.Second || cfg.MaxAge > MaxJWKSMaxAge || cfg.MaxAge%time.Second != 0 {
		return nil, fmt.Errorf("accesstoken: new JWKS: a maximum age of %v: take whole seconds up to %v", cfg.MaxAge, MaxJWKSMaxAge)
	}
	cacheable := "public, max-age=" + strconv.Itoa(int(cfg.MaxAge/time.Second))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			problem.MethodNotAllowed(w, r)
			return
		}
		document, err := publish(keys.accepted(cfg.Now()))
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		sum := sha256.Sum256(document)
		w.Header().Set("Content-Type", jwksType)
		w.Header().Set("Cache-Control", cacheable)
		w.Header().Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:])+`"`)
		whole := r.Clone(r.Context())
		for _, field := range []string{"Range", "If-Match"} { // ServeContent would refuse them in plain text
			whole.Header.Del(field)
		}
		http.ServeContent(w, whole, "", time.Time{}, bytes.NewReader(document)) // answers If-None-Match
	}), nil
}

// publish is the document of a key set.
func publish(keys []PublicKey) ([]byte, error) {
	set := struct {
		Keys []publishedKey `json:"keys"`
	}{make([]publishedKey, 0, len(keys))}
	for _, key := range keys {
		essential, err := newJWK(key.key)
		if err != nil {
			return nil, fmt.Errorf("accesstoken: publish the key %s: %w", key.id, err)
		}
		set.Keys = append(set.Keys, publishedKey{jwk: essential, Use: "sig", Algorithm: key.algorithm, ID: key.id})
	}
	return json.Marshal(set)
}
