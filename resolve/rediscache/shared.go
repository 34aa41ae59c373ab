package rediscache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/internal/setting"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// Defaults of this package.
const (
	DefaultPrefix  = "tenantwall"
	DefaultTimeout = 50 * time.Millisecond
)

const (
	maxPrefixLen = 64
	minTimeout   = time.Millisecond // a number without a unit is one of nanoseconds, in which nothing ever comes
	maxTimeout   = time.Second
	maxRefLen    = 253 // of a domain; a slug is shorter

	// aliasTTL is how long it is known what a name leads to, which is checked against the
	// tenant each time: an alias whose tenant has gone says nothing.
	aliasTTL = time.Hour
)

// ErrAway is why nothing was asked of Redis: it has just failed several times.
var ErrAway = errors.New("rediscache: Redis is away, and will be tried again in a moment")

// SharedConfig says how a [Shared] works. The zero value is good for use.
type SharedConfig struct {
	// Prefix begins all keys, so that several services can have one Redis; empty means
	// DefaultPrefix. It is 1 to 64 letters, digits and any of "-_.:".
	Prefix string

	// Timeout bounds each operation, from a millisecond to a second; 0 means DefaultTimeout.
	Timeout time.Duration

	// Now is the clock of the breaker; nil means [time.Now]. How old a value is the server's
	// clock tells.
	Now func() time.Time

	// Logger is told when Redis goes away and comes back. Nil means nobody.
	Logger *slog.Logger
}

// Shared is a [resolve.Shared] on Redis. Make one with [NewShared]. It is safe for
// concurrent use and needs no Close.
//
// A tenant is one value, under its id; slugs and domains are aliases of it. It stays for
// [resolve.MaxConnectedTTL], beyond which no cache would serve it. A name that leads nowhere
// is not kept: whoever asks for random names would fill the server, and hide the next tenant
// of that name from all processes.
type Shared struct {
	client  redis.UniversalClient
	base    string // of all keys, with the hash tag
	timeout time.Duration
	breaker *breaker
	corrupt atomic.Uint64
}

var _ resolve.Shared = (*Shared)(nil)

// NewShared makes a Shared on a client, which stays the caller's to close. The client must
// have been made with ContextTimeoutEnabled: without it a server that hangs would hold each
// look-up for as long as the client's ReadTimeout, and the retries after it. It does not
// connect: Redis may be away when the program starts.
func NewShared(client redis.UniversalClient, cfg SharedConfig) (*Shared, error) {
	if err := checkClient(client); err != nil {
		return nil, fmt.Errorf("rediscache: new shared layer: %w", err)
	}
	prefix, err := checkPrefix(cfg.Prefix)
	if err != nil {
		return nil, fmt.Errorf("rediscache: new shared layer: SharedConfig.Prefix %w", err)
	}
	if err := setting.Complete("SharedConfig.Timeout", &cfg.Timeout, DefaultTimeout, minTimeout, maxTimeout); err != nil {
		return nil, fmt.Errorf("rediscache: new shared layer: %w: a look-up waits so long", err)
	}
	return &Shared{
		client: client, base: "{" + prefix + "}:", timeout: cfg.Timeout,
		breaker: newBreaker(cfg.Now, cfg.Logger),
	}, nil
}

// Get implements [resolve.Shared], in one trip. What can't be read is not known, and counted
// in [SharedStats]. The error is [ErrAway], or that of Redis.
func (s *Shared) Get(ctx context.Context, ref tenant.Ref) (t tenant.Tenant, age time.Duration, found bool, err error) {
	key, ok := s.key(ref)
	if !ok {
		return tenant.Tenant{}, 0, false, nil
	}
	exact := ""
	if ref.Kind() == tenant.RefDomain {
		exact = "1"
	}
	reply, err := s.run(ctx, getScript, []string{key}, s.valueKey(""), exact)
	switch {
	case errors.Is(err, redis.Nil):
		return tenant.Tenant{}, 0, false, nil
	case err != nil:
		return tenant.Tenant{}, 0, false, fmt.Errorf("rediscache: get a tenant: %w", err)
	}
	t, age, state := decodeReply(reply)
	if state == corrupt || state == whole && ref.Kind() == tenant.RefID && t.ID != ref.ID() {
		s.corrupt.Add(1)
		return tenant.Tenant{}, 0, false, nil
	}
	return t, age, state == whole, nil
}

// Set implements [resolve.Shared], in one trip. The tenant's own slug becomes an alias, and
// so does ref.
func (s *Shared) Set(ctx context.Context, ref tenant.Ref, t tenant.Tenant, age time.Duration) error {
	rest := resolve.MaxConnectedTTL - age
	if t.ID.IsZero() || rest < time.Millisecond {
		return nil
	}
	keys := []string{s.valueKey(t.ID.String())}
	for _, name := range []tenant.Ref{tenant.BySlug(t.Slug), ref} {
		if key, ok := s.key(name); ok && name.Kind() != tenant.RefID && (len(keys) == 1 || key != keys[1]) {
			keys = append(keys, key)
		}
	}
	body, err := encodeBody(t)
	if err != nil {
		return fmt.Errorf("rediscache: set a tenant: %w", err)
	}
	if _, err := s.run(ctx, setScript, keys, encodeVersion(t.Version), body,
		age.Milliseconds()+1, rest.Milliseconds(), t.ID.String(), aliasTTL.Milliseconds()); err != nil {
		return fmt.Errorf("rediscache: set a tenant: %w", err)
	}
	return nil
}

// Forget implements [resolve.Shared], in one trip.
func (s *Shared) Forget(ctx context.Context, id tenant.ID, version int64) error {
	keys := []string{s.valueKey(id.String())}
	if _, err := s.run(ctx, forgetScript, keys, encodeVersion(version), resolve.MaxConnectedTTL.Milliseconds()); err != nil {
		return fmt.Errorf("rediscache: forget a tenant: %w", err)
	}
	return nil
}

// SharedStats is what a [Shared] has to tell.
type SharedStats struct {
	Away    bool   // whether Redis is being left alone for a moment
	Corrupt uint64 // values that were not what this package writes, and counted as not there
}

// Stats is for metrics and readiness.
func (s *Shared) Stats() SharedStats {
	return SharedStats{Away: s.breaker.isOpen(), Corrupt: s.corrupt.Load()}
}

// run runs a script within the time limit, unless Redis is being left alone.
func (s *Shared) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	if !s.breaker.allow() {
		return nil, ErrAway
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	reply, err := script.Run(limited, s.client, keys, args...).Result()
	if err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") {
		s.corrupt.Add(1) // somebody else's key under our name
		err = redis.Nil
	}
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		s.breaker.succeed(ctx)
	case ctx.Err() == nil: // else the caller gave up, which says nothing of Redis
		s.breaker.fail(ctx, err)
	}
	return reply, err
}

// valueKey is the key of the tenant with an id.
func (s *Shared) valueKey(id string) string { return s.base + "i:" + id }

// key is where ref is looked up. It reports false for a ref that nobody has.
func (s *Shared) key(ref tenant.Ref) (string, bool) {
	switch ref.Kind() {
	case tenant.RefID:
		return s.valueKey(ref.ID().String()), true
	case tenant.RefSlug:
		return s.base + "s:" + string(ref.Slug()), len(ref.Slug()) <= maxRefLen
	case tenant.RefDomain:
		return s.base + "d:" + ref.Domain(), len(ref.Domain()) <= maxRefLen
	}
	return "", false
}
