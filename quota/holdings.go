package quota

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// holdings is what a process knows by itself of tenants' rates: the tokens that it has in
// leases, and refusals that aren't over yet.
type holdings struct {
	most   int64 // tenants
	count  atomic.Int64
	shards [32]shard
}

// shard is a part of the tenants. Ids are random at their end, so the parts are even.
type shard struct {
	mu      sync.RWMutex
	tenants map[tenant.ID]*held
	last    atomic.Pointer[held] // one of tenants that was asked for, found without the lock
}

// held is what is known of one tenant.
type held struct {
	in    tenant.ID
	mu    sync.Mutex
	rates []*holding
	gone  bool // it was removed, and whoever still has it is to forget it

	// states are for the decisions to come: one allocation is enough for several.
	states []LimitState
}

// holding is what is known of one rate of one tenant. Its tenant's lock guards it. Times
// are those of [Limiter.now].
type holding struct {
	of   *held
	name string

	// Of the rate, as it was asked last. What is known of another state of the plan counts
	// for nothing.
	limit    int64
	per      time.Duration
	interval time.Duration
	burst    int64

	lease     string // id, empty for none
	tokens    int64  // of the lease, not spent
	used      int64  // of the lease, spent
	end       time.Duration
	begun     time.Duration
	spent     time.Duration // last time that a token was
	asked     time.Duration // last time that the backend was
	size      int64         // of the next lease
	serial    int           // of the lease, so that what goes back goes back to its own
	refilling bool          // an attempt is on its way to renew the lease
	missed    int64         // requests that have gone to the backend meanwhile

	left int64         // tokens in the backend, when it was asked last
	full time.Duration // when the bucket is full again, as known then

	denied     time.Duration // until then a cost of deniedCost or more is refused
	deniedCost int64
	retry      time.Duration // when there are tokens for deniedCost, which may be later
}

func (h *holdings) shard(in tenant.ID) *shard { return &h.shards[int(in[15])%len(h.shards)] }

