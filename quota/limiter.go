package quota

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Limiter decides what tenants may do, by their plans. Make one with [New]. It may be used
// by several goroutines at once, and is to be closed.
type Limiter struct {
	backend Backend
	local   *Memory // counts while backend is away
	plans   Plans
	cfg     Config
	start   time.Time // what now counts from

	breaker breaker
	held    holdings
	seeds   seeds
	zones   zones
	ids     ids
	tally   tally

	ending  sync.Mutex // held to close, and to begin what Close waits for
	closed  atomic.Bool
	quit    func()         // ends what works in the background
	running sync.WaitGroup // goroutines
}

// New makes a Limiter that counts in backend, which stays the caller's to close.
func New(backend Backend, plans Plans, cfg Config) (*Limiter, error) {
	switch {
	case backend == nil:
		return nil, errors.New("quota: backend is nil: it needs NewRedis or NewMemory")
	case plans == nil:
		return nil, errors.New("quota: plans are nil: it needs NewPlans, or others")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("quota: %w", err)
	}
	l := &Limiter{
		backend: backend, local: NewMemory(cfg.Now), plans: plans, cfg: cfg,
		breaker: breaker{failures: cfg.Breaker.Failures, pause: cfg.Breaker.Pause},
	}
	if l.ids, err = newIDs(cfg.Random); err != nil {
		return nil, fmt.Errorf("quota: %w", err)
	}
	l.start = l.wall().Add(-time.Nanosecond) // so that 0 is before all that happens
	l.held.most = int64(cfg.MaxTenants)
	ctx, cancel := context.WithCancel(context.Background())
	l.quit = cancel
	l.running.Go(func() { l.tend(ctx) })
	return l, nil
}

// wall is the time of the calendar.
func (l *Limiter) wall() time.Time {
	if l.cfg.Now == nil {
		return time.Now()
	}
	return l.cfg.Now()
}

// now is the time since the Limiter was made. It is half the price of [time.Now].
func (l *Limiter) now() time.Duration {
	if l.cfg.Now == nil {
		return time.Since(l.start)
	}
	return l.cfg.Now().Sub(l.start)
}

// Admit decides whether t may do what req costs, and takes it when it may: from all limits
// or from none. That a limit refuses is not an error but a [Decision], and so is a backend
// that is away.
//
// The errors are [tenant.ErrRequired] for the zero Tenant, [ErrUnknownPlan] and others of
// the [Plans], [ErrBadPlan], [ErrUnknownLimit], [ErrBadRequest], a [*CostError], [ErrClosed],
// that of a hook, and ctx's own when it ends first. With an error nothing is admitted.
func (l *Limiter) Admit(ctx context.Context, t tenant.Tenant, req Request) (Decision, error) {
	return l.admit(ctx, t, req, nil)
}

// admit is Admit, and with a slot Acquire.
func (l *Limiter) admit(ctx context.Context, t tenant.Tenant, req Request, slot *Slot) (d Decision, err error) {
	if t.ID.IsZero() {
		return Decision{}, tenant.ErrRequired
	}
	if l.closed.Load() {
		return Decision{}, ErrClosed
	}
	if l.cfg.Hooks.BeforeAdmit != nil {
		if err := l.cfg.Hooks.BeforeAdmit(ctx, t, req); err != nil {
			return Decision{}, err
		}
	}
	plan, quick, err := l.planAndQuick(ctx, &d, &t, req.Costs)
	if err != nil {
		return Decision{}, err
	}
	if !quick {
		a, err := l.newAttempt(t.ID, plan, req, slot)
		if err != nil {
			return Decision{}, err
		}
		if d, err = a.decide(ctx); err != nil {
			return Decision{}, err
		}
		l.tell(ctx, t, d)
	} else if !d.Allowed && l.cfg.Hooks.OnDeny != nil {
		l.cfg.Hooks.OnDeny(ctx, t, d)
	}
	l.tally.decided(&d)
	return d, nil
}

