// Package huma is a recipe: github.com/danielgtaylor/huma, which makes an OpenAPI document
// from handlers that take and return values.
package huma

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

type newNote struct {
	Body struct {
		Title string `json:"title" maxLength:"200" minLength:"1"`
	}
}

type list struct {
	Body struct {
		Titles []string `json:"titles"`
	}
}

// New makes the service. The tenant is found around the router, and is in the context that
// huma hands to the handlers. What huma writes itself passes problem.Recover by, so handlers
// have their errors logged by service.failed.
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) http.Handler {
	s := service{store, log}
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("Notes", "1.0.0"))
	huma.Get(api, "/notes", s.list)
	huma.Post(api, "/notes", s.create)
	inTenant := resolve.Middleware(tenants, resolve.Header(), resolve.Path())
	return problem.RequestID(problem.Recover(log)(inTenant(keepRequest(problem.Router(mux)))))
}

type service struct {
	store notes.Store
	log   *slog.Logger
}

func (s service) list(ctx context.Context, _ *struct{}) (*list, error) {
	titles, err := s.store.Titles(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &list{}
	out.Body.Titles = titles
	return out, nil
}

func (s service) create(ctx context.Context, in *newNote) (*struct{}, error) {
	if err := s.store.Add(ctx, in.Body.Title); err != nil {
		return nil, s.failed(ctx, err)
	}
	return nil, nil
}

// failure is a problem as huma sends it. What huma itself finds wrong with a request it
// answers in its own form, which is a problem as well, without a code.
type failure struct {
	problem.Document
	err error
}

// failed is the error to return from a handler. What its client is not told is logged.
func (s service) failed(ctx context.Context, err error) error {
	r, _ := ctx.Value(requestKey{}).(*http.Request) // keepRequest has put it there
	document := problem.Of(r, err)
	if document.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(ctx, "request failed", "error", err, "request_id", document.RequestID)
	}
	return &failure{document, err}
}

// GetStatus implements [huma.StatusError].
func (f *failure) GetStatus() int { return f.Status }

// Error is for logs.
func (f *failure) Error() string { return f.err.Error() }

// ContentType implements [huma.ContentTypeFilter].
func (f *failure) ContentType(string) string { return problem.ContentType }

type requestKey struct{}

// keepRequest lets a handler get at the request, of which huma hands it the context alone.
func keepRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r)))
	})
}
