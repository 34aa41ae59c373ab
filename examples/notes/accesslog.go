package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// accessLog writes a line for each request: with the route's pattern in the place of the
// path and without the query, so that neither ids nor cursors nor tokens are in the log.
func accessLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			seen := &statusWriter{ResponseWriter: w}
			defer func() {
				log.InfoContext(r.Context(), "request", "method", r.Method, "route", r.Pattern, "status", seen.status,
					"duration", time.Since(began), "request_id", tenant.RequestIDFromContext(r.Context()))
			}()
			next.ServeHTTP(seen, r)
		})
	}
}

// statusWriter remembers the status of the response; 0 when there was none.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}
