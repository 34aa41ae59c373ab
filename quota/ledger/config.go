package ledger

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/setting"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Config says how a [Ledger] works. The zero value is for plans that are stored already, and
// tenants that all have one.
type Config struct {
	// Default names the plan of a tenant that nobody gave one; empty means that there is
	// none, and such a tenant is refused. It has to be stored, or be among Plans.
	Default string

	// Plans are stored by Open where there is no plan of the name yet. One that is there
	// stays as it is: it may have been changed since. [Ledger.PutPlan] changes it.
	Plans []quota.Plan

	// TTL is how long plans are remembered, up to MaxTTL; 0 means DefaultTTL. So long a
	// change in another process is not seen when nobody calls [Ledger.Forget].
	TTL time.Duration

	// Size is of how many tenants plans are remembered; 0 means DefaultSize.
	Size int

	// FlushEvery is how often used units are written, from MinFlush to MaxFlush; 0 means
	// DefaultFlush.
	FlushEvery time.Duration

	// FlushTimeout bounds how long one batch may take to be written, up to a minute; 0
	// means 5 seconds.
	FlushTimeout time.Duration

	// MaxPending bounds how many counts wait to be written: one for each tenant, name and
	// period that was used since the last flush. While the database is away they grow up to
	// it. Uses of others are then lost, which Logger and [Stats] are told. 0 means DefaultPending, and it
	// is at most MaxPending.
	MaxPending int

	// OnChange, when not nil, is told of each change of a plan (then the id is zero) and of
	// a tenant's override, after it is committed, so that it can have other processes call
	// [Ledger.Forget].
	OnChange func(in tenant.ID)

	// Logger is told when uses can't be written; nil discards.
	Logger *slog.Logger

	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	// Random is where the id of this writer comes from; nil means [rand.Reader].
	Random io.Reader
}

// Bounds and defaults of a [Config].
const (
	DefaultTTL     = time.Second
	MaxTTL         = 2 * time.Second
	DefaultSize    = 10_000
	MinFlush       = 10 * time.Millisecond
	DefaultFlush   = time.Second
	MaxFlush       = time.Hour
	DefaultPending = 50_000
	MaxPending     = 100_000
)

// writerAge is how long after its last batch a process is remembered. No batch is sent again
// so late.
const writerAge = 30 * 24 * time.Hour

//go:embed control/*.sql
var controlFiles embed.FS

// Open makes or migrates this package's tables, stores the plans that are not there yet,
// and begins to write used units. The pool is one that is signed in as the control role,
// see [tenantdb.Setup], and its catalog is to be opened first, see [tenantdb.OpenCatalog]:
// the tables refer to its own. The pool stays the caller's to close, after the Ledger.
func Open(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Ledger, error) {
	if pool == nil {
		return nil, errors.New("ledger: pool is nil: it needs a pool signed in as the control role")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{pool: pool, cfg: cfg, ended: make(chan struct{})}
	if l.pending, err = newPending(cfg); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l.cache.plans = make(map[planKey]answer)
	l.cache.reads = make(map[planKey]*read)
	files, err := fs.Sub(controlFiles, "control")
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := tenantdb.MigrateControl(ctx, pool, "ledger", files); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := l.seed(ctx); err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, sqlForgetWriters, l.now().Add(-writerAge)); err != nil {
		return nil, fmt.Errorf("ledger: forget old writers: %w", err)
	}
	running, cancel := context.WithCancel(context.Background())
	l.quit = cancel
	go l.flushAgain(running)
	return l, nil
}

// seed stores the plans that are not there yet.
func (l *Ledger) seed(ctx context.Context) error {
	for _, p := range l.cfg.Plans {
		if _, err := l.PlanNamed(ctx, p.Name); !errors.Is(err, quota.ErrUnknownPlan) {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := l.putPlan(ctx, p, false); err != nil {
			return err
		}
	}
	if l.cfg.Default == "" {
		return nil
	}
	if _, err := l.PlanNamed(ctx, l.cfg.Default); err != nil {
		return fmt.Errorf("ledger: the setting Default: store the plan first, or name it in Plans: %w", err)
	}
	return nil
}

// complete checks the configuration and fills in the defaults.
func (cfg Config) complete() (Config, error) {
	problems := []error{
		setting.Complete("the setting TTL", &cfg.TTL, DefaultTTL, time.Millisecond, MaxTTL),
		setting.Complete("the setting FlushEvery", &cfg.FlushEvery, DefaultFlush, MinFlush, MaxFlush),
		setting.Complete("the setting FlushTimeout", &cfg.FlushTimeout, 5*time.Second, time.Millisecond, time.Minute),
		setting.Complete("the setting Size", &cfg.Size, DefaultSize, 1, 10_000_000),
		setting.Complete("the setting MaxPending", &cfg.MaxPending, DefaultPending, 1, MaxPending),
	}
	if cfg.Default != "" {
		if err := quota.CheckName(cfg.Default); err != nil {
			problems = append(problems, fmt.Errorf("the setting Default: %w", err))
		}
	}
	for _, p := range cfg.Plans {
		if err := p.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("the setting Plans: %w", err))
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
