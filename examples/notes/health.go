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

// readiness is the answer of readyz. Redis may be away: requests are then answered all the
// same, with a look at the database each second.
type readiness struct {
	Status string      `json:"status"`
	Redis  string      `json:"redis"` // "connected" or "away"
	Cache  cacheHealth `json:"tenant_cache"`
}

// cacheHealth is what an operator wants to see of the cache of tenants.
type cacheHealth struct {
	Tenants  int    `json:"tenants"`
	Hits     uint64 `json:"hits"`
	Misses   uint64 `json:"misses"`
	Loads    uint64 `json:"loads"`
	OldestMS int64  `json:"oldest_ms"`
}

// readyz tells whether requests can be answered now.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := errors.Join(s.gateway.Ping(ctx), s.control.Ping(ctx)); err != nil {
		return &tenant.Error{Code: tenant.CodeUnavailable, Detail: "PostgreSQL is away", RetryAfter: retryAfter, Err: fmt.Errorf("ping: %w", err)}
	}
	stats := s.caches.tenants.Stats()
	redis := "away"
	if stats.Connected {
		redis = "connected"
	}
	return writeJSON(w, http.StatusOK, readiness{Status: "ready", Redis: redis, Cache: cacheHealth{
		Tenants: stats.Tenants, Hits: stats.Hits, Misses: stats.Misses, Loads: stats.Loads, OldestMS: stats.Oldest.Milliseconds(),
	}})
}
