package quota

import "sync/atomic"

// Stats are the numbers of a [Limiter] since it was made, for metrics.
type Stats struct {
	Admitted map[Source]int64 // requests that were allowed, by the source of the decision
	Denied   map[Source]int64 // requests that were refused

	ShadowDenied  int64 // limits that would have refused a request if they were no shadows
	BackendCalls  int64
	BackendErrors int64 // calls that failed, those of the source of units too
	BreakerOpen   bool  // the backend is being left alone at the moment
	LeasedTokens  int64 // that this process holds at the moment
	Slots         int64 // that this process holds at the moment
	Tenants       int64 // of which this process holds something at the moment
}

// tally counts for [Stats].
type tally struct {
	admitted, denied             [len(sources)]atomic.Int64
	shadow, calls, errors, slots atomic.Int64
}

func (t *tally) decided(d *Decision) {
	i := d.Source.rank()
	if d.Allowed {
		t.admitted[i].Add(1)
	} else {
		t.denied[i].Add(1)
	}
}

// Stats are the numbers now. It looks at all tenants of which this process holds something:
// call it once in some seconds.
func (l *Limiter) Stats() Stats {
	s := Stats{
		Admitted: make(map[Source]int64), Denied: make(map[Source]int64),
		ShadowDenied: l.tally.shadow.Load(), BackendCalls: l.tally.calls.Load(), BackendErrors: l.tally.errors.Load(),
		BreakerOpen: l.breaker.isOpen(), LeasedTokens: l.held.tokens(), Slots: l.tally.slots.Load(), Tenants: l.held.count.Load(),
	}
	for i, source := range sources {
		s.Admitted[source] = l.tally.admitted[i].Load()
		s.Denied[source] = l.tally.denied[i].Load()
	}
	return s
}
