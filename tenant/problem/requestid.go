package problem

import (
	"crypto/rand"
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
)

// RequestIDHeader carries the id of a request, to the service and back.
const RequestIDHeader = "X-Request-ID"

// MaxRequestIDLen bounds the id that a client may choose, in bytes.
const MaxRequestIDLen = 128

// RequestID gives each request an id, by which the client's problem and the service's log
// are found to be of one request: it is on the response, in the context
// ([tenant.RequestIDFromContext]), and so in each [Document].
//
// An id that the client sends is kept when it is well formed: one header field of 1 to
// [MaxRequestIDLen] characters out of a-z, A-Z, 0-9, hyphen, underscore and dot, which no
// log, header or document has to escape. In place of anything else there is a new one of
// 26 characters, drawn by lot. An id that a client chose is a label, and proves nothing.
//
// It is to be the outermost middleware, so that no response lacks the header.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := sentID(r)
		if id == "" {
			id = rand.Text()
		}
		w.Header().Set(RequestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(tenant.NewRequestIDContext(r.Context(), id)))
	})
}

// sentID is the well-formed id that r came with, or empty.
func sentID(r *http.Request) string {
	sent := r.Header.Values(RequestIDHeader)
	if len(sent) != 1 || len(sent[0]) > MaxRequestIDLen {
		return ""
	}
	for _, c := range []byte(sent[0]) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return ""
		}
	}
	return sent[0]
}
