package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// signedIn lets users through, and puts the one who acts into the context.
func (s *server) signedIn(next http.Handler) http.Handler {
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		token, err := bearer(r.Header)
		if err != nil {
			return err
		}
		p, err := s.tokens.verify(token)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="notes", error="invalid_token"`)
			return unauthenticated("the access token is not valid, or has expired")
		}
		next.ServeHTTP(w, r.WithContext(tenant.NewPrincipalContext(r.Context(), p)))
		return nil
	})
}

// bearer is the one credential of a request.
func bearer(h http.Header) (string, error) {
	lines := h.Values("Authorization")
	if len(lines)+len(h.Values("X-API-Key")) > 1 {
		return "", &tenant.Error{Code: tenant.CodeCredentialConflict, Detail: "the request has more than one of Authorization and X-API-Key"}
	}
	if len(lines) == 0 {
		return "", unauthenticated("the request needs Authorization: Bearer and an access token")
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", unauthenticated("the header Authorization is not of the form: Bearer and an access token")
	}
	return token, nil
}

// inTenant lets those through who have at least a role in the tenant that the request is
// for, and puts both into the context: from there every statement of tenantdb takes its
// tenant.
func (s *server) inTenant(least invite.Role, next handler) http.Handler {
	return s.signedIn(s.resolve(s.membersOnly(least, next)))
}

// perhapsInTenant is as inTenant, but lets signed-in users through too whose request is
// for no tenant.
func (s *server) perhapsInTenant(next handler) http.Handler {
	members := s.membersOnly(invite.RoleViewer, next)
	return s.signedIn(s.resolveOptional(handler(func(w http.ResponseWriter, r *http.Request) error {
		if _, named := tenant.FromContext(r.Context()); !named {
			return next(w, r)
		}
		return members(w, r)
	})))
}

// membersOnly guards a tenant: whatever named it, the user must belong to it.
func (s *server) membersOnly(least invite.Role, next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		t, err := tenant.Require(r.Context())
		if err != nil {
			return err
		}
		p, ok := tenant.PrincipalFromContext(r.Context())
		if !ok {
			return unauthenticated("the request needs a credential")
		}
		m, err := s.memberWith(r.Context(), t.ID, p.ID, least)
		if err != nil {
			return err
		}
		p.Tenant, p.Role = t.ID, string(m.Role)
		return next(w, r.WithContext(tenant.NewPrincipalContext(r.Context(), p)))
	}
}

// memberWith is a user's membership of a tenant, if it has at least a role. The errors are
// not_a_member and forbidden.
func (s *server) memberWith(ctx context.Context, in tenant.ID, userID string, least invite.Role) (invite.Member, error) {
	m, err := s.members.Get(ctx, in, userID)
	if err != nil {
		return invite.Member{}, err
	}
	if !s.members.Roles().Covers(m.Role, least) {
		return invite.Member{}, &tenant.Error{Code: tenant.CodeForbidden, Detail: "the role " + string(m.Role) + " is too small: it takes " + string(least)}
	}
	return m, nil
}

// withTimeout bounds what a request may wait for.
func withTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// handler answers a request, or returns the error with which to answer it.
type handler func(w http.ResponseWriter, r *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		problem.Write(w, r, orUnavailable(err))
	}
}
