package apikey

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantwall/tenantwall/internal/lru"
	"github.com/tenantwall/tenantwall/tenant"
)

// shards is how many locks a cache has, so that cores seldom wait for each other.
const shards = 16

// verdict is a key as it was read, and, when it is proven, the digest of its secret. Once it
// is in a cache nobody changes it.
type verdict struct {
	record
	digest    digest
	proven    bool
	readAt    time.Time // before it was read
	connected bool      // the bus was there when it was read
	use       *use
}

// verdicts remembers the keys that were found good, a bounded number, those that were used
// last. Keys that are none never get here, so they push out none of these.
type verdicts [shards]verdictShard

type verdictShard struct {
	mu      sync.Mutex
	entries *lru.Cache[string, *verdict]
	reads   map[string]*read // that are under way, and not outdated: of each key the one begun last
}

// read is one look-up that several wait for. Who has begun it sets the fields until it is
// finished; after that nobody does.
type read struct {
	id        string
	began     time.Time
	done      chan struct{} // closed when it is finished
	record    record
	err       error
	readAt    time.Time
	connected bool
	broken    bool        // it was given up because of the one who did it, and says nothing
	older     *read       // of the same key, that is under way still; nobody joins it any more
	overtaken bool        // another one was begun, whose verdict is the one to remember
	outdated  atomic.Bool // the key may have been changed since it was begun
}

// verdict is what was read, of which no secret is proven.
func (r *read) verdict() *verdict {
	return &verdict{
		record: r.record, readAt: r.readAt, connected: r.connected,
		use: &use{tenant: r.record.key.TenantID, id: r.id},
	}
}

// outdate keeps everybody from using r, which may be nil, and what was begun before it.
func (r *read) outdate() {
	for ; r != nil; r = r.older {
		r.outdated.Store(true)
	}
}

func newVerdicts(size int) *verdicts {
	c := new(verdicts)
	for i := range c {
		c[i].entries = lru.New[string, *verdict]((size + shards - 1) / shards)
		c[i].reads = make(map[string]*read)
	}
	return c
}

// shard is the one of a key's id, which is random.
func (c *verdicts) shard(id string) *verdictShard {
	if id == "" {
		return &c[0]
	}
	return &c[(id[0]^id[len(id)-1])%shards]
}

func (c *verdicts) get(id string) *verdict {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, _ := s.entries.Get(id)
	return v
}

// join is the read of a key that is under way, or a new one, which is the caller's own to do
// and to finish. Nobody joins one that is older than an answer may be.
func (c *verdicts) join(id string, now time.Time, ttl time.Duration) (r *read, mine bool) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	older := s.reads[id]
	if older != nil {
		if now.Sub(older.began) < ttl {
			return older, false
		}
		older.overtaken = true
	}
	r = &read{id: id, began: now, older: older, done: make(chan struct{})}
	s.reads[id] = r
	return r, true
}

// finish ends a read, and remembers the verdict that it has led to, if there is one.
func (c *verdicts) finish(r *read, v *verdict) {
	s := c.shard(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(r)
	switch {
	case r.overtaken, r.outdated.Load():
	case v != nil:
		s.entries.Put(r.id, v)
	case !r.broken:
		s.entries.Delete(r.id)
	}
	close(r.done)
}

// remove takes a read out of those that are under way. Older ones stay, for they may yet
// become outdated.
func (s *verdictShard) remove(r *read) {
	last := s.reads[r.id]
	if last == r {
		if s.reads[r.id] = r.older; r.older == nil {
			delete(s.reads, r.id)
		}
		return
	}
	for ; last != nil; last = last.older {
		if last.older == r {
			last.older = r.older
			return
		}
	}
}

// forget drops what is known of a key, and lets nobody use what is being read.
func (c *verdicts) forget(id string) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries.Delete(id)
	s.reads[id].outdate()
	delete(s.reads, id)
}

// forgetIf is forget for all keys of which drop is true. Whose keys are being read is not
// known yet, so all of these are read again.
func (c *verdicts) forgetIf(drop func(*verdict) bool) {
	for i := range c {
		s := &c[i]
		s.mu.Lock()
		s.entries.DeleteIf(func(_ string, v *verdict) bool { return drop(v) })
		for _, r := range s.reads {
			r.outdate()
		}
		clear(s.reads)
		s.mu.Unlock()
	}
}

func (c *verdicts) len() int {
	n := 0
	for i := range c {
		c[i].mu.Lock()
		n += c[i].entries.Len()
		c[i].mu.Unlock()
	}
	return n
}

// Forget has a key read again at its next use, for when another process says that it has
// changed. What is being read at that moment is not used by anybody.
func (k *Keys) Forget(keyID string) { k.verdicts.forget(keyID) }

// ForgetTenant is Forget for all keys of a tenant, for when the tenant has changed and
// [Config.Tenants] is nil. It takes some milliseconds when very many keys are remembered.
func (k *Keys) ForgetTenant(in tenant.ID) {
	k.verdicts.forgetIf(func(v *verdict) bool { return v.key.TenantID == in })
}

// ForgetAll is Forget for all keys, for when nobody knows what has changed, as when the bus
// was lost and is there again.
func (k *Keys) ForgetAll() { k.verdicts.forgetIf(func(*verdict) bool { return true }) }
