package quota

import (
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Decision is the answer to a [Request].
type Decision struct {
	// Allowed says whether the request may go on. What it costs has then been taken.
	Allowed bool

	// Plan and PlanVersion are the plan that it was decided by.
	Plan        string
	PlanVersion int64

	// Binding is the name of the limit that decides: of those that refuse, the one that
	// does so for the longest; of a request that is allowed, the one of which the smallest
	// share remains. Empty when the request names no limit that counts.
	Binding string

	// RetryAfter is when the same request may be allowed, if nobody else asks for anything;
	// 0 for a request that is allowed, and where that can't be told.
	RetryAfter time.Duration

	// Limits has each limit that was asked, in the order of the request. When one refuses
	// from memory ([SourceMemory]) it is the only one.
	Limits []LimitState

	// Source is where the answer is from; with several, the one furthest from the truth.
	Source Source
}

// LimitState is what a decision knows of one limit.
type LimitState struct {
	Name string
	Kind Kind

	// Limit is how much there is at most: the burst of a rate, the slots of a concurrency,
	// the units of a month; or [Unlimited], of which the fields below are 0.
	Limit int64

	// Per is how long an empty rate takes to be full again, and how long a month of units
	// is; 0 for a concurrency.
	Per time.Duration

	// Cost is what was asked, and Granted what was taken of it: all of it, or with
	// [Cost.AtMost] a part. Nothing is granted when the request is refused.
	Cost, Granted int64

	// Remaining is how much is left after that. It is what was known when it was decided:
	// another process may have taken it by now.
	Remaining int64

	// ResetAfter is when all of it will be back, if nobody asks for anything: when a rate is
	// full, and when the month ends. 0 for a concurrency.
	ResetAfter time.Duration

	// RetryAfter is when the limit may allow what it refuses now; 0 where that can't be told,
	// as for a concurrency, and for a limit that doesn't refuse.
	RetryAfter time.Duration

	// Denied says that the limit refuses, or would if it were no shadow, and Over that soft
	// units are past their limit.
	Denied, Over bool

	// Shadow says that the limit only watches, see [Rate.Shadow].
	Shadow bool

	// Source is where the answer about this limit is from.
	Source Source

	period *Period // of units
}

// Kind is what a limit counts.
type Kind string

// The kinds of limits.
const (
	KindRate        Kind = "rate"
	KindConcurrency Kind = "concurrency"
	KindUnits       Kind = "units"
)

// Source says where an answer is from.
type Source string

// The sources, from the truth to what is furthest from it. A metric that counts decisions
// by source tells whether limits are kept.
const (
	SourcePlan    Source = "plan"    // the plan says [Unlimited]; nobody was asked
	SourceBackend Source = "backend" // the backend, which all processes share
	SourceLease   Source = "lease"   // tokens that the backend gave this process in advance
	SourceMemory  Source = "memory"  // a refusal of the backend's that isn't over yet
	SourceLocal   Source = "local"   // the backend is away, and this process counts: [Local]
	SourceOpen    Source = "open"    // the backend is away, and the limit admits: [Open]
	SourceClosed  Source = "closed"  // the backend is away, and the limit refuses: [Closed]
)

// Err is nil for a request that is allowed, and otherwise what its client may see: a
// [tenant.Error] with the code quota_exceeded, or unavailable when it was refused only
// because the backend is away.
func (d Decision) Err() error {
	switch {
	case d.Allowed:
		return nil
	case d.Source == SourceClosed && !d.refusedByCount():
		return &tenant.Error{
			Code: tenant.CodeUnavailable, RetryAfter: max(d.RetryAfter, time.Second),
			Detail: "limits can't be checked at the moment; try again", Err: fmt.Errorf("quota: limit %q is closed while the backend is away", d.Binding),
		}
	}
	return &tenant.Error{
		Code: tenant.CodeQuotaExceeded, RetryAfter: d.RetryAfter,
		Detail: fmt.Sprintf("the limit %q of the plan is reached", d.Binding),
	}
}

// refusedByCount reports whether a limit refuses because it is used up.
func (d Decision) refusedByCount() bool {
	for _, l := range d.Limits {
		if l.Denied && !l.Shadow && l.Source != SourceClosed {
			return true
		}
	}
	return false
}

// Limit is the state of the limit of that name, if the decision has it.
func (d Decision) Limit(name string) (LimitState, bool) {
	for _, l := range d.Limits {
		if l.Name == name {
			return l, true
		}
	}
	return LimitState{}, false
}
