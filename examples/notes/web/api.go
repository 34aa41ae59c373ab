package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// api calls the service's routes in this process, as a client would over the wire.
type api struct {
	handler http.Handler
	host    string
}

// call is one request to the API.
type call struct {
	method, path string
	token        string // of the user; empty for none
	tenant       string // slug that the header names; empty for none
	header       http.Header
	body         any // as JSON; nil for none
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// do makes a call on behalf of r. The request id and the peer are those of r, so that the
// log and limits by address see one client.
func (a api) do(r *http.Request, c call) (answer, error) {
	var body io.Reader = http.NoBody
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(text)
	}
	out, err := http.NewRequestWithContext(withoutTenant(r.Context()), c.method, "http://"+a.host+c.path, body)
	if err != nil {
		return answer{}, err
	}
	maps.Copy(out.Header, c.header)
	out.RemoteAddr = r.RemoteAddr
	out.Header.Set(problem.RequestIDHeader, tenant.RequestIDFromContext(r.Context()))
	if c.body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		out.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.tenant != "" {
		out.Header.Set(resolve.HeaderSlug, c.tenant)
	}
	got := &recorder{header: make(http.Header), status: http.StatusOK}
	a.handler.ServeHTTP(got, out)
	return answer{got.status, got.header, got.body.Bytes()}, nil
}

// withoutTenant is ctx as a request from outside would begin with: its time limit alone.
func withoutTenant(ctx context.Context) context.Context { return bare{ctx} }

type bare struct{ context.Context } //nolint:containedctx // it is a context itself

// Value implements [context.Context].
func (bare) Value(any) any { return nil }

// failed is what is wrong with an answer, if anything is.
func (a answer) failed() (failure, bool) {
	if a.Status < http.StatusBadRequest {
		return failure{}, false
	}
	f := failure{RetryAfter: a.Header.Get("Retry-After")}
	if err := json.Unmarshal(a.Body, &f.Document); err != nil || f.Status == 0 {
		f = refuse(a.Status, tenant.CodeInternal, "the service gave no reason").failure
	}
	return f, true
}

// into reads an answer that is JSON.
func (a answer) into(v any) error { return json.Unmarshal(a.Body, v) }

// recorder takes a response.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.wrote = true
	return w.body.Write(b)
}
