package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Write answers r with the problem that err is, and is all that a handler has to do about
// an error. It decides what the client is told by the first of these that is found in the
// chain of err:
//
//   - a [tenant.Error]: its code, detail and fields, with its Status, or else that of the
//     code, or else 500,
//   - an [http.MaxBytesError]: payload_too_large,
//   - [context.DeadlineExceeded] or [context.Canceled]: unavailable,
//   - anything else, nil too: internal.
//
// The text of err itself, and the cause of a tenant.Error, are never shown. The document
// repeats the path of the request, without its query.
//
// Headers that w has already are kept, other than those of the body which is not sent now.
// Write adds what RFC 9110 demands and the handler has not set:
//
//   - WWW-Authenticate with a status of 401, as `Bearer realm="api"`; set it before for
//     another realm or scheme,
//   - Retry-After in whole seconds, rounded up, from RetryAfter of the tenant.Error; a
//     status of 503 always has one, of at least a second.
//
// A status of 405 needs the header Allow, which only the caller knows.
//
// An error that comes when the response has begun can't be told any more. Inside [Recover]
// Write then sends nothing, and the connection is cut when the handler returns, so that
// the client doesn't take half an answer for a whole one. Without Recover, Write can't know
// and its document follows what was sent: check for errors before the first byte.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	e := visible(err)
	d := newDocument(r, e)
	if begun := responseOf(w); begun != nil && begun.report(r, d, err) {
		return
	}
	send(w, r, d, e.RetryAfter)
}

// ofAnotherBody are the headers that would misdescribe a document. Content-Encoding is not
// among them: a middleware that compresses may have set it, and compresses this too.
var ofAnotherBody = [...]string{
	"Content-Disposition", "Content-Language", "Content-Length", "Content-Range", "ETag", "Last-Modified",
}

func send(w http.ResponseWriter, r *http.Request, d Document, retryAfter time.Duration) {
	body, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and numbers are always JSON
	}
	body = append(body, '\n') // for terminals
	h := w.Header()
	for _, name := range ofAnotherBody {
		h.Del(name)
	}
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if d.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", `Bearer realm="api"`) // at least one parameter (RFC 6750, 3)
	}
	setRetryAfter(h, d.Status, retryAfter)
	if r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(d.Status)
		return
	}
	w.WriteHeader(d.Status)
	_, _ = w.Write(body) // a client that has gone is told nothing
}

func setRetryAfter(h http.Header, status int, after time.Duration) {
	if status == http.StatusServiceUnavailable {
		after = max(after, time.Second)
	}
	if after <= 0 || h.Get("Retry-After") != "" {
		return
	}
	seconds := int64(after / time.Second)
	if after%time.Second > 0 {
		seconds++
	}
	h.Set("Retry-After", strconv.FormatInt(seconds, 10))
}

// NotFound answers with the problem not_found. It is for routers that take a handler for
// addresses they don't know, such as chi's NotFound.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Write(w, r, &tenant.Error{Code: tenant.CodeNotFound})
}

// MethodNotAllowed answers with the problem method_not_allowed. It is for routers that
// take a handler for methods which an address doesn't know, such as chi's
// MethodNotAllowed. The header Allow, which the status demands (RFC 9110, 15.5.6), is the
// router's to set.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	Write(w, r, &tenant.Error{Code: tenant.CodeMethodNotAllowed})
}
