package main

import (
	"context"
	"net/http"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// signedIn lets users through, and puts the one who acts into the context. A token that
// was made for a tenant is held against the membership as it is now.
func (s *server) signedIn(next http.Handler) http.Handler {
	return s.authenticated(usersOnly(next))
}

// authenticated lets users and keys through, and puts the one who acts into the context.
func (s *server) authenticated(next http.Handler) http.Handler {
	authenticated := s.authenticate(next)
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := oneCredential(r.Header); err != nil {
			return err
		}
		authenticated.ServeHTTP(w, r)
		return nil
	})
}

// oneCredential refuses requests that leave open who acts.
func oneCredential(h http.Header) error {
	if len(h.Values("Authorization"))+len(h.Values("X-API-Key")) > 1 {
		return &tenant.Error{Code: tenant.CodeCredentialConflict, Detail: "the request has more than one of Authorization and X-API-Key"}
	}
	return nil
}

// inTenant lets those through who have at least a role in the tenant that the request is
// for, and puts both into the context: from there every statement of tenantdb takes its
// tenant. The membership is as old as the cache's bound at most. The request is taken from
// the tenant's plan last: who is refused before takes nothing from it.
func (s *server) inTenant(least invite.Role, next handler) http.Handler {
	return s.uncounted(least, s.quotas.limit(next))
}

// uncounted is inTenant for what takes nothing from the tenant's plan.
func (s *server) uncounted(least invite.Role, next http.Handler) http.Handler {
	return s.signedIn(s.resolve(s.guard.RequireRole(least)(next)))
}

// perhapsInTenant lets members of the tenant through that the request is for, and any
// signed-in user whose request is for none.
func (s *server) perhapsInTenant(next handler) http.Handler {
	members := s.guard.RequireMember(s.quotas.limit(next))
	return s.signedIn(s.resolveOptional(handler(func(w http.ResponseWriter, r *http.Request) error {
		if _, named := tenant.FromContext(r.Context()); !named {
			return next(w, r)
		}
		members.ServeHTTP(w, r)
		return nil
	})))
}

// memberWith is a user's membership of a tenant as it is now, read from the database, if
// it has at least a role. The errors are not_a_member and forbidden.
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
