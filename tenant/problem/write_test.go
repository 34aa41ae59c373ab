package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// secret stands in the errors of these tests where the inside of a service would.
const secret = `ERROR: relation "t_0189.note" does not exist (SQLSTATE 42P01)`

type answer struct{ *httptest.ResponseRecorder }

func request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/t/acme/v1/notes?token=hidden", nil)
	return r.WithContext(tenant.NewRequestIDContext(r.Context(), "r1"))
}

func write(t *testing.T, r *http.Request, err error, preset ...string) answer {
	t.Helper()
	a := answer{httptest.NewRecorder()}
	for i := 0; i < len(preset); i += 2 {
		a.Header().Set(preset[i], preset[i+1])
	}
	problem.Write(a, r, err)
	return a
}

func (a answer) document(t *testing.T) problem.Document {
	t.Helper()
	return readDocument(t, a.Result())
}

// readDocument holds a response to be a whole problem document and nothing else.
func readDocument(t *testing.T, response *http.Response) problem.Document {
	t.Helper()
	defer func() { assert.NoError(t, response.Body.Close()) }()
	assert.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
	assert.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	reader := json.NewDecoder(response.Body)
	reader.DisallowUnknownFields()
	var d problem.Document
	require.NoError(t, reader.Decode(&d))
	require.ErrorIs(t, reader.Decode(new(any)), io.EOF, "one document")
	assert.Equal(t, response.StatusCode, d.Status)
	return d
}

func TestDocumentHasItsMembersByName(t *testing.T) {
	t.Parallel()
	err := &tenant.Error{
		Code:   tenant.CodeValidationFailed,
		Fields: []tenant.FieldError{{Field: "title", Message: "is empty"}, {Field: "body", Message: "is longer than 64 KiB"}},
	}
	a := write(t, request(), err)
	assert.Equal(t, http.StatusUnprocessableEntity, a.Code)
	assert.JSONEq(t, `{
		"type": "https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant/problem#validation_failed",
		"title": "Validation failed",
		"status": 422,
		"detail": "fields of the request are not valid",
		"instance": "/t/acme/v1/notes",
		"code": "validation_failed",
		"request_id": "r1",
		"errors": [{"field": "title", "message": "is empty"}, {"field": "body", "message": "is longer than 64 KiB"}]
	}`, a.Body.String())
}

func TestClientIsToldWhatTheErrorIs(t *testing.T) {
	t.Parallel()
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	body := http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader("too long")), 3)
	_, tooLong := io.ReadAll(body)
	for _, test := range []struct {
		name   string
		err    error
		status int
		code   tenant.Code
		detail string
	}{
		{"an error of package tenant", tenant.ErrGone, 410, tenant.CodeTenantGone, tenant.ErrGone.Detail},
		{"a wrapped one", fmt.Errorf("open: %w", tenant.ErrGone), 410, tenant.CodeTenantGone, tenant.ErrGone.Detail},
		{"one among others", errors.Join(errors.New(secret), tenant.ErrGone), 410, tenant.CodeTenantGone, tenant.ErrGone.Detail},
		{"the outer one of two", &tenant.Error{Code: tenant.CodeForbidden, Detail: "no", Err: tenant.ErrGone}, 403, tenant.CodeForbidden, "no"},
		{"one that hides a deadline", &tenant.Error{Code: tenant.CodeForbidden, Detail: "no", Err: expired.Err()}, 403, tenant.CodeForbidden, "no"},
		{"a code of the product", &tenant.Error{Code: "note_not_found", Status: 404, Detail: "no such note"}, 404, "note_not_found", "no such note"},
		{"a code of the product without detail", &tenant.Error{Code: "note_not_found", Status: 404}, 404, "note_not_found", "Not Found"},
		{"a code of the product with a status without name", &tenant.Error{Code: "odd", Status: 499}, 499, "odd", "Error"},
		{"a code of the product without status", &tenant.Error{Code: "odd"}, 500, "odd", "Internal Server Error"},
		{"a status that is no error", &tenant.Error{Code: tenant.CodeForbidden, Status: 200, Detail: "no"}, 403, tenant.CodeForbidden, "no"},
		{"a status that does not exist", &tenant.Error{Code: tenant.CodeForbidden, Status: 4030, Detail: "no"}, 403, tenant.CodeForbidden, "no"},
		{"a status of its own", &tenant.Error{Code: tenant.CodeForbidden, Status: 451, Detail: "no"}, 451, tenant.CodeForbidden, "no"},
		{"a body over its limit", fmt.Errorf("read: %w", tooLong), 413, tenant.CodePayloadTooLarge, "the body of the request is longer than 3 bytes"},
		{"a deadline", fmt.Errorf("query: %w", expired.Err()), 503, tenant.CodeUnavailable, "the service did not answer in time"},
		{"a cancellation", fmt.Errorf("query: %w", context.Canceled), 503, tenant.CodeUnavailable, "the service did not answer in time"},
		{"any other error", errors.New(secret), 500, tenant.CodeInternal, "the service failed to answer; its log knows more under the request id"},
		{"an error without code", &tenant.Error{Detail: "no"}, 500, tenant.CodeInternal, "no"},
		{"no error", nil, 500, tenant.CodeInternal, "the service failed to answer; its log knows more under the request id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := write(t, request(), test.err)
			assert.NotContains(t, a.Body.String(), "t_0189")
			d := a.document(t)
			assert.Equal(t, test.status, d.Status)
			assert.Equal(t, test.code, d.Code)
			assert.Equal(t, test.detail, d.Detail)
		})
	}
}

