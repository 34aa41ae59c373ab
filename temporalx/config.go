package temporalx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Config says how [Plugin] works. Store is the only setting that must be there.
type Config struct {
	// Store is asked for its tenant as each activity begins. Put a cache in front of one that
	// is slow: so long as that may remember a tenant, a suspended one is still worked for.
	Store tenant.Store

	// Keys sign what is carried, so that nobody without one can make work of a tenant, or
	// turn the work of one into that of another. The first signs, all verify: see [Key] for
	// how they are replaced. None means that nothing is signed, and that whoever may write to
	// the namespace is trusted.
	Keys []Key

	// Dispatch says where work goes, in which order, and how much of it runs at a time.
	Dispatch Dispatch

	// Encryption, when not nil, seals the payloads of each tenant with a key of its own.
	Encryption *Encryption

	// RetrySuspended, when it is not 0, lets an activity of a suspended tenant be tried again
	// after so long, within the bounds of its own retry policy, so that it goes on when the
	// tenant is resumed. At 0 it fails for good. From a second to a day.
	RetrySuspended time.Duration

	// CarryEmail puts the e-mail address of who acts into the headers, where whoever may read
	// the namespace sees it for as long as histories are kept.
	CarryEmail bool

	// LookupTimeout bounds how long an activity waits for the Store, up to a minute; 0 means
	// 5 seconds. After that the activity is tried again.
	LookupTimeout time.Duration

	// OnRefused, when not nil, is told of each workflow, activity, signal, query and update
	// that a worker refuses, but not again when a workflow is replayed. It must not block,
	// and must be safe for concurrent use: some calls come from inside workflows.
	OnRefused func(Refusal)

	// Now is the clock; nil means [time.Now]. Workflows use their own.
	Now func() time.Time

	// Logger is told what is refused on the client's side of a worker; workers use the
	// client's logger. Nil discards.
	Logger *slog.Logger
}

const (
	minRetrySuspended    = time.Second
	maxRetrySuspended    = 24 * time.Hour
	defaultLookupTimeout = 5 * time.Second
	maxLookupTimeout     = time.Minute
)

// complete checks the configuration and fills in the defaults.
func (cfg Config) complete() (Config, error) {
	var problems []error
	if cfg.Store == nil {
		problems = append(problems, errors.New("the setting Store is nil: activities look their tenant up in it"))
	}
	if d := cfg.RetrySuspended; d != 0 && (d < minRetrySuspended || d > maxRetrySuspended) {
		problems = append(problems, fmt.Errorf("the setting RetrySuspended is %s, and must be 0 or from %s to %s", d, minRetrySuspended, maxRetrySuspended))
	}
	switch d := cfg.LookupTimeout; {
	case d == 0:
		cfg.LookupTimeout = defaultLookupTimeout
	case d < 0 || d > maxLookupTimeout:
		problems = append(problems, fmt.Errorf("the setting LookupTimeout is %s, and must be from 0 to %s", d, maxLookupTimeout))
	}
	if err := checkKeys(cfg.Keys); err != nil {
		problems = append(problems, fmt.Errorf("the setting Keys: %w", err))
	}
	if err := cfg.Dispatch.check(); err != nil {
		problems = append(problems, err)
	}
	if cfg.Encryption != nil {
		complete, err := cfg.Encryption.complete()
		if err != nil {
			problems = append(problems, err)
		}
		cfg.Encryption = &complete
	}
	if cfg.OnRefused == nil {
		cfg.OnRefused = func(Refusal) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, errors.Join(problems...)
}

// lookup asks the store for a tenant, within the time limit.
func (cfg Config) lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.LookupTimeout)
	defer cancel()
	return cfg.Store.Lookup(ctx, tenant.ByID(id))
}
