package quota

import (
	"cmp"
	"time"
)

// sources are all of them, from the truth to what is furthest from it.
var sources = [...]Source{SourcePlan, SourceBackend, SourceLease, SourceMemory, SourceLocal, SourceOpen, SourceClosed}

// rank is a source's place among them.
func (s Source) rank() int {
	switch s {
	case SourcePlan:
		return 0
	case SourceBackend:
		return 1
	case SourceLease:
		return 2
	case SourceMemory:
		return 3
	case SourceLocal:
		return 4
	case SourceOpen:
		return 5
	case SourceClosed:
	}
	return 6
}

// decision is what follows from an answer of the backend's.
func (a *attempt) decision(answer Answer) Decision {
	d := a.blank()
	for i := range a.terms {
		t := &a.terms[i]
		switch {
		case t.leased != nil:
			d.Limits[i] = t.leased.state
		case t.lost:
			a.awayState(&d.Limits[i], t)
		case t.asked < 0:
			d.Limits[i].Granted = t.N
		default:
			a.countedState(&d.Limits[i], t, answer)
		}
	}
	conclude(&d)
	return d
}

// blank is a decision with the limits of all terms, as if the plan let them pass.
func (a *attempt) blank() Decision {
	d := Decision{Plan: a.plan.Name, PlanVersion: a.plan.Version, Limits: make([]LimitState, len(a.terms))}
	for i := range a.terms {
		t, s := &a.terms[i], &d.Limits[i]
		*s = LimitState{Name: t.Limit, Limit: Unlimited, Cost: t.N, Shadow: t.shadow(), Source: SourcePlan}
		switch {
		case t.rate != nil:
			s.Kind = KindRate
			if !t.unlimited() {
				s.Limit = t.rate.Bucket()
				s.Per = time.Duration(s.Limit) * t.rate.Interval()
			}
		case t.slots != nil:
			s.Kind = KindConcurrency
			s.Limit = t.slots.Limit
		default:
			s.Kind = KindUnits
			s.Limit = t.units.Limit
			s.period = &t.period
			if !t.unlimited() {
				s.Per = t.period.End.Sub(t.period.Start)
			}
		}
	}
	return d
}

// countedState is what the backend says of a term.
func (a *attempt) countedState(s *LimitState, t *term, answer Answer) {
	s.Source = SourceBackend
	switch s.Kind {
	case KindRate:
		r := answer.Rates[t.asked]
		s.Denied, s.Granted, s.Remaining = r.Denied, r.Granted, r.Remaining+r.Leased
		s.ResetAfter, s.RetryAfter = r.ResetAfter, r.RetryAfter
	case KindConcurrency:
		c := answer.Slots[t.asked]
		s.Denied, s.Remaining = c.Denied, max(s.Limit-c.Held, 0)
		if c.Granted {
			s.Granted = 1
		}
	case KindUnits:
		u := answer.Units[t.asked]
		s.Denied, s.Granted, s.Remaining = u.Denied, u.Granted, max(s.Limit-u.Used, 0)
		s.Over = u.Used > s.Limit
		s.ResetAfter = t.period.End.Sub(a.limiter.wall())
		if u.Denied && (t.N <= s.Limit || t.AtMost && s.Limit > 0) {
			s.RetryAfter = s.ResetAfter
		}
	}
}

// conclude fills in what follows from the limits' states.
func conclude(d *Decision) {
	d.Allowed, d.Source = true, SourcePlan
	for i := range d.Limits {
		s := &d.Limits[i]
		if s.Source.rank() > d.Source.rank() {
			d.Source = s.Source
		}
		if !s.Denied || s.Shadow {
			continue
		}
		if d.Allowed || s.RetryAfter > d.RetryAfter {
			d.Binding, d.RetryAfter = s.Name, s.RetryAfter
		}
		d.Allowed = false
	}
	if d.Allowed {
		d.Binding = scarcest(d.Limits)
		return
	}
	for i := range d.Limits {
		d.Limits[i].Granted = 0
	}
}

// scarcest is the name of the limit of which the smallest share remains.
func scarcest(limits []LimitState) string {
	name, least := "", 0.0
	for i := range limits {
		s := &limits[i]
		if s.Limit == Unlimited || s.Source == SourceOpen || s.Source == SourceClosed {
			continue
		}
		if share := float64(s.Remaining) / float64(cmp.Or(s.Limit, 1)); name == "" || share < least {
			name, least = s.Name, share
		}
	}
	return name
}
