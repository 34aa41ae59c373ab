package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// emailLimit is the longest address that SMTP carries (RFC 5321, 4.5.3.1.3), without its brackets.
var emailLimit = textLimit{min: 3, max: 254, bytes: true}

// login signs a user in by nothing but an e-mail address. That is for the demonstration:
// a real service takes the word of its identity provider here.
func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	var email string
	if err := decode(r, fields{"email": &email}); err != nil {
		return err
	}
	var bad invalid
	bad.text("email", &email, emailLimit)
	if len(bad) == 0 && strings.Count(email, "@") != 1 {
		bad.add("email", "must be an e-mail address")
	}
	if err := bad.err(); err != nil {
		return err
	}
	u, err := s.users.byEmail(r.Context(), strings.ToLower(email))
	if errors.Is(err, errNoUser) {
		return unauthenticated("nobody has this e-mail address")
	}
	if err != nil {
		return err
	}
	token, expires, err := s.tokens.mint(u, tenant.ID{})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{"token": token, "expires_at": expires, "user": u})
}
