package main

import (
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
)

// route is one thing that the service can be asked for.
type route struct {
	method, path string
	handler      http.Handler

	// inTenant routes may be for a tenant, and are below its path prefix as well.
	inTenant bool
}

// pattern is the route for [http.ServeMux], below a prefix.
func (r route) pattern(prefix string) string { return r.method + " " + prefix + r.path }

// routes are all that the API answers; what is for some modes alone is left out in the
// others.
func (s *server) routes() []route {
	routes := []route{
		{method: "GET", path: "/{$}", handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.page.ServeHTTP(w, r) })},
		{method: "GET", path: "/healthz", handler: handler(s.healthz)},
		{method: "GET", path: "/readyz", handler: handler(s.readyz)},
		{method: "GET", path: "/openapi.json", handler: handler(s.openAPI)},
		{method: "GET", path: "/.well-known/jwks.json", handler: s.tokens.jwks},

		{method: "POST", path: "/v1/tenants", handler: s.signedIn(handler(s.createTenant))},
		{method: "GET", path: "/v1/tenants/{slug}", handler: s.signedIn(handler(s.getTenant))},
		{method: "PATCH", path: "/v1/tenants/{slug}", handler: s.signedIn(handler(s.updateTenant))},
		{method: "DELETE", path: "/v1/tenants/{slug}", handler: s.signedIn(handler(s.deleteTenant))},

		{method: "POST", path: "/v1/switch", handler: s.signedIn(handler(s.switchTenant))},
		{method: "POST", path: "/v1/invites/preview", handler: handler(s.previewInvite)},
		{method: "POST", path: "/v1/invites/accept", handler: s.signedIn(handler(s.acceptInvite))},
	}
	if s.demo {
		routes = append(routes,
			route{method: "POST", path: "/v1/login", handler: handler(s.login)},
			route{method: "GET", path: "/demo/outbox", handler: handler(s.showOutbox)})
	}
	if s.operatorToken != "" {
		routes = append(routes, s.operatorRoutes()...)
	}
	return append(routes, s.tenantRoutes()...)
}

func (s *server) tenantRoutes() []route {
	in := func(method, path string, h http.Handler) route {
		return route{method: method, path: path, handler: h, inTenant: true}
	}
	return []route{
		in("GET", "/v1/me", s.perhapsInTenant(s.me)),
		in("GET", "/v1/notes", s.inTenantOrKey(invite.RoleViewer, scopeRead, s.listNotes)),
		in("POST", "/v1/notes", s.inTenantOrKey(invite.RoleMember, scopeWrite, s.createNote)),
		in("GET", "/v1/notes/{id}", s.inTenantOrKey(invite.RoleViewer, scopeRead, s.getNote)),
		in("PATCH", "/v1/notes/{id}", s.inTenantOrKey(invite.RoleMember, scopeWrite, s.updateNote)),
		in("DELETE", "/v1/notes/{id}", s.inTenantOrKey(invite.RoleMember, scopeWrite, s.deleteNote)),
		in("POST", "/v1/exports", s.inTenantOrKey(invite.RoleMember, scopeRead, s.startExport)),
		in("GET", "/v1/exports/{id}", s.inTenantOrKey(invite.RoleViewer, scopeRead, s.getExport)),
		in("GET", "/v1/members", s.inTenant(invite.RoleViewer, s.listMembers)),
		in("PATCH", "/v1/members/{user_id}", s.inTenant(invite.RoleAdmin, s.changeRole)),
		in("DELETE", "/v1/members/{user_id}", s.inTenant(invite.RoleViewer, s.removeMember)), // oneself, or as admin

		in("POST", "/v1/invites", s.inTenant(invite.RoleAdmin, s.createInvite)),
		in("GET", "/v1/invites", s.inTenant(invite.RoleAdmin, s.listInvites)),
		in("POST", "/v1/invites/{id}/resend", s.inTenant(invite.RoleAdmin, s.resendInvite)),
		in("DELETE", "/v1/invites/{id}", s.inTenant(invite.RoleAdmin, s.revokeInvite)),

		in("POST", "/v1/api-keys", s.inTenant(invite.RoleAdmin, s.createKey)),
		in("GET", "/v1/api-keys", s.inTenant(invite.RoleAdmin, s.listKeys)),
		in("POST", "/v1/api-keys/{id}/rotate", s.inTenant(invite.RoleAdmin, s.rotateKey)),
		in("DELETE", "/v1/api-keys/{id}", s.inTenant(invite.RoleAdmin, s.revokeKey)),
		in("GET", "/v1/quota", s.uncounted(invite.RoleViewer, handler(s.showQuota))),
	}
}

func (s *server) operatorRoutes() []route {
	return []route{
		{method: "POST", path: "/admin/tenants/{slug}/suspend", handler: s.operatorOnly(s.suspendTenant)},
		{method: "POST", path: "/admin/tenants/{slug}/resume", handler: s.operatorOnly(s.resumeTenant)},
		{method: "PUT", path: "/admin/tenants/{slug}/plan", handler: s.operatorOnly(s.setPlan)},
	}
}
