package resolve

import (
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// maxFloors bounds how many changes are remembered one by one.
const maxFloors = 10_000

// floors remember which states of tenants are outdated, so that a read which began before a
// change was told, and ends after it, is not kept. Times are those of the cache's clock. A
// floor is of no use once all that it keeps out is too old to be served.
type floors struct {
	all  time.Duration // what was read before is outdated, of any tenant
	byID map[tenant.ID]floor
}

type floor struct {
	version int64         // states below it are outdated
	read    time.Duration // so is what was read before
	at      time.Duration // when it was told
}

// outdated reports whether a state of a tenant, read at a time, is not to be kept.
func (f *floors) outdated(id tenant.ID, version int64, read time.Duration) bool {
	at, known := f.byID[id]
	return read < f.all || known && (version < at.version || read < at.read)
}

// raise makes older versions outdated, and for version 0 what was read before now.
func (f *floors) raise(id tenant.ID, version int64, now time.Duration) {
	if f.byID == nil {
		f.byID = make(map[tenant.ID]floor)
	}
	at := f.byID[id]
	at.at, at.version = now, max(at.version, version)
	if version == 0 {
		at.read = now
	}
	if len(f.byID) >= maxFloors {
		f.sweep(now)
	}
	f.byID[id] = at
}

// raiseAll makes outdated what was read before now.
func (f *floors) raiseAll(now time.Duration) {
	f.all = now
	clear(f.byID)
}

// sweep makes room. When too many tenants change at once, one floor stands for all.
func (f *floors) sweep(now time.Duration) {
	for id, at := range f.byID {
		if now-at.at > MaxConnectedTTL {
			delete(f.byID, id)
		}
	}
	if len(f.byID) >= maxFloors {
		f.raiseAll(now)
	}
}
