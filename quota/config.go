package quota

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/tenantwall/tenantwall/internal/setting"
	"github.com/tenantwall/tenantwall/tenant"
)

// Config says how a [Limiter] works. The zero value is good for use: a number or a duration
// of 0 means its default, one that can be turned off is so below 0, and one that is out of
// its bounds is an error of [New].
type Config struct {
	// Timeout bounds what a request waits for the backend, all trips of it together, from
	// MinTimeout to MaxTimeout; 0 means DefaultTimeout. Past it the limits are decided by
	// their WhenAway.
	Timeout time.Duration

	// Breaker says when the backend is not asked at all for a while.
	Breaker BreakerConfig

	// Lease says how rates with [Rate.Lease] take tokens in advance.
	Lease LeaseConfig

	// RememberDenials is how long a refusal by a rate is repeated without asking the backend
	// at most, up to MaxRememberDenials; it never outlives the time at which there will be
	// tokens again. What another process gives back in this time is seen after it. 0 means
	// DefaultRememberDenials; below 0 turns it off, and every request asks.
	RememberDenials time.Duration

	// MaxTenants is of how many tenants leases and denials are held in this process, up to
	// MostTenants; 0 means DefaultMaxTenants. The backend is asked for all others.
	MaxTenants int

	// LocalShare is the part of a limit that this process admits while the backend is away
	// and the limit says [Local]: 1 divided by the number of processes, say. What that is of
	// a burst or of slots is rounded down, and at least one. From MinLocalShare to 1; 0 means 1.
	LocalShare float64

	// SlotTTL is how long a slot is held after its holder was last heard of, from MinSlotTTL
	// to MaxSlotTTL; 0 means DefaultSlotTTL. A slot is renewed three times in it.
	SlotTTL time.Duration

	// Units knows what was used in a month. Nil is for plans whose units nobody can have
	// used before: without it, a loss of the backend makes their counts begin at 0 again.
	Units UnitsSource

	// UnitsAge is how long a running count of units is believed until it is compared with
	// Units again, from MinUnitsAge to MaxUnitsAge; 0 means DefaultUnitsAge.
	UnitsAge time.Duration

	// Recorder, when not nil, is told of the units that were used.
	Recorder UnitsRecorder

	// Hooks are told of what is decided.
	Hooks Hooks

	// Logger is told when the backend goes away and when it is back; nil discards.
	Logger *slog.Logger

	// Now is the clock of what this process decides alone; nil means the monotonic clock. It
	// must not go back.
	Now func() time.Time

	// Random is where the ids of slots and leases come from; nil means [rand.Reader].
	Random io.Reader
}

// LeaseConfig says how tokens are taken in advance, for rates with [Rate.Lease].
type LeaseConfig struct {
	// Most is how many tokens one lease has at most, up to MaxLease; 0 means DefaultLease,
	// below 0 turns leases off. A lease is never more than a tenth of the bucket, and begins with one
	// token: it grows while leases are used up, and shrinks when tokens come back.
	Most int64

	// TTL is how long a lease lasts, from MinLeaseTTL to MaxLeaseTTL; 0 means
	// DefaultLeaseTTL. A lease that was not used for half of it is given back. So long the
	// tokens of a process that has crashed are missing at most.
	TTL time.Duration
}

// BreakerConfig says when the backend counts as away without being asked.
type BreakerConfig struct {
	// Failures is how many calls in a row have to fail, up to MaxBreakerFailures; 0 means
	// DefaultBreakerFailures, below 0 turns the breaker off.
	Failures int

	// Pause is how long the backend is then left alone, until a single call tries again, from
	// MinBreakerPause to MaxBreakerPause; 0 means DefaultBreakerPause.
	Pause time.Duration
}

