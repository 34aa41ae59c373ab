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
// nothing is held back, wrapped or flushed late.
//
// The redirects of mux, to a cleaned path and from /tree to /tree/, stay as well, but lead
// back to where the client was: a middleware may have taken a prefix off the path, such as
// /t/acme-corp, and mux would lead the client out of it, to the same address of whichever
// tenant its credential names.
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
		prefix := takenOff(r)
		if pattern != "" && (prefix == "" || !redirects(r.URL.EscapedPath(), pattern)) {
			mux.ServeHTTP(w, r)
			return
		}
		answer := unsent{header: make(http.Header)}
		own.ServeHTTP(&answer, r)
		switch {
		case answer.status == http.StatusNotFound:
			NotFound(w, r)
		case answer.status == http.StatusMethodNotAllowed:
			w.Header()["Allow"] = answer.header["Allow"]
			MethodNotAllowed(w, r)
		case prefix == "":
			mux.ServeHTTP(w, r)
		default:
			http.Redirect(w, r, prefix+answer.header.Get("Location"), answer.status) //nolint:gosec // takenOff sees to it that this is a path
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
