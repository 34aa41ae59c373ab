package quota

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// CostFunc says what a request takes of which limits of its tenant's plan. It may look at
// the tenant and the principal in the request's context, and at its header; it must not
// read the body. A Request without costs passes uncounted. With an error nothing is taken,
// and the request is answered with it.
type CostFunc func(r *http.Request) (Request, error)

// Each is the [CostFunc] of requests that all cost the same.
func Each(costs ...Cost) CostFunc {
	req := Request{Costs: costs}
	return func(*http.Request) (Request, error) { return req, nil }
}

// MiddlewareConfig says how [Limiter.NewMiddleware] works. Cost is needed.
type MiddlewareConfig struct {
	// Cost says what a request takes.
	Cost CostFunc

	// HoldSlots has Cost name limits of concurrency too, with an N of 1: their slots are
	// held until the handler returns or panics.
	HoldSlots bool

	// OnError answers a request that is refused, or that can't be decided. It must write a
	// response. What the client may know of the limits is in the header already. The error
	// is a [tenant.Error] wherever a client may see why. Nil means [problem.Write].
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// NewMiddleware makes a middleware that lets requests through which their tenant's plan
// allows. It takes the tenant from the context, so it stands behind package resolve; and it
// stands behind what asks who acts, so that a request that is refused by a guard takes
// nothing from the tenant that it names.
//
// Each response tells the limits, see [Decision.WriteHeaders], and handlers find the
// decision by [FromContext]. Errors go out as [problem.Write] writes them:
//
//   - tenant_required, and those of [tenant.Tenant.Usable], for the tenant in the context,
//   - quota_exceeded when a limit refuses, with Retry-After unless it will never do else,
//   - unavailable, with Retry-After, when the backend is away and a limit is [Closed], and
//     when the tenant's plan can't be told,
//   - forbidden when a cost is more than the burst of a rate,
//   - that of Cost,
//   - internal for a plan or a limit that is not there, and for a cost that is none.
//
// What was taken stays taken when the handler fails; [Limiter.Refund] gives it back.
func (l *Limiter) NewMiddleware(cfg MiddlewareConfig) (func(http.Handler) http.Handler, error) {
	if cfg.Cost == nil {
		return nil, errors.New("quota: MiddlewareConfig.Cost is nil: it says what a request takes, such as quota.Each(quota.Cost{Limit: \"requests\", N: 1})")
	}
	if cfg.OnError == nil {
		cfg.OnError = problem.Write
	}
	return func(next http.Handler) http.Handler {
		return &middleware{limiter: l, cfg: cfg, next: next}
	}, nil
}

// middleware is what [Limiter.NewMiddleware] makes.
type middleware struct {
	limiter *Limiter
	cfg     MiddlewareConfig
	next    http.Handler
}

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	slot, d, err := m.admit(r)
	if err != nil {
		m.cfg.OnError(w, r, shown(err))
		return
	}
	d.WriteHeaders(w.Header())
	if !d.Allowed {
		m.cfg.OnError(w, r, refusal(d))
		return
	}
	if slot != nil {
		// A backend that can't be reached has the slot end by itself; the request is done.
		defer func() { _ = slot.Release(context.WithoutCancel(r.Context())) }()
	}
	m.next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), d)))
}

// admit decides a request. The slot is nil when none is held.
func (m *middleware) admit(r *http.Request) (*Slot, Decision, error) {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return nil, Decision{}, err
	}
	req, err := m.cfg.Cost(r)
	if err != nil {
		return nil, Decision{}, err
	}
	if m.cfg.HoldSlots {
		return m.limiter.Acquire(r.Context(), t, req)
	}
	d, err := m.limiter.Admit(r.Context(), t, req)
	return nil, d, err
}

// shown is an error as a client may see it. Those that the program is to blame for stay
// what they are, and so become internal.
func shown(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	if cost, tooMuch := errors.AsType[*CostError](err); tooMuch {
		return &tenant.Error{
			Code:   tenant.CodeForbidden,
			Detail: fmt.Sprintf("the request takes %d of the limit %q, of which the plan has %d at most", cost.Cost, cost.Limit, cost.Most),
			Err:    err,
		}
	}
	for _, mistake := range []error{ErrUnknownPlan, ErrBadPlan, ErrUnknownLimit, ErrBadRequest} {
		if errors.Is(err, mistake) {
			return err
		}
	}
	return &tenant.Error{
		Code: tenant.CodeUnavailable, RetryAfter: time.Second,
		Detail: "limits can't be checked at the moment; try again", Err: err,
	}
}

// refusal is the error of a decision that refuses. A slot may be given back at any moment,
// and nobody can tell when: clients are to wait a second, lest they ask at once.
func refusal(d Decision) error {
	err := d.Err()
	refused, ok := errors.AsType[*tenant.Error](err)
	binding, _ := d.Limit(d.Binding)
	if !ok || refused.RetryAfter > 0 || binding.Kind != KindConcurrency || binding.Limit == 0 {
		return err
	}
	later := *refused
	later.RetryAfter = time.Second
	return &later
}
