package web

import (
	"errors"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// failure is an answer that is a problem.
type failure struct {
	problem.Document
	RetryAfter string // in seconds; empty when nothing is known
}

// refused is what the API has refused, as an error.
type refused struct{ failure }

func (r refused) Error() string { return string(r.Code) + ": " + r.Detail }

// refuse is a refusal of the page's own.
func refuse(status int, code tenant.Code, detail string) refused {
	return refused{failure{Document: problem.Document{Status: status, Title: http.StatusText(status), Code: code, Detail: detail}}}
}

// writeProblem answers with a problem, of which [page.readable] makes a page.
func writeProblem(w http.ResponseWriter, r *http.Request, status int, code tenant.Code, detail string) {
	problem.Write(w, r, &tenant.Error{Code: code, Status: status, Detail: detail})
}

// advice is what a person can do about a refusal, by its code.
var advice = map[tenant.Code]string{
	"quota_exceeded":      "The quota is this tenant's alone: the others go on as before. It fills up again by itself; Usage shows how fast.",
	"forbidden":           "What you may do depends on your role in this tenant. An owner or an admin can give you another one.",
	"not_a_member":        "Choose one of your own tenants at the top.",
	"tenant_suspended":    "Its operator has suspended this tenant. Choose another one at the top.",
	"tenant_gone":         "This tenant was deleted. Choose another one at the top.",
	"email_mismatch":      "An invitation is for one address. Sign in with the address that was invited.",
	"invite_expired":      "It was used, withdrawn or replaced by a newer one. Ask for another invitation.",
	"not_found":           "It may have been deleted, or never have been, or belong to another tenant: the service makes no difference between these.",
	"note_not_found":      "It may have been deleted, or never have been, or belong to another tenant: the service makes no difference between these.",
	"seat_limit_reached":  "Remove a member or withdraw an invitation, or have the tenant put on a larger plan.",
	"precondition_failed": "Yours stands here, and below it what is stored now. Save yours over it, or take the other.",
	"internal":            "That is our fault. The log of the service knows more under the number of the request.",
	"unavailable":         "A part of the service can't be reached at the moment. Try again soon.",
}

// Advice is what a person can do about it; empty when there is nothing to say.
func (f failure) Advice() string { return advice[f.Code] }

// Passing reports whether the same request may well succeed later.
func (f failure) Passing() bool {
	return f.Status == http.StatusTooManyRequests || f.Status >= http.StatusInternalServerError
}

// fail tells what went wrong, with the status of the API's own answer.
func (p *page) fail(v *visit, told failure) {
	if told.RetryAfter != "" {
		v.w.Header().Set("Retry-After", told.RetryAfter)
	}
	out := v.view(told.Title, "", map[string]any{"Failure": told, "Kept": v.kept, "Action": v.r.URL.Path})
	out.Flash, out.Refused, out.Refusal = "", true, nil
	p.render(v.w, told.Status, "failure", out)
}

// serve answers a visit, also when it fails. What is no refusal is a fault, which is logged.
func (p *page) serve(v *visit, next visitHandler) {
	err := next(v)
	if told, isRefused := errors.AsType[refused](err); isRefused {
		p.fail(v, told.failure)
	} else if err != nil {
		problem.Write(v.w, v.r, err)
	}
}

// readable makes pages of the problems with which a router answers, a panic ends, or a fault
// is told: whoever looks with a browser reads them. The answer is held back until it is whole.
func (p *page) readable(log *slog.Logger, next http.Handler) http.Handler {
	next = problem.Recover(log)(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := &recorder{header: make(http.Header), status: http.StatusOK}
		next.ServeHTTP(got, r)
		told, bad := answer{got.status, got.header, got.body.Bytes()}.failed()
		if !bad || !isProblem(got.header) {
			maps.Copy(w.Header(), got.header)
			w.WriteHeader(got.status)
			_, _ = w.Write(got.body.Bytes()) // a client that has gone is told nothing
			return
		}
		if allow := got.header["Allow"]; allow != nil {
			w.Header()["Allow"] = allow
		}
		v, err := p.visit(w, r)
		if err != nil { // nobody, as far as can be told
			v = &visit{page: p, w: w, r: r}
		}
		p.fail(v, told)
	})
}

func isProblem(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && strings.EqualFold(kind, problem.ContentType)
}
