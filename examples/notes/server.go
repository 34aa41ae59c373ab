package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/apikey"
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
	caches           caches
	quotas           quotas
	members          *invite.Members
	guard            *invite.Guard
	keys             *apikey.Keys
	mail             mailer
	notes            noteStore
	exports          exportStore
	jobs             jobs
	users            userStore
	tokens           tokens
	cursors          cursors
	operatorToken    string // empty: no admin routes
	baseDomain       string
	baseURL          string // where people reach the service
	pageKey          []byte // seals the page's sessions
	page             http.Handler
	demo             bool
	log              *slog.Logger
	telemetry        telemetry

	// authenticate puts into the context who acts, and asks for a credential.
	authenticate func(http.Handler) http.Handler

	// resolve finds out which tenant a request is for, and asks for one;
	// resolveOptional lets requests for none through.
	resolve, resolveOptional func(http.Handler) http.Handler
}

// close ends what runs in the background.
func (s *server) close() error {
	err := s.caches.close() // first: it tells the keys what to forget
	if s.keys != nil {
		_ = s.keys.Close() // the last uses that could not be written down are in the log
	}
	return errors.Join(err, s.quotas.close())
}

// handler is the whole service: the API, and the page on top of it. What wraps the router
// answers as the handlers do: with a request id, and with problems.
func (s *server) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern(""), r.handler)
		if r.inTenant {
			mux.Handle(r.pattern("/t/{tenant}"), r.handler)
		}
	}
	whole := problem.RequestID(withTimeout(s.telemetry.requests(accessLog(s.log)(problem.Recover(s.log)(problem.Router(mux))))))
	page, err := s.openPage(whole)
	if err != nil {
		return nil, err
	}
	s.page = page
	mux.Handle("/web/", page)
	return whole, nil
}

// ofOneTenant is the Cache-Control of answers: headers may have named the tenant.
const ofOneTenant = "private, no-cache"

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", ofOneTenant)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone is told nothing
	return nil
}
