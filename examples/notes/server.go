package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant/problem"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// requestTimeout bounds what a request may wait for.
const requestTimeout = 10 * time.Second

// server answers requests. It has no state but what it is made of, so that any number of
// processes can serve one database.
type server struct {
	gateway, control *pgxpool.Pool // asked by readyz alone
	catalog          *tenantdb.Catalog
	members          *invite.Members
	guard            *invite.Guard
	mail             mailer
	notes            noteStore
	users            userStore
	tokens           tokens
	cursors          cursors
	operatorToken    string // empty: no admin routes
	demo             bool
	log              *slog.Logger

	// authenticate puts into the context who acts, and asks for a credential.
	authenticate func(http.Handler) http.Handler

	// resolve finds out which tenant a request is for, and asks for one;
	// resolveOptional lets requests for none through.
	resolve, resolveOptional func(http.Handler) http.Handler
}

// handler is the whole service. What wraps the router answers as the handlers do: with a
// request id, and with problems.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern(""), r.handler)
		if r.inTenant {
			mux.Handle(r.pattern("/t/{tenant}"), r.handler)
		}
	}
	return problem.RequestID(withTimeout(accessLog(s.log)(problem.Recover(s.log)(problem.Router(mux)))))
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache") // headers may have named the tenant
	}
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone is told nothing
	return nil
}
