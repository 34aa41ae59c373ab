// Package chi is a recipe: github.com/go-chi/chi, whose middlewares are those of net/http.
package chi

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// New makes the service. The tenant is asked for in a group, so that routes of no tenant
// stand beside it. In a group a path has been matched already, so a tenant in the path
// (resolve.Path) is for a resolver around the whole router.
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) http.Handler {
	r := chi.NewRouter()
	r.Use(problem.RequestID, problem.Recover(log)) // and not chi's middleware.Recoverer
	r.NotFound(problem.NotFound)
	r.MethodNotAllowed(problem.MethodNotAllowed)
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r.Group(func(r chi.Router) {
		r.Use(resolve.Middleware(tenants, resolve.Header()))
		r.Get("/notes", store.List)
		r.Post("/notes", store.Create)
	})
	return r
}