// planAndQuick decides by what this process holds, and finds the plan where that is not enough.
func (l *Limiter) planAndQuick(ctx context.Context, d *Decision, t *tenant.Tenant, costs []Cost) (*Plan, bool, error) {
	if set, ok := l.plans.(*PlanSet); ok { // which has it without a copy
		plan, err := set.plan(t)
		return plan, err == nil && l.quick(d, plan, t.ID, costs), err
	}
	plan, err := l.plans.Plan(ctx, *t)
	if err != nil || l.quick(d, &plan, t.ID, costs) {
		return nil, err == nil, err
	}
	kept := plan // on the heap, where the quick way needs it not
	return &kept, false, nil
}

// ErrClosed is what a [Limiter] returns after its Close.
var ErrClosed = errors.New("quota: the limiter is closed")

// Peek tells the state of all limits of the tenant's plan, in the plan's order: rates,
// concurrency, units. It takes nothing, refuses nothing, and calls no hooks. While the
// backend is away, the Source of a limit says that its numbers are not known. The errors
// are those of [Limiter.Admit].
func (l *Limiter) Peek(ctx context.Context, t tenant.Tenant) (Decision, error) {
	if t.ID.IsZero() {
		return Decision{}, tenant.ErrRequired
	}
	if l.closed.Load() {
		return Decision{}, ErrClosed
	}
	plan, err := l.plans.Plan(ctx, t)
	if err != nil {
		return Decision{}, err
	}
	var req Request
	for i := range plan.Rates {
		req.Costs = append(req.Costs, Cost{Limit: plan.Rates[i].Name})
	}
	for i := range plan.Concurrency {
		req.Costs = append(req.Costs, Cost{Limit: plan.Concurrency[i].Name})
	}
	for i := range plan.Units {
		req.Costs = append(req.Costs, Cost{Limit: plan.Units[i].Name})
	}
	a, err := l.newAttempt(t.ID, &plan, req, nil)
	if err != nil {
		return Decision{}, err
	}
	return a.decide(ctx)
}

// Refund gives back what d has taken of rates and units, for work that was not done. It is
// called once at most for a decision, with the tenant that it was for. What was admitted
// while the backend was away was not taken from it, and is not given back. The errors are
// those of the [Plans] and the backend.
func (l *Limiter) Refund(ctx context.Context, t tenant.Tenant, d Decision) error {
	if t.ID.IsZero() {
		return tenant.ErrRequired
	}
	plan, err := l.plans.Plan(ctx, t)
	if err != nil {
		return err
	}
	var back Back
	for _, s := range d.Limits {
		if s.Granted == 0 {
			continue
		}
		counted := s.Source == SourceBackend || s.Source == SourceLease
		r := findRate(&plan, s.Name)
		switch {
		case s.period != nil:
			if counted {
				back.Units = append(back.Units, UnitsBack{Name: s.Name, Period: *s.period, N: s.Granted})
			}
			l.record(ctx, t.ID, s.Name, *s.period, -s.Granted)
		case s.Source == SourceLease && r != nil && l.held.putBack(t.ID, r, s.Granted, l.now()):
		case counted && s.Kind == KindRate:
			back.Rates = append(back.Rates, RateBack{Name: s.Name, Tokens: s.Granted})
			l.held.forgive(t.ID, s.Name)
		}
	}
	if len(back.Rates) == 0 && len(back.Units) == 0 {
		return nil
	}
	return l.giveBack(ctx, t.ID, back)
}

func (l *Limiter) record(ctx context.Context, in tenant.ID, name string, p Period, n int64) {
	if l.cfg.Recorder != nil && n != 0 {
		l.cfg.Recorder.Record(ctx, UnitsUse{Tenant: in, Name: name, Period: p, N: n})
	}
}

// enter lets a goroutine begin that Close waits for, unless it has been called.
func (l *Limiter) enter() bool {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.closed.Load() {
		return false
	}
	l.running.Add(1)
	return true
}

// Close gives back the leases of this process and ends its goroutines. From then on nothing
// is admitted, and slots are no longer renewed: release them before. It ends with ctx at
// the latest, and gives up when the backend has failed several times in a row. It may be
// called again. The errors are those of the backend; what was not given back ends by itself.
func (l *Limiter) Close(ctx context.Context) error {
	l.ending.Lock()
	again := l.closed.Swap(true)
	l.ending.Unlock()
	if again {
		return nil
	}
	l.quit()
	ended := make(chan struct{})
	go func() {
		l.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		// What still runs ends with the time-out of a call.
	}
	return l.settle(ctx, func(*holding) bool { return true })
}
