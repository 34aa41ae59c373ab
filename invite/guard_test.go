package invite_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// crew is a source in which each user of acme has the role that is their id, and ada is an
// owner of beta.
type crew struct{ acme, beta tenant.ID }

func (c crew) Get(_ context.Context, in tenant.ID, user string) (invite.Member, error) {
	role, err := invite.DefaultRoles().Parse(user)
	switch {
	case in == c.acme && err == nil:
		return invite.Member{TenantID: in, UserID: user, Role: role, Version: 1}, nil
	case in == c.acme && user == "retired":
		return invite.Member{TenantID: in, UserID: user, Role: "a role of old", Version: 1}, nil
	case in == c.beta && user == "ada":
		return invite.Member{TenantID: in, UserID: user, Role: invite.RoleOwner, Version: 1}, nil
	case user == "unlucky":
		return invite.Member{}, errors.New("the database is away")
	}
	return invite.Member{}, invite.ErrNotAMember
}

func newGuard(t testing.TB, from invite.Memberships) *invite.Guard {
	t.Helper()
	g, err := invite.NewGuard(from, nil)
	require.NoError(t, err)
	return g
}

// visit sends a request through a middleware, and tells the status, the code of the
// problem, and the context that the handler has got.
func visit(t testing.TB, guard func(http.Handler) http.Handler, ctx context.Context) (int, tenant.Code, context.Context) {
	t.Helper()
	var inside *http.Request
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside = r
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/members", nil).WithContext(ctx))
	if w.Code == http.StatusNoContent {
		return w.Code, "", inside.Context()
	}
	require.Nil(t, inside)
	var d problem.Document
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &d))
	return w.Code, d.Code, nil
}

func in(ctx context.Context, id tenant.ID, p tenant.Principal) context.Context {
	t := tenant.Tenant{ID: id, Slug: "acme-corp", Status: tenant.StatusActive, Version: 1}
	return tenant.NewPrincipalContext(tenant.NewContext(ctx, t), p)
}

func user(id string) tenant.Principal { return tenant.Principal{Kind: tenant.User, ID: id} }

func TestGuardsLetTheRightMembersIn(t *testing.T) {
	t.Parallel()
	c := crew{tenant.NewID(), tenant.NewID()}
	g := newGuard(t, c)
	for name, test := range map[string]struct {
		guard func(http.Handler) http.Handler
		want  map[string]tenant.Code // by user; empty for those who are let in
	}{
		"RequireMember": {g.RequireMember, map[string]tenant.Code{
			"owner": "", "viewer": "", "retired": "", "stranger": tenant.CodeNotAMember, "ada": tenant.CodeNotAMember, "": tenant.CodeNotAMember,
			"unlucky": tenant.CodeUnavailable,
		}},
		"RequireRole": {g.RequireRole(invite.RoleMember), map[string]tenant.Code{
			"owner": "", "admin": "", "member": "", "viewer": tenant.CodeForbidden, "retired": tenant.CodeForbidden, "stranger": tenant.CodeNotAMember,
		}},
		"RequirePermission": {g.RequirePermission(invite.PermManageMembers), map[string]tenant.Code{
			"owner": "", "admin": "", "member": tenant.CodeForbidden, "viewer": tenant.CodeForbidden, "retired": tenant.CodeForbidden,
			"stranger": tenant.CodeNotAMember,
		}},
	} {
		for who, want := range test.want {
			_, code, _ := visit(t, test.guard, in(t.Context(), c.acme, user(who)))
			assert.Equal(t, want, code, "%s: %q", name, who)
		}
	}
}

func TestAHandlerBehindAGuardKnowsTheMember(t *testing.T) {
	t.Parallel()
	c := crew{tenant.NewID(), tenant.NewID()}
	old := user("viewer")
	old.Tenant, old.Role, old.Email = c.acme, "owner", "v@acme.example" // a token of better days
	status, _, inside := visit(t, newGuard(t, c).RequireMember, in(t.Context(), c.acme, old))
	require.Equal(t, http.StatusNoContent, status)
	m, ok := invite.FromContext(inside)
	require.True(t, ok)
	assert.Equal(t, invite.Member{TenantID: c.acme, UserID: "viewer", Role: invite.RoleViewer, Version: 1}, m)
	p, ok := tenant.PrincipalFromContext(inside)
	require.True(t, ok)
	assert.Equal(t, tenant.Principal{Kind: tenant.User, ID: "viewer", Email: "v@acme.example", Tenant: c.acme, Role: "viewer"}, p)

	_, ok = invite.FromContext(t.Context())
	assert.False(t, ok)
	_, ok = invite.FromContext(invite.NewContext(t.Context(), invite.Member{}))
	assert.False(t, ok)
}

