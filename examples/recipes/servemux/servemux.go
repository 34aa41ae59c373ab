// Package servemux is a recipe: the router of the standard library.
package servemux

import (
	"log/slog"
	"net/http"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// New makes the service. [problem.Router] has the mux's own 404 and 405 answered as
// problems too, [problem.RequestID] gives each response an id, and [problem.Recover] logs
// what a client is not told.
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes", store.List)
	mux.HandleFunc("POST /notes", store.Create)

	inTenant := resolve.Middleware(tenants, resolve.Header(), resolve.Path())
	return problem.RequestID(problem.Recover(log)(inTenant(problem.Router(mux))))
}
