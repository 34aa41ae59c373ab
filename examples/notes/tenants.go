package main

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// createTenant makes a tenant whose first member and owner is the user who asks for it.
// Both are there or neither: no tenant is ever without an owner.
func (s *server) createTenant(w http.ResponseWriter, r *http.Request) error {
	var slug, name string
	if err := decode(r, fields{"slug": &slug, "name": &name}); err != nil {
		return err
	}
	var bad invalid
	bad.slug("slug", &slug)
	bad.tenantName("name", &name)
	if err := bad.err(); err != nil {
		return err
	}
	p, _ := tenant.PrincipalFromContext(r.Context()) // the route has asked for one
	// Most slugs that are taken are found so, without a workflow that finds it out.
	there, err := s.catalog.Lookup(r.Context(), tenant.BySlug(tenant.Slug(slug)))
	switch {
	case errors.Is(err, tenant.ErrGone), err == nil && there.Status != tenant.StatusProvisioning:
		return tenant.ErrSlugTaken
	case err != nil && !errors.Is(err, tenant.ErrNotFound):
		return err
	}
	t, err := s.jobs.makeTenant(r.Context(), tenant.Slug(slug), name, userOf(p))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/tenants/"+string(t.Slug))
	return writeTenant(w, http.StatusCreated, t)
}

// getTenant shows a tenant to its members, also one that is suspended.
func (s *server) getTenant(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantInPath(r, invite.RoleViewer)
	if err != nil && !errors.Is(err, tenant.ErrSuspended) {
		return err
	}
	return writeTenant(w, http.StatusOK, t)
}

func (s *server) updateTenant(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantInPath(r, invite.RoleOwner)
	if err != nil {
		return err
	}
	var slug, name *string
	if err := decode(r, fields{"slug": &slug, "name": &name}); err != nil {
		return err
	}
	var bad invalid // both are looked at before either is changed
	bad.slug("slug", slug)
	bad.tenantName("name", name)
	if err := bad.err(); err != nil {
		return err
	}
	if slug != nil { // first, because another tenant may have it
		if t, err = s.catalog.Rename(r.Context(), t.ID, tenant.Slug(*slug)); err != nil {
			return err
		}
	}
	if name != nil {
		if t, err = s.catalog.SetName(r.Context(), t.ID, *name); err != nil {
			return err
		}
	}
	return writeTenant(w, http.StatusOK, t)
}

// deleteTenant marks a tenant deleted, which is in force at once. The workflow is started
// first: it ends the tenant's jobs, and removes its data after the grace period, whatever
// becomes of this process.
func (s *server) deleteTenant(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantInPath(r, invite.RoleOwner)
	if err != nil {
		return err
	}
	if err := s.jobs.deleteTenant(r.Context(), t.ID); err != nil {
		return err
	}
	if t, err = s.catalog.Delete(r.Context(), t.ID); err != nil {
		return err
	}
	return writeTenant(w, http.StatusAccepted, t)
}

// tenantInPath is the tenant that a path below /v1/tenants names, for a member with at
// least a role. With the error [tenant.ErrSuspended] alone the tenant is returned too.
func (s *server) tenantInPath(r *http.Request, least invite.Role) (tenant.Tenant, error) {
	t, err := s.lookUpSlug(r)
	if err != nil {
		return tenant.Tenant{}, err
	}
	p, _ := tenant.PrincipalFromContext(r.Context()) // the route has asked for one
	if !p.Tenant.IsZero() && p.Tenant != t.ID {
		return tenant.Tenant{}, &tenant.Error{Code: tenant.CodeTenantMismatch}
	}
	if _, err := s.memberWith(r.Context(), t.ID, p.ID, least); err != nil {
		return tenant.Tenant{}, err
	}
	return t, t.Usable()
}

// lookUpSlug is the tenant that the path names, in whatever status.
func (s *server) lookUpSlug(r *http.Request) (tenant.Tenant, error) {
	slug, err := tenant.ParseSlug(r.PathValue("slug"))
	if err != nil {
		return tenant.Tenant{}, &tenant.Error{Code: tenant.CodeTenantInvalid, Detail: err.Error()}
	}
	return s.catalog.Lookup(r.Context(), tenant.BySlug(slug))
}

// writeTenant answers with a tenant as its members see it.
func writeTenant(w http.ResponseWriter, status int, t tenant.Tenant) error {
	return writeJSON(w, status, struct {
		tenantName
		Status tenant.Status `json:"status"`
		Plan   string        `json:"plan"`
	}{nameOf(t), t.Status, cmp.Or(t.Plan, defaultPlan)})
}
