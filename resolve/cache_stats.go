package resolve

import (
	"sync/atomic"
	"time"
)

// CacheStats is what a [Cache] has done since it was made, and what it holds.
type CacheStats struct {
	Hits         uint64 // answered with a tenant, or by one that its name is gone
	NegativeHits uint64 // answered that a name leads nowhere
	Misses       uint64 // neither; several at once may have caused one load

	Loads         uint64 // look-ups in the store
	LoadErrors    uint64 // of those, the ones that could not tell
	SharedHits    uint64 // misses that the shared layer answered
	SharedMisses  uint64 // and those that it could not, or not with what is young enough
	SharedErrors  uint64
	PublishErrors uint64

	Tenants   int  // held, also those that are too old to be served
	Negatives int  // names held that lead nowhere, in the same way
	Connected bool // whether there is a bus, and changes come in

	// Oldest is the age of the oldest tenant that may still be served; 0 when there is none.
	Oldest time.Duration
}

// counts are the counters of what is rare.
type counts struct {
	loads, failures                        atomic.Uint64
	sharedHits, sharedMisses, sharedErrors atomic.Uint64
	publishErrors                          atomic.Uint64
}

// Stats is for metrics. It looks at each tenant that is held, so call it every few seconds,
// not on each request.
func (c *Cache) Stats() CacheStats {
	answers := c.answers.Snapshot()
	s := CacheStats{
		Hits:         answers.Hits,
		NegativeHits: c.negativeHits.Snapshot().Hits,
		Misses:       answers.Misses,

		Loads:         c.counts.loads.Load(),
		LoadErrors:    c.counts.failures.Load(),
		SharedHits:    c.counts.sharedHits.Load(),
		SharedMisses:  c.counts.sharedMisses.Load(),
		SharedErrors:  c.counts.sharedErrors.Load(),
		PublishErrors: c.counts.publishErrors.Load(),

		Tenants:   c.entries.EstimatedSize(),
		Negatives: c.negative.EstimatedSize(),
		Connected: c.bus != nil && c.bus.Connected(),
	}
	now := c.clock()
	for e := range c.entries.Values() {
		if c.fresh(e, now) {
			s.Oldest = max(s.Oldest, now-e.read)
		}
	}
	return s
}
