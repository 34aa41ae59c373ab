package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/internal/responsewriter"
)

// accessLog writes a line for each request: with the route's pattern in the place of the
// path and without the query, so that neither ids nor cursors nor tokens are in the log. Tenant
// and request are told by the log's handler.
func accessLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			seen := &responsewriter.Writer{ResponseWriter: w}
			defer func() {
				log.InfoContext(r.Context(), "request", "method", r.Method, "route", r.Pattern, "status", seen.Status,
					"duration_ms", float64(time.Since(began).Microseconds())/1000)
			}()
			next.ServeHTTP(seen, r)
		})
	}
}
