package main

import (
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
)

// login signs a user in by nothing but an e-mail address, and makes a user of one that is
// new. That is for the demonstration: a real service takes the word of its identity
// provider here, which has proved the address to be the user's.
func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	var email string
	if err := decode(r, fields{"email": &email}); err != nil {
		return err
	}
	email, err := invite.CanonicalEmail(email)
	var bad invalid
	bad.because("email", err)
	if err := bad.err(); err != nil {
		return err
	}
	u, err := s.users.ensure(r.Context(), email)
	if err != nil {
		return err
	}
	token, claims, err := s.tokens.ofNoTenant(u)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{"token": token, "expires_at": claims.ExpiresAt.UTC(), "user": u})
}
