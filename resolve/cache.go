package resolve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/tenantwall/tenantwall/tenant"
)

// namesPerTenant is how many slugs and domains the index has room for, times Size.
const namesPerTenant = 4

// Cache is a [tenant.Store] that remembers what another one said, so that not every request
// reads the database. Make one with [NewCache]. It is safe for concurrent use.
//
// A tenant is remembered once, whether it was looked up by slug, id or domain; its former
// slugs are then known to be gone. What is served is as old as the package comment's table
// says, counted from before the store was asked, and never older: when the store can't
// tell, neither can the cache. Errors are not remembered. Of several callers who miss the
// same name at once, one asks the store.
//
// A tenant's Version decides which of two states is the later one. A store whose tenants
// have domains must raise it when one is added or taken away.
type Cache struct {
	store        tenant.Store
	shared       Shared // or nil
	bus          Bus    // or nil
	unsubscribe  func() // or nil
	ttl          time.Duration
	connectedTTL time.Duration
	negativeTTL  time.Duration
	random       func() float64
	clock        func() time.Duration
	log          *slog.Logger
	answers      *stats.Counter // hits and misses; made for many writers
	negativeHits *stats.Counter
	counts       counts

	// entries are the tenants, slugs and domains what led to them, negative what led nowhere.
	// They are read without the lock, and written with it. What a slug has led to stays so
	// for good.
	entries  *otter.Cache[tenant.ID, *entry]
	slugs    *otter.Cache[tenant.Slug, tenant.ID]
	domains  *otter.Cache[string, ownership]
	negative *otter.Cache[tenant.Ref, absence]

	mu     sync.Mutex
	floors floors
	epoch  uint64 // of the last time a tenant may have appeared
	loads  map[tenant.Ref]*load
	closed bool
}

var _ tenant.Store = (*Cache)(nil)

// entry is a tenant as it was read. It does not change.
type entry struct {
	tenant                tenant.Tenant
	read                  time.Duration // when the read began, or before
	until, untilConnected time.Duration
}

// ownership is which tenant a domain led to, which is true of one version of the tenant.
type ownership struct {
	id      tenant.ID
	version int64
}

// absence is why a name leads to no tenant.
type absence struct {
	err   *tenant.Error
	until time.Duration
}

// NewCache makes a cache of a store. The caller must Close it. It fails when there is no
// store, and for settings that can't be.
func NewCache(store tenant.Store, cfg CacheConfig) (*Cache, error) {
	if store == nil {
		return nil, errors.New("resolve: a cache needs a store")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("resolve: new cache: %w", err)
	}
	c := &Cache{
		store: store, shared: cfg.Shared, bus: cfg.Bus,
		ttl: cfg.TTL, connectedTTL: cfg.ConnectedTTL, negativeTTL: cfg.NegativeTTL,
		random: cfg.Random, clock: clockOf(cfg.Now), log: cfg.Logger,
		answers: stats.NewCounter(), negativeHits: stats.NewCounter(),
		floors: floors{all: math.MinInt64},
		loads:  make(map[tenant.Ref]*load),
	}
	if err := c.makeRoom(cfg); err != nil {
		return nil, fmt.Errorf("resolve: new cache: %w", err)
	}
	if c.bus != nil {
		c.unsubscribe = c.bus.Subscribe(KindTenant, c.Changed)
	}
	return c, nil
}

func (c *Cache) makeRoom(cfg CacheConfig) (err error) {
	names := cfg.Size * namesPerTenant
	if c.entries, err = otter.New(&otter.Options[tenant.ID, *entry]{MaximumSize: cfg.Size}); err != nil {
		return err
	}
	if c.slugs, err = otter.New(&otter.Options[tenant.Slug, tenant.ID]{MaximumSize: names}); err != nil {
		return err
	}
	if c.domains, err = otter.New(&otter.Options[string, ownership]{MaximumSize: names}); err != nil {
		return err
	}
	c.negative, err = otter.New(&otter.Options[tenant.Ref, absence]{MaximumSize: cfg.NegativeSize})
	return err
}

// clockOf makes a clock that begins with the cache. The system's is read in half the time
// when only what has elapsed is asked for.
func clockOf(now func() time.Time) func() time.Duration {
	if now == nil {
		start := time.Now()
		return func() time.Duration { return time.Since(start) }
	}
	start := now()
	return func() time.Duration { return now().Sub(start) }
}

// Lookup implements [tenant.Store]. Besides the contract's errors there are those of the
// store, as they are, and that of a context which ends while another caller asks the store.
func (c *Cache) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	e, err := c.find(ref)
	switch {
	case e != nil:
		c.answers.RecordHits(1)
	case err != nil:
		c.negativeHits.RecordHits(1)
	default:
		c.answers.RecordMisses(1)
		return c.miss(ctx, ref)
	}
	if err != nil {
		return tenant.Tenant{}, err
	}
	return e.tenant, nil
}

// find is what is known of ref: a tenant, with an error if ref does not name it any more; the
// error alone when ref leads nowhere; or neither.
func (c *Cache) find(ref tenant.Ref) (*entry, error) {
	now := c.clock()
	if e := c.entry(ref); e != nil && c.fresh(e, now) {
		return e, e.refusal(ref)
	}
	if a, there := c.negative.GetIfPresent(ref); there && now < a.until {
		return nil, a.err
	}
	return nil, nil
}

// entry is the tenant that ref leads to, or by slug once led to; nil when it is not known.
func (c *Cache) entry(ref tenant.Ref) *entry {
	switch ref.Kind() {
	case tenant.RefID:
		e, _ := c.entries.GetIfPresent(ref.ID())
		return e
	case tenant.RefSlug:
		if id, found := c.slugs.GetIfPresent(ref.Slug()); found {
			e, _ := c.entries.GetIfPresent(id)
			return e
		}
	case tenant.RefDomain:
		if owner, found := c.domains.GetIfPresent(ref.Domain()); found {
			if e, found := c.entries.GetIfPresent(owner.id); found && owner.version == e.tenant.Version {
				return e
			}
		}
	}
	return nil
}

// refusal is the error for who asks for the tenant by ref, if there is one: it is deleted, or
// has another slug by now.
func (e *entry) refusal(ref tenant.Ref) error {
	if e.tenant.Status == tenant.StatusDeleted || ref.Kind() == tenant.RefSlug && ref.Slug() != e.tenant.Slug {
		return tenant.ErrGone
	}
	return nil
}

// fresh reports whether an entry is young enough to be served.
func (c *Cache) fresh(e *entry, now time.Duration) bool {
	return now < e.until || now < e.untilConnected && c.bus != nil && c.bus.Connected()
}

// newEntry is a tenant that was read at a time.
func (c *Cache) newEntry(t tenant.Tenant, read time.Duration) *entry {
	factor := 1 + jitter*(2*c.random()-1)
	lives := func(ttl, most time.Duration) time.Duration {
		return read + min(time.Duration(float64(ttl)*factor), most)
	}
	return &entry{
		tenant: t, read: read,
		until:          lives(c.ttl, MaxCacheTTL),
		untilConnected: lives(c.connectedTTL, MaxConnectedTTL),
	}
}

// Close ends the subscription to the bus. From then on nothing is remembered, and the store
// is asked each time. It is safe to be called again.
func (c *Cache) Close() error {
	c.mu.Lock()
	wasOpen := !c.closed
	c.closed = true
	c.mu.Unlock()
	if wasOpen && c.unsubscribe != nil {
		c.unsubscribe()
	}
	c.ForgetAll()
	return nil
}