// Hooks are functions that a [Limiter] calls on the way of a request, by many goroutines at
// once. They must be quick. Nil ones are not called.
type Hooks struct {
	// BeforeAdmit is called first. With an error the request is not decided, nothing is
	// taken, and Admit returns the error.
	BeforeAdmit func(ctx context.Context, t tenant.Tenant, req Request) error

	// OnDeny is told of each request that is refused.
	OnDeny func(ctx context.Context, t tenant.Tenant, d Decision)

	// OnShadow is told of each limit that would have refused a request if it were no shadow.
	OnShadow func(ctx context.Context, t tenant.Tenant, l LimitState)

	// OnNear is told when a request takes a limit past Near. It is not told of what the
	// process decides alone.
	OnNear func(ctx context.Context, t tenant.Tenant, l LimitState)

	// Near is the used share of a limit at which OnNear is called, from MinNear to 1; 0 means
	// DefaultNear.
	Near float64
}

// Bounds and defaults of a [Config].
const (
	MinTimeout             = time.Millisecond
	DefaultTimeout         = 100 * time.Millisecond
	MaxTimeout             = 10 * time.Second
	DefaultRememberDenials = time.Second
	MaxRememberDenials     = time.Minute
	DefaultMaxTenants      = 100_000
	MostTenants            = 10_000_000
	MinLocalShare          = 0.000001
	MinSlotTTL             = time.Second
	DefaultSlotTTL         = 30 * time.Second
	MaxSlotTTL             = time.Hour
	MinUnitsAge            = time.Second
	DefaultUnitsAge        = 5 * time.Minute
	MaxUnitsAge            = 24 * time.Hour
)

// Bounds and defaults of a [LeaseConfig].
const (
	DefaultLease    = 10_000
	MaxLease        = 60 * MaxRate
	MinLeaseTTL     = 100 * time.Millisecond
	DefaultLeaseTTL = 2 * time.Second
	MaxLeaseTTL     = time.Minute
)

// Bounds and defaults of a [BreakerConfig].
const (
	DefaultBreakerFailures = 5
	MaxBreakerFailures     = 1_000_000
	MinBreakerPause        = time.Millisecond
	DefaultBreakerPause    = time.Second
	MaxBreakerPause        = time.Minute
)

// Bounds and the default of [Hooks].Near.
const (
	MinNear     = 0.01
	DefaultNear = 0.8
)

// complete checks the configuration and fills in the defaults.
func (cfg Config) complete() (Config, error) {
	problems := []error{
		setting.Complete("the setting Timeout", &cfg.Timeout, DefaultTimeout, MinTimeout, MaxTimeout),
		setting.CompleteOrOff("the setting Breaker.Failures", &cfg.Breaker.Failures, DefaultBreakerFailures, 1, MaxBreakerFailures),
		setting.Complete("the setting Breaker.Pause", &cfg.Breaker.Pause, DefaultBreakerPause, MinBreakerPause, MaxBreakerPause),
		setting.CompleteOrOff("the setting Lease.Most", &cfg.Lease.Most, DefaultLease, 1, MaxLease),
		setting.Complete("the setting Lease.TTL", &cfg.Lease.TTL, DefaultLeaseTTL, MinLeaseTTL, MaxLeaseTTL),
		setting.CompleteOrOff("the setting RememberDenials", &cfg.RememberDenials, DefaultRememberDenials, 1, MaxRememberDenials),
		setting.Complete("the setting MaxTenants", &cfg.MaxTenants, DefaultMaxTenants, 1, MostTenants),
		setting.Complete("the setting LocalShare", &cfg.LocalShare, 1, MinLocalShare, 1),
		setting.Complete("the setting SlotTTL", &cfg.SlotTTL, DefaultSlotTTL, MinSlotTTL, MaxSlotTTL),
		setting.Complete("the setting UnitsAge", &cfg.UnitsAge, DefaultUnitsAge, MinUnitsAge, MaxUnitsAge),
		setting.Complete("the setting Hooks.Near", &cfg.Hooks.Near, DefaultNear, MinNear, 1),
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return cfg, errors.Join(problems...)
}
