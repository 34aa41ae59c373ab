package problem

import (
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
)

// Router serves mux, and answers with problems where mux itself would answer in plain text:
// 404 for an address that no pattern matches, 405 with the header Allow for a method that
// none of its patterns takes, and 400 for the request target "*".
//
// It asks mux for the pattern first. Where there is one, the request goes to mux with w as
// it came, so the handler's own answers stay as they are, whatever their status, and
// nothing is held back, wrapped or flushed late. Redirects to a cleaned path, and from
// /tree to /tree/, stay as well.
//
// A mux inside the pattern of another one has a Router of its own. A mux with the pattern
// "/" knows every address and every method: leave that pattern out, or answer in its
// handler with [NotFound].
func Router(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "*" {
			w.Header().Set("Connection", "close") // as mux does
			Write(w, r, &tenant.Error{Code: tenant.CodeBadRequest, Detail: `the request target "*" names no resource`})
			return
		}
		own, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := unsent{header: make(http.Header)}
		own.ServeHTTP(&answer, r)
		switch answer.status {
		case http.StatusNotFound:
			NotFound(w, r)
		case http.StatusMethodNotAllowed:
			w.Header()["Allow"] = answer.header["Allow"]
			MethodNotAllowed(w, r)
		default: // a redirect
			mux.ServeHTTP(w, r)
		}
	})
}

// unsent is the answer of a router, kept from the client.
type unsent struct {
	header http.Header
	status int
}

func (u *unsent) Header() http.Header         { return u.header }
func (u *unsent) WriteHeader(status int)      { u.status = status }
func (u *unsent) Write(b []byte) (int, error) { return len(b), nil }