// get is what is known of a tenant, nil for nothing.
func (h *holdings) get(in tenant.ID) *held {
	s := h.shard(in)
	if k := s.last.Load(); k != nil && k.in == in {
		return k
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k := s.tenants[in]
	if k != nil {
		s.last.Store(k) // with the lock, so that drop comes before or after
	}
	return k
}

// make is what is known of a tenant; nil when there are too many already.
func (h *holdings) make(in tenant.ID) *held {
	if k := h.get(in); k != nil {
		return k
	}
	s := h.shard(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.tenants[in]; k != nil {
		return k
	}
	if h.count.Load() >= h.most {
		return nil
	}
	if s.tenants == nil {
		s.tenants = make(map[tenant.ID]*held)
	}
	h.count.Add(1)
	k := &held{in: in}
	s.tenants[in] = k
	return k
}

// rate is the holding of that name, nil if there is none. The caller has the lock.
func (k *held) rate(name string) *holding {
	for _, g := range k.rates {
		if g.name == name {
			return g
		}
	}
	return nil
}

// makeRate is the holding of a rate, a new one if there is none; nil when the tenant's was
// removed. The caller has the lock.
func (k *held) makeRate(name string) *holding {
	if k.gone {
		return nil
	}
	g := k.rate(name)
	if g == nil {
		g = &holding{of: k, name: name}
		k.rates = append(k.rates, g)
	}
	return g
}

// is reports whether what is known is of this state of the plan.
func (g *holding) is(r *Rate) bool {
	return g.limit == r.Limit && g.per == r.Per && g.burst == r.Bucket()
}

// learn notes what state of the plan is known.
func (g *holding) learn(r *Rate) {
	g.limit, g.per, g.interval, g.burst = r.Limit, r.Per, r.Interval(), r.Bucket()
}

// has reports whether the lease has so many tokens.
func (g *holding) has(r *Rate, n int64, now time.Duration) bool {
	return n <= g.tokens && now < g.end && g.is(r)
}

// denies reports whether a refusal is not over yet. A cost of more than there ever is is
// another error.
func (g *holding) denies(r *Rate, c Cost, now time.Duration) bool {
	if now >= g.denied || r.Shadow || !g.is(r) {
		return false
	}
	if c.AtMost {
		return g.deniedCost == 1
	}
	return g.deniedCost <= c.N && c.N <= g.burst
}

// wait is how long it takes until there is what is refused.
func (g *holding) wait(c Cost, now time.Duration) time.Duration {
	wait := g.retry - now
	if !c.AtMost {
		wait += time.Duration(c.N-g.deniedCost) * g.interval
	}
	return wait
}

// taken says from which lease tokens were taken.
type taken struct {
	from   *holding
	serial int
	state  LimitState
}

// take spends tokens of the lease.
func (g *holding) take(into *LimitState, n int64, now time.Duration) {
	g.tokens -= n
	g.used += n
	g.spent = now
	into.Name, into.Kind, into.Source = g.name, KindRate, SourceLease
	into.Limit, into.Per = g.burst, time.Duration(g.burst)*g.interval
	into.Cost, into.Granted, into.Remaining = n, n, g.tokens+g.left
	into.ResetAfter = max(g.full-now, 0)
}

// statesAtOnce is how many states of limits are allocated together: as many as one that is
// kept may keep of others.
const statesAtOnce = 8

// newStates is room for n states. The caller has the lock.
func (k *held) newStates(n int) []LimitState {
	if len(k.states) < n {
		k.states = make([]LimitState, max(n, statesAtOnce))
	}
	states := k.states[:n:n]
	k.states = k.states[n:]
	return states
}

// putBack undoes a take, unless the lease has been settled by now: its tokens then count as
// used.
func (t *taken) putBack(n int64) {
	g := t.from
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if g.serial == t.serial && g.lease != "" {
		g.tokens += n
		g.used -= n
	}
}

// putBack gives tokens back that were spent of a lease, to the lease that the process has of
// the rate now: the backend's bucket may not know yet that they were spent, and would be too
// full to take them. It reports false when there is no lease that has spent so many.
func (h *holdings) putBack(in tenant.ID, r *Rate, n int64, now time.Duration) bool {
	k := h.get(in)
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.rate(r.Name)
	if g == nil || g.lease == "" || g.refilling || now >= g.end || g.used < n || !g.is(r) {
		return false
	}
	g.tokens += n
	g.used -= n
	g.denied = 0
	return true
}

// forgive forgets a refusal.
func (h *holdings) forgive(in tenant.ID, name string) {
	k := h.get(in)
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.rate(name); g != nil {
		g.denied = 0
	}
}

// tokens is how many are held for all tenants.
func (h *holdings) tokens() int64 {
	var sum int64
	h.each(func(_ tenant.ID, k *held) {
		for _, g := range k.rates {
			sum += g.tokens
		}
	})
	return sum
}

// each calls visit for each tenant, with the tenant's lock.
func (h *holdings) each(visit func(tenant.ID, *held)) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.RLock()
		part := maps.Clone(s.tenants)
		s.mu.RUnlock()
		for in, k := range part {
			k.mu.Lock()
			visit(in, k)
			k.mu.Unlock()
		}
	}
}

// drop forgets tenants of whom nothing is known any more.
func (h *holdings) drop(now time.Duration) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for in, k := range s.tenants {
			k.mu.Lock()
			if k.idle(now) {
				k.gone = true
				delete(s.tenants, in)
				s.last.CompareAndSwap(k, nil)
				h.count.Add(-1)
			}
			k.mu.Unlock()
		}
		s.mu.Unlock()
	}
}

// memoryOfAsking is how long it is remembered when a rate was asked last, which tells
// whether a lease is worth it.
const memoryOfAsking = MaxLeaseTTL

// idle reports whether nothing is known that makes a difference.
func (k *held) idle(now time.Duration) bool {
	for _, g := range k.rates {
		if g.lease != "" || g.refilling || now < g.denied || now < g.asked+memoryOfAsking && g.asked > 0 {
			return false
		}
	}
	return true
}
