package apikey

import "sync/atomic"

// Stats is what [Keys] have done since they were opened, for metrics.
type Stats struct {
	Hits         uint64 // verified from memory
	Loads        uint64 // reads of a key from the database
	Malformed    uint64 // refused by their form or checksum, without being looked for
	Refused      uint64 // refused otherwise: unknown, revoked, expired, or from another network
	RefusedAgain uint64 // refused from memory
	Limited      uint64 // not looked for, because the address had failed too often
	Unavailable  uint64 // reads that failed
	Flushes      uint64 // statements that wrote uses down
	FlushErrors  uint64 // of those, the ones that failed

	// What is remembered now: verified keys, refused ones, addresses that have asked the
	// database.
	Verified, RefusedKeys, Addresses int
}

type counters struct {
	hits, loads, malformed, refused, refusedAgain, limited, unavailable, flushes, flushErrors atomic.Uint64
}

// Stats is what has been done until now. The numbers are of one moment each.
func (k *Keys) Stats() Stats {
	c := &k.counts
	return Stats{
		Hits: c.hits.Load(), Loads: c.loads.Load(), Malformed: c.malformed.Load(), Refused: c.refused.Load(),
		RefusedAgain: c.refusedAgain.Load(), Limited: c.limited.Load(), Unavailable: c.unavailable.Load(),
		Flushes: c.flushes.Load(), FlushErrors: c.flushErrors.Load(),
		Verified: k.verdicts.len(), RefusedKeys: k.refused.len(), Addresses: k.failures.len(),
	}
}
