package quota

import (
	"errors"
	"fmt"
)

// Request is what a tenant wants to do, by what it costs. A Request may be used for any
// number of calls.
type Request struct {
	// Costs are what it takes of which limits, each named once. All are taken, or none.
	Costs []Cost
}

// Cost is what a request takes of one limit.
type Cost struct {
	// Limit is the name of a limit of the tenant's plan.
	Limit string

	// N is how much of it, from 0. 0 only looks: it tells what remains, and refuses
	// nothing. Of a [Concurrency] it is 1 for a slot, which [Limiter.Acquire] alone takes.
	N int64

	// AtMost takes what there is up to N, and refuses only when there is nothing. The
	// decision tells how much it was. It is for rates and units.
	AtMost bool
}

// MaxCost bounds [Cost.N].
const MaxCost = MaxUnits

// ErrUnknownLimit is a [Cost] for a limit that the tenant's plan doesn't have.
var ErrUnknownLimit = errors.New("unknown limit")

// ErrBadRequest is a [Request] that no state of the limits could make sense of: a limit
// named twice, a cost below 0, a slot asked of Admit.
var ErrBadRequest = errors.New("bad request")

// CostError is a cost that a rate could never admit, because it is more than the whole of its
// bucket: asking again later would be in vain. Units are not refused so, for what is left of
// a month is told in the [Decision].
type CostError struct {
	Limit string // the rate's name
	Cost  int64  // what was asked
	Most  int64  // what can be asked at most: the burst
}

// Error is a sentence for the log.
func (e *CostError) Error() string {
	return fmt.Sprintf("quota: a cost of %d is more than limit %q ever has, %d", e.Cost, e.Limit, e.Most)
}
