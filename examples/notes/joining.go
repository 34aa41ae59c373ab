package main

import (
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// previewInvite tells whoever has the secret of an invitation what it is about. It changes
// nothing, so that people can look before they sign in.
func (s *server) previewInvite(w http.ResponseWriter, r *http.Request) error {
	type invited struct {
		Slug tenant.Slug `json:"slug"`
		Name string      `json:"name"`
	}
	type preview struct {
		Tenant    invited     `json:"tenant"`
		Email     string      `json:"email"`
		Role      invite.Role `json:"role"`
		ExpiresAt time.Time   `json:"expires_at"`
	}
	secret, err := secretIn(r)
	if err != nil {
		return err
	}
	p, err := s.members.Preview(r.Context(), secret)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, preview{
		Tenant: invited{Slug: p.Tenant.Slug, Name: p.Tenant.Name}, Email: p.Email, Role: p.Role, ExpiresAt: p.ExpiresAt.UTC(),
	})
}

// acceptInvite makes the user a member. The address of the access token is one that was
// verified, which is what an invitation is compared with.
func (s *server) acceptInvite(w http.ResponseWriter, r *http.Request) error {
	secret, err := secretIn(r)
	if err != nil {
		return err
	}
	p, _ := tenant.PrincipalFromContext(r.Context()) // the route has asked for one
	joined, err := s.members.Accept(r.Context(), secret, invite.User{ID: p.ID, VerifiedEmail: p.Email})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"tenant": nameOf(joined.Tenant), "role": joined.Role})
}

// secretIn is the secret in a request's body. It is in no path and no query, because
// those end up in logs.
func secretIn(r *http.Request) (invite.Secret, error) {
	var token *string
	if err := decode(r, fields{"token": &token}); err != nil {
		return "", err
	}
	var bad invalid
	bad.required("token", token)
	if err := bad.err(); err != nil {
		return "", err
	}
	return invite.Secret(*token), nil
}
