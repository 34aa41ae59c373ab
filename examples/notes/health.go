package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// readyTimeout bounds the question whether PostgreSQL is there.
const readyTimeout = 2 * time.Second

// healthz tells that the process serves requests, whatever becomes of its servers: a
// restart would not bring those back.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz tells whether requests can be answered now.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := errors.Join(s.gateway.Ping(ctx), s.control.Ping(ctx)); err != nil {
		return &tenant.Error{Code: tenant.CodeUnavailable, Detail: "PostgreSQL is away", RetryAfter: retryAfter, Err: fmt.Errorf("ping: %w", err)}
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
