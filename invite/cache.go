package invite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/internal/lru"
	"github.com/tenantwall/tenantwall/tenant"
)

// Bounds of a [Cache].
const (
	MaxCacheTTL      = 2 * time.Second
	DefaultCacheTTL  = time.Second
	DefaultCacheSize = 100_000 // memberships; about 50 MB when all are used
)

// CacheConfig says how a [Cache] works. The zero value is good for use.
type CacheConfig struct {
	// TTL is how long a membership is used before it is read again, up to MaxCacheTTL; 0
	// means DefaultCacheTTL. It is how long a member who was removed or demoted by another
	// process gets in at most.
	TTL time.Duration

	// Size is how many memberships are kept; 0 means DefaultCacheSize. Behind it, the one
	// that was longest unused is forgotten.
	Size int

	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Cache remembers memberships for a moment, so that not every request reads the database.
// It may be used by several goroutines at once, and needs no Close.
//
// An answer is never older than the TTL, counted from before it was read, and never used
// past it: when the database can't be reached, nobody is let in whose membership is not
// known. What [Members] changes in this process is seen at once in its [Members.Cache]. That
// a user is no member is not remembered, so who has just joined gets in at once everywhere.
// Of several callers who ask for the same membership at once, one reads it.
type Cache struct {
	source Memberships
	ttl    time.Duration
	now    func() time.Time

	mu      sync.Mutex
	entries *lru.Cache[cacheKey, cacheEntry]
	reads   map[cacheKey]*read // that are under way, and not outdated
}

type cacheKey struct {
	tenant tenant.ID
	user   string
}

type cacheEntry struct {
	member Member
	until  time.Time
}

// read is one look-up of the source that several callers wait for.
type read struct {
	until  time.Time     // nobody who asks from then on waits for it
	done   chan struct{} // closed when member and err are set
	member Member
	err    error
	broken bool // it was given up because of its own caller, and says nothing
}

// NewCache makes a Cache of a source of one's own, whose changes are told to Forget. Of
// [Members] there is one already, [Members.Cache].
func NewCache(source Memberships, cfg CacheConfig) (*Cache, error) {
	switch {
	case source == nil:
		return nil, errors.New("invite: a cache needs a source of memberships")
	case cfg.TTL < 0 || cfg.TTL > MaxCacheTTL:
		return nil, fmt.Errorf("invite: CacheConfig.TTL is %s, and must be from 0 to %s: so long a removed member gets in", cfg.TTL, MaxCacheTTL)
	case cfg.Size < 0:
		return nil, fmt.Errorf("invite: CacheConfig.Size is %d, below 0", cfg.Size)
	}
	if cfg.TTL == 0 {
		cfg.TTL = DefaultCacheTTL
	}
	if cfg.Size == 0 {
		cfg.Size = DefaultCacheSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Cache{
		source: source, ttl: cfg.TTL, now: cfg.Now,
		entries: lru.New[cacheKey, cacheEntry](cfg.Size), reads: make(map[cacheKey]*read),
	}, nil
}

// Get is the membership of a user in a tenant, at most the TTL old. The errors are
// [ErrNotAMember] and those of the source.
func (c *Cache) Get(ctx context.Context, in tenant.ID, userID string) (Member, error) {
	key := cacheKey{in, userID}
	for {
		member, r, mine := c.find(key)
		switch {
		case r == nil:
			return member, nil
		case mine:
			return c.read(ctx, key, r)
		}
		select {
		case <-ctx.Done():
			return Member{}, fmt.Errorf("invite: wait for a membership: %w", ctx.Err())
		case <-r.done:
		}
		if !r.broken {
			return r.member, r.err
		}
	}
}

// MembershipVersion is the version of a membership, at most the TTL old, and 0 when the
// user is no member: what the token of a user who has been removed or has another role by
// now is found out by.
func (c *Cache) MembershipVersion(ctx context.Context, in tenant.ID, userID string) (int64, error) {
	m, err := c.Get(ctx, in, userID)
	if errors.Is(err, ErrNotAMember) {
		return 0, nil
	}
	return m.Version, err
}

// Forget has the membership read again, for when another process says that it has changed.
// A read that has begun before is not used by anybody who asks from now on.
func (c *Cache) Forget(in tenant.ID, userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Delete(cacheKey{in, userID})
	delete(c.reads, cacheKey{in, userID})
}

// find is the membership if it is remembered, and otherwise the read of it that is under
// way, or a new one, which is the caller's own to do.
func (c *Cache) find(key cacheKey) (_ Member, r *read, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if e, ok := c.entries.Get(key); ok && now.Before(e.until) {
		return e.member, nil, false
	}
	if r, ok := c.reads[key]; ok && now.Before(r.until) {
		return Member{}, r, false
	}
	r = &read{until: now.Add(c.ttl), done: make(chan struct{})}
	c.reads[key] = r
	return Member{}, r, true
}

// read asks the source, and tells those who wait.
func (c *Cache) read(ctx context.Context, key cacheKey, r *read) (Member, error) {
	r.broken = true // should the source panic
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.reads[key] == r { // neither forgotten nor taking so long that another was begun
			delete(c.reads, key)
			if r.err == nil && !r.broken {
				c.entries.Put(key, cacheEntry{r.member, r.until})
			} else {
				c.entries.Delete(key)
			}
		}
		close(r.done)
	}()
	r.member, r.err = c.source.Get(ctx, key.tenant, key.user)
	r.broken = r.err != nil && ctx.Err() != nil
	return r.member, r.err
}
