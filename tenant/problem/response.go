package problem

import (
	"log/slog"
	"net/http"

	"github.com/tenantwall/tenantwall/internal/responsewriter"
)

// response is the ResponseWriter that Recover puts around a handler.
type response struct {
	responsewriter.Writer
	logger *slog.Logger
	cut    bool // what was sent must not be taken for a whole answer
}

// begun reports whether it is too late to send another answer.
func (w *response) begun() bool { return w.Status != 0 }

// responseOf is the response that Recover put around the handler which got w, or nil.
func responseOf(w http.ResponseWriter) *response {
	for {
		switch inner := w.(type) {
		case *response:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}
