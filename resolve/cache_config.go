package resolve

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Bounds of a [Cache].
const (
	// MaxCacheTTL bounds the age of what is served without a connected [Bus]: how long
	// another process's change may go unnoticed.
	MaxCacheTTL = 2 * time.Second

	// MaxConnectedTTL bounds the age of all that is ever served, also where changes are
	// told: so long one may go unnoticed that was lost on its way.
	MaxConnectedTTL = 30 * time.Second

	DefaultCacheTTL     = time.Second
	DefaultConnectedTTL = 25 * time.Second
	DefaultNegativeTTL  = time.Second
	DefaultCacheSize    = 10_000 // tenants, and as many names that lead nowhere
	MaxCacheSize        = 10_000_000
)

// jitter is by how much the time to live of each entry differs from the configured one, up
// or down, so that what was read at once is not read again at once.
const jitter = 0.15

// CacheConfig says how a [Cache] works. The zero value is good for use: a cache of this
// process alone, that notices within a second or so what other processes do.
type CacheConfig struct {
	// TTL is how long a tenant is served without a connected Bus, up to MaxCacheTTL; 0
	// means DefaultCacheTTL. It is jittered by 15 %, within MaxCacheTTL.
	TTL time.Duration

	// ConnectedTTL is the same while the Bus is connected, up to MaxConnectedTTL; 0 means
	// DefaultConnectedTTL. It is jittered by 15 %, within MaxConnectedTTL.
	ConnectedTTL time.Duration

	// NegativeTTL is how long it is remembered that a name leads to no tenant, or to none
	// any more, up to MaxCacheTTL; 0 means DefaultNegativeTTL.
	NegativeTTL time.Duration

	// Size is how many tenants are kept, and NegativeSize how many names that lead nowhere,
	// up to MaxCacheSize; 0 means DefaultCacheSize. The two don't compete for room.
	Size         int
	NegativeSize int

	// Shared is asked before the store, and told what the store said. Nil means none. A
	// program that sets it to a nil pointer of some type has set it.
	Shared Shared

	// Bus tells of other processes' changes, and is told of this one's. Nil means none.
	Bus Bus

	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	// Random draws the jitter, from 0 to 1, for several goroutines at once; nil means
	// [rand.Float64].
	Random func() float64

	// Logger is told what goes wrong with Shared and Bus. Nil means nobody.
	Logger *slog.Logger
}

// complete checks the configuration and fills in the defaults.
func (cfg CacheConfig) complete() (CacheConfig, error) {
	var problems []error
	for _, d := range []struct {
		name          string
		value         *time.Duration
		standard, max time.Duration
		why           string
	}{
		{"TTL", &cfg.TTL, DefaultCacheTTL, MaxCacheTTL, "so long a tenant that another process suspends is served"},
		{"ConnectedTTL", &cfg.ConnectedTTL, DefaultConnectedTTL, MaxConnectedTTL, "so long a tenant is served whose suspension was lost on its way"},
		{"NegativeTTL", &cfg.NegativeTTL, DefaultNegativeTTL, MaxCacheTTL, "so long a tenant that another process creates is not found"},
	} {
		switch {
		case *d.value < 0 || *d.value > d.max:
			problems = append(problems, fmt.Errorf("CacheConfig.%s is %s, and must be from 0 to %s: %s", d.name, *d.value, d.max, d.why))
		case *d.value == 0:
			*d.value = d.standard
		}
	}
	for _, n := range []struct {
		name  string
		value *int
	}{{"Size", &cfg.Size}, {"NegativeSize", &cfg.NegativeSize}} {
		switch {
		case *n.value < 0 || *n.value > MaxCacheSize:
			problems = append(problems, fmt.Errorf("CacheConfig.%s is %d, and must be from 0 to %d", n.name, *n.value, MaxCacheSize))
		case *n.value == 0:
			*n.value = DefaultCacheSize
		}
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, errors.Join(problems...)
}
