package main

import (
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// tenantName is a tenant as others refer to it.
type tenantName struct {
	ID   tenant.ID   `json:"id"`
	Slug tenant.Slug `json:"slug"`
	Name string      `json:"name"`
}

func nameOf(t tenant.Tenant) tenantName { return tenantName{ID: t.ID, Slug: t.Slug, Name: t.Name} }

// me tells who is signed in, which tenants they belong to, and which one the request is
// for, if it is for one.
func (s *server) me(w http.ResponseWriter, r *http.Request) error {
	type membership struct {
		Tenant tenantName  `json:"tenant"`
		Role   invite.Role `json:"role"`
	}
	p, _ := tenant.PrincipalFromContext(r.Context()) // the route has asked for one
	belongs, err := s.members.OfUser(r.Context(), p.ID)
	if err != nil {
		return err
	}
	memberships := make([]membership, 0, len(belongs))
	for _, b := range belongs {
		memberships = append(memberships, membership{Tenant: nameOf(b.Tenant), Role: b.Role})
	}
	var current *tenantName
	if t, ok := tenant.FromContext(r.Context()); ok {
		name := nameOf(t)
		current = &name
	}
	return writeJSON(w, http.StatusOK, map[string]any{"user": userOf(p), "memberships": memberships, "tenant": current})
}
