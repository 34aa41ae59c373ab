package quota

import (
	"context"
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// term is one cost of a request, with the limit that it is of: one of rate, slots and units
// is not nil.
type term struct {
	Cost
	rate   *Rate
	slots  *Concurrency
	units  *Units
	period Period // of units

	asked  int      // place among its kind in the ask; below 0 for one that is not asked
	leased *taken   // when the cost was taken from a lease of this process
	refill *holding // whose lease this attempt renews
	lost   bool     // units of which nobody knows how many were used
}

// attempt is one request on its way through the backend.
type attempt struct {
	limiter *Limiter
	in      tenant.ID
	plan    *Plan
	terms   []term
	slot    *Slot // nil for Admit
	ask     Ask
	sent    time.Duration
}

// newAttempt finds the limits of a request. The errors are [ErrUnknownLimit],
// [ErrBadRequest], [ErrBadPlan] and [*CostError].
func (l *Limiter) newAttempt(in tenant.ID, plan *Plan, req Request, slot *Slot) (*attempt, error) {
	if len(req.Costs) > MaxLimits {
		return nil, fmt.Errorf("quota: %w: %d costs are more than a plan has limits, %d", ErrBadRequest, len(req.Costs), MaxLimits)
	}
	a := &attempt{limiter: l, in: in, plan: plan, slot: slot, terms: make([]term, 0, len(req.Costs))}
	for i, c := range req.Costs {
		for _, earlier := range req.Costs[:i] {
			if earlier.Limit == c.Limit {
				return nil, fmt.Errorf("quota: %w: limit %q is named twice", ErrBadRequest, c.Limit)
			}
		}
		if c.N < 0 || c.N > MaxCost {
			return nil, fmt.Errorf("quota: %w: limit %q: a cost of %d is not from 0 to %d", ErrBadRequest, c.Limit, c.N, int64(MaxCost))
		}
		t, err := a.find(c)
		if err != nil {
			return nil, err
		}
		a.terms = append(a.terms, t)
	}
	return a, nil
}

// find is the term of a cost.
func (a *attempt) find(c Cost) (term, error) {
	t := term{Cost: c, asked: -1}
	if t.rate = findRate(a.plan, c.Limit); t.rate != nil {
		return t, t.checkRate()
	}
	if t.slots = findSlots(a.plan, c.Limit); t.slots != nil {
		switch {
		case c.N > 0 && a.slot == nil:
			return t, fmt.Errorf("quota: %w: limit %q is a concurrency: Acquire takes its slots, not Admit", ErrBadRequest, c.Limit)
		case c.N > 1 || c.AtMost:
			return t, fmt.Errorf("quota: %w: limit %q is a concurrency, of which a request takes exactly one slot", ErrBadRequest, c.Limit)
		}
		return t, nil
	}
	if t.units = findUnits(a.plan, c.Limit); t.units != nil {
		var err error
		t.period, err = a.limiter.zones.period(t.units, a.limiter.wall())
		return t, err
	}
	return t, fmt.Errorf("quota: %w: %q is no limit of the plan %q", ErrUnknownLimit, c.Limit, a.plan.Name)
}

func (t *term) checkRate() error {
	if t.rate.Limit == Unlimited {
		return nil
	}
	burst := t.rate.Bucket()
	switch {
	case t.rate.Interval() < 1 || burst < 1:
		return fmt.Errorf("quota: %w: limit %q: %w", ErrBadPlan, t.rate.Name, t.rate.check())
	case t.N <= burst:
	case t.AtMost:
		t.N = burst
	case !t.rate.Shadow:
		return &CostError{Limit: t.rate.Name, Cost: t.N, Most: burst}
	}
	return nil
}

// unlimited reports whether the plan lets the term pass without a count.
func (t *term) unlimited() bool {
	switch {
	case t.rate != nil:
		return t.rate.Limit == Unlimited
	case t.slots != nil:
		return t.slots.Limit == Unlimited
	}
	return t.units.Limit == Unlimited
}

func (t *term) shadow() bool {
	switch {
	case t.rate != nil:
		return t.rate.Shadow
	case t.slots != nil:
		return t.slots.Shadow
	}
	return t.units.Shadow
}

func (t *term) whenAway() WhenAway {
	switch {
	case t.rate != nil:
		return t.rate.WhenAway
	case t.slots != nil:
		return t.slots.WhenAway
	}
	if t.units.WhenAway == Local { // which no valid plan says
		return Closed
	}
	return t.units.WhenAway
}

// closed reports whether the term refuses while the backend is away.
func (t *term) closed() bool {
	away := t.whenAway()
	return t.N > 0 && away != Open && away != Local && !t.shadow()
}

// decide asks the backend, and decides without it when it is away.
func (a *attempt) decide(ctx context.Context) (Decision, error) {
	l := a.limiter
	a.prepare()
	if len(a.ask.Rates)+len(a.ask.Slots)+len(a.ask.Units) == 0 {
		return a.finish(ctx, a.decision(Answer{})), nil
	}
	a.sent = l.now()
	if !l.breaker.allow(a.sent) {
		a.land(nil, false)
		return a.finish(ctx, a.away(ctx)), nil
	}
	told := false
	defer func() {
		if !told { // a panic, which says nothing of the backend
			l.breaker.spare()
			a.giveUp()
		}
	}()
	answer, err := a.call(ctx)
	told = true
	switch {
	case err == nil:
		l.succeeded(ctx)
		a.land(&answer, true)
		return a.finish(ctx, a.decision(answer)), nil
	case ctx.Err() != nil:
		l.breaker.spare()
		a.giveUp()
		return Decision{}, fmt.Errorf("quota: %w", ctx.Err())
	}
	l.failed(ctx, err)
	a.land(nil, true)
	a.abandonSlots()
	return a.finish(ctx, a.away(ctx)), nil
}

// giveUp is for an attempt without a decision, of which nobody knows what the backend did.
func (a *attempt) giveUp() {
	a.land(nil, true)
	a.putBack()
	a.abandonSlots()
}

// call asks the backend within the time-out, a second time when it has to be told how many
// units were used.
func (a *attempt) call(ctx context.Context) (Answer, error) {
	l := a.limiter
	deadline := time.Now().Add(l.cfg.Timeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	l.tally.calls.Add(1)
	answer, err := l.backend.Admit(ctx, a.in, a.ask)
	if err != nil {
		return Answer{}, err
	}
	// Half of what is left is the backend's, or a slow source would make it look away.
	asking, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
	defer cancel()
	again, closed := a.seed(asking, answer)
	if !again || closed {
		return answer, nil
	}
	l.tally.calls.Add(1)
	if answer, err = l.backend.Admit(ctx, a.in, a.ask); err != nil {
		return Answer{}, err
	}
	for i := range answer.Units {
		if answer.Units[i].Unknown {
			return Answer{}, fmt.Errorf("quota: the backend doesn't know the units %q that it was told", a.ask.Units[i].Name)
		}
	}
	return answer, nil
}

// seed finds out how many units were used of which the backend has no count. Those of which
// nobody can tell are asked no more, and decided by their WhenAway. It reports whether the
// backend is to be asked again, and whether that is in vain, because some are closed.
func (a *attempt) seed(ctx context.Context, answer Answer) (again, closed bool) {
	l := a.limiter
	for i := range a.terms {
		t := &a.terms[i]
		if t.units == nil || t.asked < 0 || !answer.Units[t.asked].Unknown {
			continue
		}
		again = true
		u := &a.ask.Units[t.asked]
		used, err := l.seeds.used(ctx, l.cfg.Units, seedKey{a.in, u.Name, u.Period})
		if err != nil {
			l.tally.errors.Add(1)
			l.cfg.Logger.WarnContext(ctx, "nobody can tell the units used", "tenant", a.in, "limit", u.Name, "error", err)
			t.lost = true
			closed = closed || t.closed()
			continue
		}
		u.Seed, u.Seeded = max(used, 0), true
	}
	if !again || closed {
		return again, closed
	}
	units := a.ask.Units
	a.ask.Units = nil
	for i := range a.terms {
		if t := &a.terms[i]; t.units != nil && t.asked >= 0 && !t.lost {
			a.ask.Units = append(a.ask.Units, units[t.asked])
			t.asked = len(a.ask.Units) - 1
		}
	}
	return true, false
}

// finish does what follows from a decision: units are recorded, slots held, or what was
// taken from leases goes back.
func (a *attempt) finish(ctx context.Context, d Decision) Decision {
	l := a.limiter
	if !d.Allowed {
		a.putBack()
		// A lease that has come in the meantime may have what the backend has no more.
		var again Decision
		if l.quick(&again, a.plan, a.in, a.costs()) && again.Allowed {
			return again
		}
		return d
	}
	for i := range a.terms {
		switch t := &a.terms[i]; {
		case t.units != nil:
			l.record(ctx, a.in, t.Limit, t.period, d.Limits[i].Granted)
		case t.slots != nil && t.N > 0:
			a.slot.hold(t.Limit, d.Limits[i].Source, a.sent)
		}
	}
	return d
}

// costs are those of the request.
func (a *attempt) costs() []Cost {
	costs := make([]Cost, len(a.terms))
	for i := range a.terms {
		costs[i] = a.terms[i].Cost
	}
	return costs
}
