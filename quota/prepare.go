package quota

import "time"

// prepare takes what leases of this process have, and makes the ask of the rest.
func (a *attempt) prepare() {
	l := a.limiter
	now := l.now()
	a.ask.Keep = l.keep(a.plan)
	for i := range a.terms {
		t := &a.terms[i]
		switch {
		case t.unlimited():
		case t.rate != nil:
			a.prepareRate(t, now)
		case t.slots != nil:
			ask := SlotAsk{Name: t.Limit, Limit: t.slots.Limit, Shadow: t.slots.Shadow}
			if t.N > 0 {
				ask.ID, ask.TTL = a.slot.id, l.cfg.SlotTTL
			}
			t.asked = len(a.ask.Slots)
			a.ask.Slots = append(a.ask.Slots, ask)
		default:
			u := UnitsAsk{
				Name: t.Limit, Period: t.period, Limit: t.units.Limit, Cost: t.N,
				AtMost: t.AtMost, Soft: t.units.Soft, Shadow: t.units.Shadow, Seeded: true,
			}
			if l.cfg.Units != nil {
				u.Seeded, u.MaxAge = false, l.cfg.UnitsAge
			}
			t.asked = len(a.ask.Units)
			a.ask.Units = append(a.ask.Units, u)
		}
	}
}

func (a *attempt) prepareRate(t *term, now time.Duration) {
	l := a.limiter
	ask := RateAsk{
		Name: t.Limit, Interval: t.rate.Interval(), Burst: t.rate.Bucket(),
		Cost: t.N, AtMost: t.AtMost, Shadow: t.rate.Shadow,
	}
	if t.N > 0 && l.leases(t.rate) {
		if k := l.held.make(a.in); k != nil {
			k.mu.Lock()
			g := k.makeRate(t.Limit)
			switch {
			case g == nil:
			case g.has(t.rate, t.N, now):
				t.leased = &taken{from: g, serial: g.serial}
				g.take(&t.leased.state, t.N, now)
			case g.refilling:
				g.missed++
			default:
				ask.Lease = l.renew(g, t.rate, now)
				t.refill = g
			}
			k.mu.Unlock()
		}
	}
	if t.leased == nil {
		t.asked = len(a.ask.Rates)
		a.ask.Rates = append(a.ask.Rates, ask)
	}
}

// keep is how long a tenant of a plan is to be remembered.
func (l *Limiter) keep(plan *Plan) time.Duration {
	keep := max(l.cfg.Lease.TTL, l.cfg.SlotTTL)
	for i := range plan.Rates {
		if r := &plan.Rates[i]; r.Limit != Unlimited {
			keep = max(keep, time.Duration(r.Bucket())*r.Interval()+l.cfg.Lease.TTL)
		}
	}
	if len(plan.Units) > 0 {
		keep = max(keep, keepUnits)
		if l.cfg.Units == nil { // nobody else knows
			keep = max(keep, MaxPer+24*time.Hour)
		}
	}
	return keep
}

// keepUnits is how long the running count of a tenant that does nothing is kept. After it,
// the source of units is asked.
const keepUnits = time.Hour

// land takes over what the backend's answer says of leases and refusals; nil when there is
// none. sent is false when it was not even asked.
func (a *attempt) land(answer *Answer, sent bool) {
	for i := range a.terms {
		t := &a.terms[i]
		if t.rate == nil || t.asked < 0 {
			continue
		}
		if t.refill == nil && (answer == nil || !answer.Rates[t.asked].Denied) {
			continue
		}
		a.landRate(t, answer, sent)
	}
}

func (a *attempt) landRate(t *term, answer *Answer, sent bool) {
	g := t.refill
	if g == nil {
		k := a.limiter.held.make(a.in)
		if k == nil {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if g = k.makeRate(t.Limit); g == nil {
			return
		}
	} else {
		g.of.mu.Lock()
		defer g.of.mu.Unlock()
	}
	if answer == nil {
		g.refilling = false
		if sent { // it may have been done or not, so the lease is left to end by itself
			g.lease, g.used = "", 0
		}
		return
	}
	r := answer.Rates[t.asked]
	ask := a.ask.Rates[t.asked]
	if t.refill != nil {
		g.learn(t.rate)
		g.landed(ask.Lease, r.Leased, a.sent)
	} else if g.lease == "" && !g.refilling {
		g.learn(t.rate)
	}
	g.left, g.full = r.Remaining, a.sent+r.ResetAfter
	if remember := min(r.RetryAfter, a.limiter.cfg.RememberDenials); r.Denied && remember > 0 {
		g.denied, g.deniedCost, g.retry = a.sent+remember, t.N, a.sent+r.RetryAfter
		if t.AtMost {
			g.deniedCost = 1
		}
	}
}

// putBack gives the tokens back that were taken from leases.
func (a *attempt) putBack() {
	for i := range a.terms {
		if t := &a.terms[i]; t.leased != nil {
			t.leased.putBack(t.N)
		}
	}
}
