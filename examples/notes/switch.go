package main

import (
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// switchTenant gives a user a token for one of their tenants. What it says is read from
// the database now, so who is no member any more gets none, whatever token they have.
func (s *server) switchTenant(w http.ResponseWriter, r *http.Request) error {
	var name *string
	if err := decode(r, fields{"tenant": &name}); err != nil {
		return err
	}
	var bad invalid
	bad.required("tenant", name)
	if err := bad.err(); err != nil {
		return err
	}
	ref, err := tenant.ParseRef(*name)
	if err != nil {
		return &tenant.Error{Code: tenant.CodeTenantInvalid, Detail: err.Error()}
	}
	t, err := s.catalog.Lookup(r.Context(), ref)
	if err != nil {
		return err
	}
	p, _ := tenant.PrincipalFromContext(r.Context()) // the route has asked for one
	m, err := s.memberWith(r.Context(), t.ID, p.ID, invite.RoleViewer)
	if err != nil {
		return err
	}
	if err := t.Usable(); err != nil { // told to members alone
		return err
	}
	token, claims, err := s.tokens.ofMember(userOf(p), m)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{
		"token": token, "expires_at": claims.ExpiresAt.UTC(), "tenant": nameOf(t), "role": m.Role,
	})
}
