package quota

import (
	"errors"
	"fmt"
	"time"
)

// WhenAway is what a limit does while the backend can't be asked.
type WhenAway string

// The ways. The empty WhenAway is Closed.
const (
	Closed WhenAway = "closed" // nothing is admitted
	Open   WhenAway = "open"   // everything is admitted, and not counted
	Local  WhenAway = "local"  // each process counts for itself, see [Config.LocalShare]
)

// Rate is a limit of so many in a time: a bucket of Burst tokens that is filled again, one
// token at a time, with Limit of them in each Per (the generic cell rate algorithm of
// ITU-T I.371). An idle tenant may take Burst at once, and from then on Limit in each Per.
//
// The time between two tokens is held in whole microseconds and rounded up: of 10,000 a
// second and less, less than one in a hundred is lost.
type Rate struct {
	Name  string        // see [CheckName]
	Limit int64         // from 1, or [Unlimited]
	Per   time.Duration // from a millisecond to MaxPer
	Burst int64         // 0 means Limit

	WhenAway WhenAway // while the backend can't be asked; empty means [Closed]
	Shadow   bool     // what it would refuse is told in the decision, and admitted

	// Lease lets each process take tokens in advance, and decide most requests by itself.
	// It is for a limit that is asked so often that a trip for each is too much. What a
	// process holds is counted as taken until it is given back, so that there are never
	// more than without; see [LeaseConfig].
	Lease bool
}

// Bounds of the limits.
const (
	MaxPer    = 31 * 24 * time.Hour
	MaxRate   = 100_000               // tokens a second
	MaxFill   = 366 * 24 * time.Hour  // how long an empty bucket takes to be full
	MaxSlots  = 100_000               // of a [Concurrency]
	MaxUnits  = 1_000_000_000_000_000 // of [Units] in a month
	MaxAnchor = 31
)

// Interval is the time between two tokens, rounded up to a microsecond; 0 for a rate that
// is [Unlimited] or not valid.
func (r Rate) Interval() time.Duration {
	if r.Limit < 1 || r.Per < 1 || r.Per > MaxPer || r.Limit > int64(r.Per) { // which keeps what follows within 64 bits
		return 0
	}
	perToken := int64(time.Microsecond) * r.Limit
	return time.Duration((int64(r.Per)+perToken-1)/perToken) * time.Microsecond
}

// Bucket is how many tokens a full bucket has: Burst, or Limit where that is 0.
func (r Rate) Bucket() int64 {
	if r.Burst == 0 {
		return r.Limit
	}
	return r.Burst
}

func (r Rate) check() error {
	if r.Limit == Unlimited {
		return checkAway(r.WhenAway, Closed, Open, Local)
	}
	problems := []error{checkAway(r.WhenAway, Closed, Open, Local)}
	switch {
	case r.Limit < 1:
		problems = append(problems, fmt.Errorf("limit %d: must be at least 1, or Unlimited", r.Limit))
	case r.Per < time.Millisecond || r.Per > MaxPer:
		problems = append(problems, fmt.Errorf("per %s: must be from %s to %s", r.Per, time.Millisecond, MaxPer))
	case r.Limit > MaxRate*int64(r.Per/time.Microsecond)/int64(time.Second/time.Microsecond):
		problems = append(problems, fmt.Errorf("%d in %s is more than %d a second", r.Limit, r.Per, MaxRate))
	case r.Burst < 0:
		problems = append(problems, fmt.Errorf("burst %d is below 0; 0 means as many as the limit", r.Burst))
	case r.Bucket() > int64(MaxFill/r.Interval()):
		problems = append(problems, fmt.Errorf("a burst of %d takes longer than %s to come back", r.Bucket(), MaxFill))
	}
	return errors.Join(problems...)
}

// Concurrency is a limit of how much goes on at once: of the slots that [Limiter.Acquire]
// hands out.
type Concurrency struct {
	Name     string   // see [CheckName]
	Limit    int64    // up to MaxSlots; 0 allows none; or [Unlimited]
	WhenAway WhenAway // while the backend can't be asked; empty means [Closed]
	Shadow   bool     // what it would refuse is told in the decision, and admitted
}

func (c Concurrency) check() error {
	problems := []error{checkAway(c.WhenAway, Closed, Open, Local)}
	if c.Limit < Unlimited || c.Limit > MaxSlots {
		problems = append(problems, fmt.Errorf("limit %d: must be from 0 to %d, or Unlimited", c.Limit, MaxSlots))
	}
	return errors.Join(problems...)
}

// Units is a limit of what is used up in a month, and counted for the bill.
type Units struct {
	Name  string // see [CheckName]
	Limit int64  // up to MaxUnits; 0 allows none; or [Unlimited]

	// Soft units are counted past the limit, which the decision tells. Hard ones, the
	// others, are refused.
	Soft bool

	// AnchorDay is the day of the month on which the count begins anew, from 1 to MaxAnchor;
	// 0 means 1. A month that is too short for it begins on its last day.
	AnchorDay int

	// Zone is the time zone whose midnight it is, by its name in the IANA database; empty
	// means UTC.
	Zone string

	// WhenAway is [Closed], also when empty, or [Open]. A process has no idea what the
	// others have counted in a month, so there is no [Local].
	WhenAway WhenAway

	Shadow bool // what it would refuse is told in the decision, and admitted
}

func (u Units) check() error {
	problems := []error{checkAway(u.WhenAway, Closed, Open)}
	if u.Limit < Unlimited || u.Limit > MaxUnits {
		problems = append(problems, fmt.Errorf("limit %d: must be from 0 to %d, or Unlimited", u.Limit, int64(MaxUnits)))
	}
	if u.AnchorDay < 0 || u.AnchorDay > MaxAnchor {
		problems = append(problems, fmt.Errorf("anchor day %d: must be from 1 to %d", u.AnchorDay, MaxAnchor))
	}
	if u.Zone == "Local" {
		problems = append(problems, errors.New("zone Local: name the zone; a server's own is not the tenant's"))
	} else if _, err := time.LoadLocation(u.Zone); err != nil {
		problems = append(problems, fmt.Errorf("zone %q: %w", u.Zone, err))
	}
	return errors.Join(problems...)
}

func checkAway(w WhenAway, allowed ...WhenAway) error {
	if w == "" {
		return nil
	}
	for _, a := range allowed {
		if w == a {
			return nil
		}
	}
	return fmt.Errorf("when away %q: must be one of %q", w, allowed)
}
