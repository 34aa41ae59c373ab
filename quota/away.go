package quota

import (
	"context"
	"math"
	"time"
)

// away decides each term by its [WhenAway].
func (a *attempt) away(ctx context.Context) Decision {
	d := a.blank()
	counted := a.ask
	// What is taken of a share takes as much longer to come back.
	a.ask = Ask{Keep: longer(counted.Keep, a.limiter.cfg.LocalShare)}
	closed := false
	for i := range a.terms {
		t := &a.terms[i]
		switch {
		case t.leased != nil:
			d.Limits[i] = t.leased.state
			continue
		case t.asked < 0 && !t.lost:
			d.Limits[i].Granted = t.N
			continue
		case t.whenAway() == Local:
			a.askLocal(t, counted)
			continue
		}
		t.asked = -1
		a.awayState(&d.Limits[i], t)
		closed = closed || t.closed()
	}
	if closed {
		for i := range a.ask.Rates {
			a.ask.Rates[i].Cost = 0
		}
		for i := range a.ask.Slots {
			a.ask.Slots[i].ID = ""
		}
	}
	// With a context of its own: what this process counts takes no time.
	answer, _ := a.limiter.local.Admit(context.WithoutCancel(ctx), a.in, a.ask)
	for i := range a.terms {
		if t := &a.terms[i]; t.leased == nil && t.asked >= 0 {
			a.countedState(&d.Limits[i], t, answer)
			d.Limits[i].Source = SourceLocal
		}
	}
	conclude(&d)
	return d
}

// awayState is the state of a limit that nobody counts at the moment.
func (a *attempt) awayState(s *LimitState, t *term) {
	if t.whenAway() == Open {
		s.Source, s.Granted = SourceOpen, t.N
		return
	}
	s.Source, s.Denied = SourceClosed, t.N > 0
	if t.shadow() {
		s.Granted = t.N
	}
	if s.Denied {
		s.RetryAfter = a.limiter.cfg.Breaker.Pause
	}
}

// askLocal asks the memory of this process for its share of a limit.
func (a *attempt) askLocal(t *term, counted Ask) {
	share := a.limiter.cfg.LocalShare
	if t.rate != nil {
		ask := counted.Rates[t.asked]
		ask.Burst = portion(ask.Burst, share)
		ask.Interval = longer(ask.Interval, share)
		ask.Lease = LeaseAsk{}
		t.asked = len(a.ask.Rates)
		a.ask.Rates = append(a.ask.Rates, ask)
		return
	}
	ask := counted.Slots[t.asked]
	ask.Limit = portion(ask.Limit, share)
	t.asked = len(a.ask.Slots)
	a.ask.Slots = append(a.ask.Slots, ask)
}

// portion is a share of what there is, in whole ones: rounded down, lest the processes admit
// more together than there is, and at least one of it.
func portion(of int64, share float64) int64 {
	return max(min(of, 1), int64(float64(of)*share))
}

// longer is how long it takes by a share what takes d by all, in whole microseconds. It ends
// at [MaxFill], lest it turns over.
func longer(d time.Duration, share float64) time.Duration {
	us := math.Ceil(float64(d.Microseconds()) / share)
	return time.Duration(min(us, float64(MaxFill.Microseconds()))) * time.Microsecond
}