func TestTypeOfAProductsOwnCodeIsBlank(t *testing.T) {
	t.Parallel()
	d := write(t, request(), &tenant.Error{Code: "note_not_found", Status: 404, Detail: "no such note"}).document(t)
	assert.Equal(t, "about:blank", d.Type)
	assert.Equal(t, "Not Found", d.Title, "the title that RFC 9457 gives to about:blank")
}

func TestCauseIsNeverShown(t *testing.T) {
	t.Parallel()
	for code := range declared(t) {
		cause := fmt.Errorf("list notes: %w", errors.New(secret))
		a := write(t, request(), fmt.Errorf("handler: %w", &tenant.Error{Code: code, Err: cause}))
		for _, inside := range []string{"t_0189", "relation", "SQLSTATE", "list notes", "handler"} {
			assert.NotContains(t, a.Body.String(), inside)
			for name, values := range a.Header() {
				assert.NotContains(t, strings.Join(values, ""), inside, name)
			}
		}
	}
}

func TestUnauthenticatedIsChallenged(t *testing.T) {
	t.Parallel()
	err := &tenant.Error{Code: tenant.CodeUnauthenticated}
	assert.Equal(t, []string{`Bearer realm="api"`}, write(t, request(), err).Header().Values("WWW-Authenticate"))

	const own = `Bearer realm="notes", error="invalid_token"`
	assert.Equal(t, []string{own}, write(t, request(), err, "WWW-Authenticate", own).Header().Values("WWW-Authenticate"))

	err = &tenant.Error{Code: "password_expired", Status: http.StatusUnauthorized}
	assert.NotEmpty(t, write(t, request(), err).Header().Get("WWW-Authenticate"), "a product's code of the same status")
	assert.Empty(t, write(t, request(), tenant.ErrGone).Header().Get("WWW-Authenticate"))
}

func TestRetryAfterIsInWholeSecondsRoundedUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code  tenant.Code
		after time.Duration
		want  string
	}{
		{tenant.CodeQuotaExceeded, 0, ""},
		{tenant.CodeQuotaExceeded, -time.Second, ""},
		{tenant.CodeQuotaExceeded, 1, "1"},
		{tenant.CodeQuotaExceeded, time.Second, "1"},
		{tenant.CodeQuotaExceeded, time.Second + 1, "2"},
		{tenant.CodeQuotaExceeded, 90 * time.Second, "90"},
		{tenant.CodeQuotaExceeded, 1<<63 - 1, "9223372037"},
		{tenant.CodeForbidden, time.Minute, "60"},
		{tenant.CodeUnavailable, 0, "1"},
		{tenant.CodeUnavailable, -time.Minute, "1"},
		{tenant.CodeUnavailable, time.Millisecond, "1"},
		{tenant.CodeUnavailable, 5 * time.Second, "5"},
		{tenant.CodeInternal, 0, ""},
	} {
		err := &tenant.Error{Code: test.code, RetryAfter: test.after}
		assert.Equal(t, test.want, write(t, request(), err).Header().Get("Retry-After"), "%s after %v", test.code, test.after)
		assert.Equal(t, "7", write(t, request(), err, "Retry-After", "7").Header().Get("Retry-After"), "what the caller has set stays")
	}
	assert.Equal(t, "1", write(t, request(), context.DeadlineExceeded).Header().Get("Retry-After"))
}

