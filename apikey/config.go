package apikey

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/setting"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// How long a verified key is believed without asking the database again, which is how long
// one that another process has revoked gets in at most.
const (
	DefaultTTL      = time.Second
	MaxTTL          = 2 * time.Second
	MaxConnectedTTL = 30 * time.Second
)

// Config says how [Keys] work. Brand, Environment and Scopes must be set.
type Config struct {
	// Brand and Environment are the beginning of each key, see [NewFormat].
	Brand, Environment string

	// Scopes are what keys of the product may be allowed to do: up to MaxScopes names such as
	// notes:read, of a-z, 0-9 and - _ . : and at most 64 bytes.
	Scopes []string

	// Tenants looks up, at each use of a key, whether its tenant is active, and is to answer
	// from a cache. Nil means that this is read together with the key, and is as old.
	Tenants tenant.Store

	// Peppers make HMACs of the hashes that are stored. The first is for new keys; those with
	// another one, or none, get it as they are used, so that an old pepper can go once all
	// keys that are still in use have been. Nil means plain SHA-256.
	//
	// A process that has not a key's pepper can't tell whether the key is good, and answers
	// unavailable. So where several processes run, all get a new pepper behind the first one
	// before any has it in front. The first pepper of all is best rolled out in one go.
	Peppers []Pepper

	// MaxKeys bounds the keys of a tenant that are good for use, up to 10,000; 0 means
	// DefaultMaxKeys. Keys that were rotated count apart, and are bounded by the same number.
	MaxKeys int

	// TTL is how long a verified key is believed, up to MaxTTL; 0 means DefaultTTL.
	TTL time.Duration

	// Connected tells whether a bus delivers at once, to [Keys.Forget] and its kind, what other
	// processes revoke. While it says true, ConnectedTTL takes the place of TTL for the keys
	// that were read meanwhile. Call [Keys.ForgetAll] when the bus was lost and is there again,
	// before it says true. Nil means that there is no bus. It is called at each use, by several
	// goroutines at once, so it is to be quick.
	Connected func() bool

	// ConnectedTTL is up to MaxConnectedTTL; 0 means that.
	ConnectedTTL time.Duration

	// CacheSize is how many verified keys are remembered, up to 10,000,000; 0 means 100,000,
	// which take about 80 MB when all are there. RefusedSize is the same for keys that were
	// refused; 0 means 10,000.
	CacheSize, RefusedSize int

	// Failures bounds how often an address makes the database look for keys that are none.
	Failures FailureLimit

	// FlushEvery is how often uses of keys are written down, from a second to an hour; 0 means
	// a minute. A process that ends without Close loses so much at most.
	FlushEvery time.Duration

	// KeepEnded is how long the tenant's list has keys that were revoked or have expired; 0
	// means 90 days. Those that ended longer ago, and all but the last 1,000, are forgotten
	// when the tenant's next key is made.
	KeepEnded time.Duration

	// LockTimeout bounds how long a change waits for others of the same tenant, up to a
	// minute; 0 means 5 seconds.
	LockTimeout time.Duration

	// OnChange, when not nil, is told of each key that was revoked or rotated, after it is
	// committed, so that it can tell other processes to forget it; also of one that may have
	// been, because the answer to the commit was lost.
	OnChange func(in tenant.ID, keyID string)

	// Logger is told what an operator should know and no caller is told. Nil means nobody.
	Logger *slog.Logger

	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	// Random is where keys come from, and is read by several goroutines at once; nil means
	// [rand.Reader].
	Random io.Reader
}

// DefaultMaxKeys is how many keys a tenant may have, see [Config.MaxKeys].
const DefaultMaxKeys = 100

const (
	maxMaxKeys         = 10_000
	defaultCacheSize   = 100_000
	defaultRefusedSize = 10_000
	maxCacheSize       = 10_000_000
	maxEnded           = 1000 // keys of a tenant that are listed though they have ended
)

var scopePattern = regexp.MustCompile(`^[a-z][a-z0-9_.:-]{0,63}$`)

//go:embed control/*.sql
var controlFiles embed.FS

// Open makes or migrates this package's table and returns what works on it. The pool is one
// that is signed in as the control role, see [tenantdb.Setup], and its catalog is to be
// opened first, see [tenantdb.OpenCatalog]: the table refers to its own. The pool stays the
// caller's to close, after [Keys.Close].
func Open(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Keys, error) {
	if pool == nil {
		return nil, errors.New("apikey: pool is nil: it needs a pool signed in as the control role")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("apikey: %w", err)
	}
	format, err := NewFormat(cfg.Brand, cfg.Environment)
	if err != nil {
		return nil, fmt.Errorf("apikey: %w", err)
	}
	hashes, err := newHasher(cfg.Peppers)
	if err != nil {
		return nil, fmt.Errorf("apikey: the setting Peppers: %w", err)
	}
	files, err := fs.Sub(controlFiles, "control")
	if err != nil {
		return nil, fmt.Errorf("apikey: %w", err)
	}
	if err := tenantdb.MigrateControl(ctx, pool, "apikey", files); err != nil {
		return nil, fmt.Errorf("apikey: %w", err)
	}
	return newKeys(pool, cfg, format, hashes), nil
}

// complete checks the configuration and fills in the defaults.
func (cfg Config) complete() (Config, error) {
	problems := []error{
		setting.Complete("the setting TTL", &cfg.TTL, DefaultTTL, 1, MaxTTL),
		setting.Complete("the setting ConnectedTTL", &cfg.ConnectedTTL, MaxConnectedTTL, 1, MaxConnectedTTL),
		setting.Complete("the setting FlushEvery", &cfg.FlushEvery, time.Minute, time.Second, time.Hour),
		setting.Complete("the setting KeepEnded", &cfg.KeepEnded, 90*24*time.Hour, 1, 10*365*24*time.Hour),
		setting.Complete("the setting LockTimeout", &cfg.LockTimeout, 5*time.Second, time.Millisecond, time.Minute),
		setting.Complete("the setting MaxKeys", &cfg.MaxKeys, DefaultMaxKeys, 1, maxMaxKeys),
		setting.Complete("the setting CacheSize", &cfg.CacheSize, defaultCacheSize, 1, maxCacheSize),
		setting.Complete("the setting RefusedSize", &cfg.RefusedSize, defaultRefusedSize, 1, maxCacheSize),
		cfg.Failures.complete(),
	}
	cfg.Scopes = slices.Compact(slices.Sorted(slices.Values(cfg.Scopes)))
	if len(cfg.Scopes) == 0 || len(cfg.Scopes) > MaxScopes {
		problems = append(problems, fmt.Errorf("the setting Scopes has %d names: declare 1 to %d, such as notes:read; keys may do nothing else", len(cfg.Scopes), MaxScopes))
	}
	for _, scope := range cfg.Scopes {
		if !scopePattern.MatchString(scope) {
			problems = append(problems, fmt.Errorf("the setting Scopes: %.80q: a scope has up to 64 characters of a-z, 0-9 and - _ . : and begins with a letter", scope))
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return cfg, errors.Join(problems...)
}
