package apikey

import (
	"fmt"
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// RequireScope makes a middleware that lets keys through which have a scope, and nobody
// else. It stands behind what puts the principal and the tenant into the context: an
// authentication, and the middleware of package resolve. Errors go out as [problem.Write]
// writes them:
//
//   - tenant_required, and those of [tenant.Tenant.Usable], for the tenant in the context,
//   - unauthenticated without a principal,
//   - tenant_mismatch when the key is another tenant's,
//   - forbidden for a principal that is no key, and for a key without the scope.
//
// It panics for what is no scope's name, which depends on the program alone and so shows when
// it starts.
//
// A route without any guard lets every key of its tenant in, whatever the scopes of the key.
// Before the routes that are for users alone, put the guard of package invite, which refuses
// keys.
func RequireScope(scope string) func(http.Handler) http.Handler {
	return RequireScopeOr(scope, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, errNoKey) })
	})
}

// RequireScopeOr is [RequireScope] for routes that are for users as well: whoever is no key
// is decided by another guard, such as the RequireRole of package invite, which gets all
// requests without a key. What a user may do says their role, and what a key may do its
// scopes; neither is asked for the other.
//
//	mux.Handle("GET /v1/notes", apikey.RequireScopeOr("notes:read", guard.RequireRole(invite.RoleViewer))(list))
func RequireScopeOr(scope string, others func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	if !scopePattern.MatchString(scope) {
		panic(fmt.Errorf("apikey: RequireScope(%q): no name of a scope, see Config.Scopes", scope))
	}
	refusal := &tenant.Error{Code: tenant.CodeForbidden, Detail: "the key has not the scope " + scope}
	return func(next http.Handler) http.Handler {
		rest := others(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, known := tenant.PrincipalFromContext(r.Context())
			if known && p.Kind != tenant.Key {
				rest.ServeHTTP(w, r)
				return
			}
			t, err := tenant.Require(r.Context())
			switch {
			case err != nil:
			case !known:
				err = errUnauthenticated
			case p.Tenant != t.ID:
				err = errMismatch
			case !p.HasScope(scope):
				err = refusal
			}
			if err != nil {
				problem.Write(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