func TestRow18_WhatATokenSaysLetsNobodyIn(t *testing.T) {
	t.Parallel()
	c := crew{tenant.NewID(), tenant.NewID()}
	forged := user("viewer")
	forged.Tenant, forged.Role = c.acme, "owner"
	removed, untold := user("stranger"), user("unlucky")
	removed.Tenant, removed.Role = c.acme, "owner"
	untold.Tenant, untold.Role = c.acme, "owner"
	elsewhere := user("ada")
	elsewhere.Tenant, elsewhere.Role = c.beta, "owner"
	key := tenant.Principal{Kind: tenant.Key, ID: "owner", Tenant: c.acme, Scopes: []string{"members:manage"}}
	g := newGuard(t, c)
	for name, test := range map[string]struct {
		p    tenant.Principal
		want tenant.Code
	}{
		"a role that the token alone has":        {forged, tenant.CodeForbidden},
		"a role of who is no member any more":    {removed, tenant.CodeNotAMember},
		"a role when nobody can tell":            {untold, tenant.CodeUnavailable},
		"a token of another tenant":              {elsewhere, tenant.CodeTenantMismatch},
		"a member of another tenant":             {user("ada"), tenant.CodeNotAMember},
		"a key with the id of a user":            {key, tenant.CodeForbidden},
		"nobody":                                 {tenant.Principal{}, tenant.CodeUnauthenticated},
		"a principal of a kind that is unknown":  {tenant.Principal{Kind: "robot", ID: "owner"}, tenant.CodeForbidden},
		"a principal without a kind but a name ": {tenant.Principal{ID: "owner"}, tenant.CodeUnauthenticated},
	} {
		_, code, _ := visit(t, g.RequireRole(invite.RoleAdmin), in(t.Context(), c.acme, test.p))
		assert.Equal(t, test.want, code, name)
	}
}

func TestAGuardNeedsATenantThatMayBeWorkedFor(t *testing.T) {
	t.Parallel()
	c := crew{tenant.NewID(), tenant.NewID()}
	g := newGuard(t, c)
	_, code, _ := visit(t, g.RequireMember, tenant.NewPrincipalContext(t.Context(), user("owner")))
	assert.Equal(t, tenant.CodeTenantRequired, code)
	held := tenant.NewContext(t.Context(), tenant.Tenant{ID: c.acme, Status: tenant.StatusSuspended})
	_, code, _ = visit(t, g.RequireMember, tenant.NewPrincipalContext(held, user("owner")))
	assert.Equal(t, tenant.CodeTenantSuspended, code)
}

func TestEnterIsAGuardWithoutAMiddleware(t *testing.T) {
	t.Parallel()
	c := crew{tenant.NewID(), tenant.NewID()}
	ctx, m, err := newGuard(t, c).Enter(in(t.Context(), c.acme, user("admin")))
	require.NoError(t, err)
	inside, _ := invite.FromContext(ctx)
	assert.Equal(t, m, inside)
	_, m, err = newGuard(t, c).Enter(in(t.Context(), c.acme, user("stranger")))
	require.ErrorIs(t, err, invite.ErrNotAMember)
	assert.Zero(t, m)
}

func TestGuardsThatCantBeAreFoundAtTheStart(t *testing.T) {
	t.Parallel()
	_, err := invite.NewGuard(nil, nil)
	require.ErrorContains(t, err, "memberships")
	g := newGuard(t, crew{})
	assert.Panics(t, func() { g.RequireRole("root") })
	assert.Panics(t, func() { g.RequirePermission("notes:fly") })
}

func BenchmarkGuard(b *testing.B) {
	acme := tenant.NewID()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	g := newGuard(b, newCache(b, everybody(), invite.CacheConfig{TTL: invite.MaxCacheTTL}))
	anywhere := user("ada")
	minted := anywhere
	minted.Tenant, minted.Role = acme, string(invite.RoleMember)
	for _, test := range []struct {
		name  string
		guard http.Handler
		p     tenant.Principal
	}{
		{"none", nothing, minted},
		{"member, token of the tenant", g.RequireMember(nothing), minted},
		{"role, token of the tenant", g.RequireRole(invite.RoleViewer)(nothing), minted},
		{"permission, token of the tenant", g.RequirePermission(invite.PermWrite)(nothing), minted},
		{"permission, token of no tenant", g.RequirePermission(invite.PermWrite)(nothing), anywhere},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/v1/notes", nil)
			r = r.WithContext(in(b.Context(), acme, test.p))
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				test.guard.ServeHTTP(w, r)
			}
		})
	}
}
