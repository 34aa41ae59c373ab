package web

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// sessionLife is how long somebody stays signed in.
const sessionLife = 8 * time.Hour

// session is who is signed in, and where. It is kept in the browser, sealed, so that the
// service keeps nothing and any process can answer.
type session struct {
	Email        string    `json:"e"`
	Token        string    `json:"t"` // for no tenant; the tenant is named with each call
	TokenExpires time.Time `json:"x"`
	Tenant       string    `json:"s"` // slug; empty for none
	Expires      time.Time `json:"u"`
	Export       string    `json:"o,omitempty"` // the last that was begun: the tenant's slug, a space, its id
	Flash        string    `json:"f,omitempty"` // said on the next page
}

// sessions seals and opens sessions.
type sessions struct {
	aead   cipher.AEAD
	secure bool
}

func newSessions(key []byte, secure bool) (sessions, error) {
	if len(key) != 32 {
		return sessions{}, fmt.Errorf("web: Config.Key has %d bytes, and must have 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sessions{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sessions{aead, secure}, err
}

// cookie is the name of the cookie. With the prefix, a browser takes it over https alone,
// and from this host alone (RFC 6265bis, 4.1.3.2).
func (s sessions) cookie() string {
	if s.secure {
		return "__Host-notes"
	}
	return "notes"
}

// read is the session of a request. It is an error when there is none that is good.
func (s sessions) read(r *http.Request, now time.Time) (session, error) {
	c, err := r.Cookie(s.cookie())
	if err != nil {
		return session{}, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return session{}, err
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(s.cookie()))
	if err != nil {
		return session{}, err
	}
	var kept session
	if err := json.Unmarshal(text, &kept); err != nil {
		return session{}, err
	}
	if !now.Before(kept.Expires) {
		return session{}, errors.New("the session has expired")
	}
	return kept, nil
}

func (s sessions) write(w http.ResponseWriter, kept session) error {
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	sealed := base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text, []byte(s.cookie()))) //nolint:gosec // the AEAD makes its own nonce
	http.SetCookie(w, s.make(sealed, kept.Expires))
	return nil
}

func (s sessions) clear(w http.ResponseWriter) {
	c := s.make("", time.Unix(1, 0)) //nolint:gosec // it takes a cookie away
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// make is a cookie that scripts don't see and other sites don't send. Lax and not Strict,
// for the link of an invitation comes from a mail.
func (s sessions) make(value string, expires time.Time) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is false on the own machine alone, where there is no https
		Name: s.cookie(), Value: value, Path: "/", Expires: expires,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	}
}
