package problem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/tenantwall/tenantwall/internal/responsewriter"
	"github.com/tenantwall/tenantwall/tenant"
)

// Recover answers for what a handler left undone, and logs what its client is not told.
//
//   - A panic becomes the problem internal, and is logged with its stack. The process goes
//     on. [http.ErrAbortHandler], with which a handler asks for the connection to be cut,
//     is passed on.
//   - The cause of each problem of status 500 and above that [Write] sends is logged, at
//     the level of a warning for 503 and of an error for the others; not when the cause is
//     that the client has gone.
//   - After a panic or a Write in a response that had begun, the connection is cut.
//
// A nil logger means [slog.Default] as it is when Recover is called.
//
// The ResponseWriter that the handler gets knows Flush, Hijack and ReadFrom as far as the
// one beneath it does, and the rest by [http.ResponseController].
func Recover(logger *slog.Logger) func(http.Handler) http.Handler {
	if logger == nil {
		logger = slog.Default()
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			guarded := &response{Writer: responsewriter.Writer{ResponseWriter: w}, logger: logger}
			defer guarded.end(r)
			next.ServeHTTP(guarded, r)
		})
	}
}

// end is deferred, for it recovers.
func (w *response) end(r *http.Request) {
	switch cause := recover(); {
	case cause == any(http.ErrAbortHandler), cause == nil && w.cut:
		panic(http.ErrAbortHandler)
	case cause == nil:
	default:
		w.logger.ErrorContext(r.Context(), "handler panicked",
			append(about(r), "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))...)
		if w.begun() {
			panic(http.ErrAbortHandler)
		}
		send(w, r, newDocument(r, &tenant.Error{Code: tenant.CodeInternal}), 0)
	}
}

// report logs what the client is not told of a problem, and tells whether it is too late to
// send one.
func (w *response) report(r *http.Request, d Document, err error) (late bool) {
	attrs := append(about(r), "status", d.Status, "code", string(d.Code), "error", fmt.Sprint(err))
	switch {
	case w.begun():
		w.cut = true
		w.logger.ErrorContext(r.Context(), "error in a response that had begun", attrs...)
	case d.Status < http.StatusInternalServerError, errors.Is(err, context.Canceled) && r.Context().Err() != nil:
	case d.Status == http.StatusServiceUnavailable:
		w.logger.WarnContext(r.Context(), "request not served", attrs...)
	default:
		w.logger.ErrorContext(r.Context(), "request failed", attrs...)
	}
	return w.begun()
}

// about is what a line of the log says of a request.
func about(r *http.Request) []any {
	attrs := []any{"method", r.Method, "path", r.URL.Path}
	if id := tenant.RequestIDFromContext(r.Context()); id != "" {
		attrs = append(attrs, "request_id", id)
	}
	if t, ok := tenant.FromContext(r.Context()); ok {
		attrs = append(attrs, "tenant_id", t.ID.String())
	}
	return attrs
}
