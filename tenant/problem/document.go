package problem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// ContentType is the media type of a [Document] (RFC 9457, 6.1).
const ContentType = "application/problem+json"

// Document is what [Write] sends, for clients and tests in Go to read it into.
type Document struct {
	Type      string              `json:"type"`     // a URI that says what Code says; about:blank for a product's own codes
	Title     string              `json:"title"`    // the code in words, the same for each problem of the code
	Status    int                 `json:"status"`   // as in the response
	Detail    string              `json:"detail"`   // this problem in words
	Instance  string              `json:"instance"` // the path of the request, its beginning when it is very long
	Code      tenant.Code         `json:"code"`
	RequestID string              `json:"request_id,omitempty"` // empty without the middleware RequestID
	Errors    []tenant.FieldError `json:"errors,omitempty"`     // for validation_failed: each reason
}

// maxInstance bounds the path that a document repeats. Of a longer one it has the beginning.
const maxInstance = 2048

// Of is the document that [Write] would send, for frameworks that write responses
// themselves. Its Status is the response's, and its media type is ContentType.
func Of(r *http.Request, err error) Document { return newDocument(r, visible(err)) }

func newDocument(r *http.Request, e *tenant.Error) Document {
	code := cmp.Or(e.Code, tenant.CodeInternal)
	k, ours := kindOf(code)
	d := Document{
		Type:      typeBase + string(code),
		Title:     k.title,
		Status:    k.status,
		Instance:  instance(r),
		Code:      code,
		RequestID: tenant.RequestIDFromContext(r.Context()),
		Errors:    e.Fields,
	}
	if e.Status >= 400 && e.Status <= 599 {
		d.Status = e.Status
	}
	if !ours {
		d.Type = "about:blank" // whose title is that of the status (RFC 9457, 4.2.1)
		d.Title = cmp.Or(http.StatusText(d.Status), "Error")
	}
	d.Detail = cmp.Or(e.Detail, k.detail, d.Title)
	return d
}

// visible is what a client may know of an error.
func visible(err error) *tenant.Error {
	if e, ok := errors.AsType[*tenant.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &tenant.Error{
			Code:   tenant.CodePayloadTooLarge,
			Detail: fmt.Sprintf("the body of the request is longer than %d bytes", e.Limit),
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &tenant.Error{Code: tenant.CodeUnavailable, Detail: "the service did not answer in time"}
	}
	return &tenant.Error{Code: tenant.CodeInternal}
}

// instance is the path that the client asked for: that of the request line, because a
// middleware may have taken a prefix off r.URL. The query stays out, for it may hold
// secrets that have no place in a document that is kept.
func instance(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		u = r.URL // a request that no server read
	}
	path := cmp.Or(u.EscapedPath(), "/") // which an empty path means (RFC 9110, 4.2.3)
	if len(path) > maxInstance {
		path = path[:maxInstance]
		if last := strings.LastIndexByte(path, '%'); last > maxInstance-len("%2F") {
			path = path[:last] // no half of an escape
		}
	}
	return path
}
