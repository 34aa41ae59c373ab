package quota

import (
	"context"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Backend counts what tenants use, for all processes together. [Redis] is the one for
// services, [Memory] one for tests and for a service of one process; package quotatest has
// the tests that every Backend is to pass.
//
// Each method is one step that no other one on the same tenant comes between, and two
// tenants never share a count, whatever names their limits have. Time is the backend's own:
// the clocks of its callers count for nothing. What a tenant used long enough ago to make
// no difference is forgotten by itself.
//
// An error means that the backend could not tell, and that what was asked may have been
// done or not. The methods are called by many goroutines at once, and end soon after ctx.
type Backend interface {
	// Admit decides on all limits that ask names and takes what they cost, or nothing at
	// all when one of them refuses. The answers are in the order of ask. When it has no
	// count of some units, it takes nothing, and says so in [UnitsAnswer.Unknown]: the
	// caller finds out, and asks again with a seed.
	//
	// What [LeaseAsk.Used] reports is counted, and what [UnitsAsk.Seed] says is kept, whether
	// or not the request is admitted.
	Admit(ctx context.Context, in tenant.ID, ask Ask) (Answer, error)

	// Return gives back what back names. Of what has ended by itself, or was never taken,
	// nothing is given back, and that is no error; no limit gets fuller than full.
	Return(ctx context.Context, in tenant.ID, back Back) error

	// Renew keeps a slot for another ttl from now. It reports false when the slot has ended,
	// which it doesn't bring back.
	Renew(ctx context.Context, in tenant.ID, slot HeldSlot, ttl time.Duration) (bool, error)
}

// Ask is what [Backend.Admit] is to decide. Names are not empty, and each is named once of
// its kind; a Backend makes no other demands on them.
type Ask struct {
	Rates []RateAsk
	Slots []SlotAsk
	Units []UnitsAsk

	// Keep is how long the tenant is remembered after this call at least, whatever limits it
	// names: as long as any limit of its plan takes to be as new.
	Keep time.Duration
}

// RateAsk is what is asked of a rate.
type RateAsk struct {
	Name     string
	Interval time.Duration // between two tokens, in whole microseconds, at least one
	Burst    int64         // tokens of a full bucket, at least 1
	Cost     int64         // tokens to take, up to Burst; 0 only looks
	AtMost   bool          // takes what there is up to Cost, and refuses at 0 alone
	Shadow   bool          // its refusal keeps nobody back
	Lease    LeaseAsk
}

// LeaseAsk asks for tokens in advance. While a lease lasts its tokens are out of the bucket
// without being spent: they keep it from being filled by as many. What it reports as used is
// spent at that moment, and what it holds at its end is all spent at the moment of its end,
// for its holder may have spent it. So a holder never spends more, or later, than the bucket
// would have allowed. The zero LeaseAsk asks for none.
type LeaseAsk struct {
	// ID is the lease's, up to MaxIDLen bytes, of a-z and 0-9. A lease of that ID that is
	// held already ends with this call, and what is not Used of it goes back.
	ID string

	Used int64         // tokens of the held lease that were spent
	Want int64         // tokens to hold from now on, or as many of them as there are
	TTL  time.Duration // from now to the end of the lease
}

// MaxIDLen bounds the id of a lease and of a slot.
const MaxIDLen = 64

// SlotAsk is what is asked of a concurrency.
type SlotAsk struct {
	Name   string
	Limit  int64
	ID     string        // the slot's, up to MaxIDLen bytes, of a-z and 0-9; empty only looks. One that is held is renewed.
	TTL    time.Duration // from now until the slot ends unless it is renewed
	Shadow bool          // its refusal keeps nobody back
}

// UnitsAsk is what is asked of units.
type UnitsAsk struct {
	Name   string
	Period Period // which count it is, by its seconds; one that has begun later than what is asked for is used in its place
	Limit  int64  // below 0 for units that are only counted
	Cost   int64  // units to take; 0 only looks
	AtMost bool   // takes what there is up to Cost, and refuses at 0 alone
	Soft   bool   // counts past Limit
	Shadow bool   // its refusal keeps nobody back; it counts past Limit

	// Seed is what was used so far, when Seeded says so. It is the count where there is none,
	// and where there is one that is lower.
	Seed   int64
	Seeded bool
	MaxAge time.Duration // a count that was seeded longer ago is as good as none
}

// Answer is what [Backend.Admit] has decided.
type Answer struct {
	Admitted bool
	Rates    []RateAnswer
	Slots    []SlotAnswer
	Units    []UnitsAnswer
}

// RateAnswer tells of a rate.
type RateAnswer struct {
	Denied     bool          // it can't give the cost, or with AtMost nothing
	Granted    int64         // tokens taken
	Remaining  int64         // tokens in the bucket after that, without those in leases
	ResetAfter time.Duration // until the bucket is full
	RetryAfter time.Duration // until there is what was denied
	Leased     int64         // tokens that the lease of the ask holds now
}

// SlotAnswer tells of a concurrency.
type SlotAnswer struct {
	Denied  bool  // all slots are held
	Granted bool  // the slot is held
	Held    int64 // slots that are held after that
}

// UnitsAnswer tells of units.
type UnitsAnswer struct {
	Unknown bool  // there is no count, or one that is too old: ask again with a seed
	Denied  bool  // it would be more than the limit
	Granted int64 // units taken
	Used    int64 // units used after that
}

// Back is what [Backend.Return] gives back.
type Back struct {
	Rates []RateBack
	Slots []HeldSlot
	Units []UnitsBack
}

// RateBack gives tokens back, or a lease. A token is one, whatever the state of the plan by
// which it was taken; nothing else about the rate is changed by it.
type RateBack struct {
	Name    string
	Tokens  int64  // taken by Admit, and not used
	LeaseID string // not empty: the lease ends
	Used    int64  // tokens of the lease that were spent; the rest goes back
}

// HeldSlot is a slot of a concurrency that is held.
type HeldSlot struct {
	Name, ID string
}

// UnitsBack gives units back, as long as their period is the one that is counted.
type UnitsBack struct {
	Name   string
	Period Period
	N      int64
}