func TestHeadersOfTheBodyThatIsNotSentAreTakenBack(t *testing.T) {
	t.Parallel()
	a := write(t, request(), tenant.ErrGone,
		"Content-Type", "application/json", "Content-Length", "7", "Content-Range", "bytes 0-6/7", "Content-Disposition", "attachment",
		"Content-Language", "de", "ETag", `"1"`, "Last-Modified", "now", "Cache-Control", "public, max-age=60",
		"RateLimit", `"burst";r=0;t=13`, "X-Request-ID", "r1", "Vary", "Origin", "Content-Encoding", "gzip")
	assert.Equal(t, http.Header{
		"Content-Type":           {"application/problem+json"},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
		"Ratelimit":              {`"burst";r=0;t=13`},
		"X-Request-Id":           {"r1"},
		"Vary":                   {"Origin"},
		"Content-Encoding":       {"gzip"},
	}, a.Header())
}

func TestInstanceIsThePathThatTheClientAskedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, target, want string
	}{
		{"without its query", "/v1/notes?token=hidden", "/v1/notes"},
		{"as it was escaped", "/v1/a%2Fb%20c", "/v1/a%2Fb%20c"},
		{"of a target with a host", "http://acme.example/v1/notes?q", "/v1/notes"},
		{"with markup in it", "/%3Cscript%3E", "/%3Cscript%3E"},
		{"of a target that is a host alone", "http://acme.example", "/"},
		{"its beginning when it is very long", "/" + strings.Repeat("a", 2048), "/" + strings.Repeat("a", 2047)},
		{"without half of an escape", "/" + strings.Repeat("a", 2045) + "%2F", "/" + strings.Repeat("a", 2045)},
		{"without a third of one", "/" + strings.Repeat("a", 2046) + "%2F", "/" + strings.Repeat("a", 2046)},
		{"with a whole one at its end", "/" + strings.Repeat("a", 2044) + "%2F%2F", "/" + strings.Repeat("a", 2044) + "%2F"},
		{"when it is as long as allowed", "/" + strings.Repeat("a", 2047), "/" + strings.Repeat("a", 2047)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, test.target, nil)
			assert.Equal(t, test.want, write(t, r, tenant.ErrGone).document(t).Instance)
		})
	}

	r := request()
	stripped := r.Clone(r.Context())
	stripped.URL.Path = "/v1/notes"
	assert.Equal(t, "/t/acme/v1/notes", write(t, stripped, tenant.ErrGone).document(t).Instance, "with a prefix that a middleware took off")

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://acme.example/v1/notes?q", nil)
	require.NoError(t, err)
	d := write(t, r, tenant.ErrGone).document(t)
	assert.Equal(t, "/v1/notes", d.Instance, "of a request that no server read")
	assert.Empty(t, d.RequestID)
}

func TestHeadIsAnsweredAsGetWithoutTheBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, tenant.ErrGone) }))
	defer server.Close()
	get, err := server.Client().Get(server.URL + "/v1/notes")
	require.NoError(t, err)
	body, err := io.ReadAll(get.Body)
	require.NoError(t, err)
	require.NoError(t, get.Body.Close())
	assert.Equal(t, byte('\n'), body[len(body)-1])

	head, err := server.Client().Head(server.URL + "/v1/notes")
	require.NoError(t, err)
	require.NoError(t, head.Body.Close())
	assert.Equal(t, http.StatusGone, head.StatusCode)
	get.Header.Del("Date")
	head.Header.Del("Date")
	assert.Equal(t, get.Header, head.Header, "the length too")

	r := httptest.NewRequest(http.MethodHead, "/v1/notes", nil)
	assert.Empty(t, write(t, r, tenant.ErrGone).Body.Bytes(), "nor on a writer that takes one")
}

func TestHandlersForOtherRouters(t *testing.T) {
	t.Parallel()
	a := answer{httptest.NewRecorder()}
	problem.NotFound(a, request())
	d := a.document(t)
	assert.Equal(t, tenant.CodeNotFound, d.Code)
	assert.Equal(t, http.StatusNotFound, d.Status)

	a = answer{httptest.NewRecorder()}
	a.Header().Set("Allow", "GET, HEAD")
	problem.MethodNotAllowed(a, request())
	d = a.document(t)
	assert.Equal(t, tenant.CodeMethodNotAllowed, d.Code)
	assert.Equal(t, http.StatusMethodNotAllowed, d.Status)
	assert.Equal(t, "GET, HEAD", a.Header().Get("Allow"))
}

func TestOfIsTheDocumentThatWriteSends(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(tenant.NewRequestIDContext(t.Context(), "req-1"), http.MethodGet, "/notes/1", nil)
	for _, err := range []error{tenant.ErrGone, errors.New("select secret from t_1"), context.Canceled, &http.MaxBytesError{Limit: 1}} {
		w := httptest.NewRecorder()
		problem.Write(w, r, err)
		var sent problem.Document
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &sent))
		got := problem.Of(r, err)
		assert.Equal(t, sent, got)
		assert.Equal(t, w.Code, got.Status)
		assert.NotContains(t, got.Detail, "secret")
	}
}
