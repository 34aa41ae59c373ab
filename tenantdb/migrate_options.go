package tenantdb

import (
	"cmp"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// MigrateOptions say how [Catalog.Migrate] goes about it. The zero value has the defaults.
type MigrateOptions struct {
	// After leaves out the tenants up to this id, in the order of [Catalog.List], and Limit
	// all but so many of the others; 0 means no limit. With both, many tenants are migrated
	// in several runs, each of which goes on behind the last tenant of the report before.
	After tenant.ID
	Limit int

	// Workers is how many tenants are migrated at the same time, each on a connection of
	// the catalog's pool. 0 means one less than the pool has, so that one is left for the
	// catalog, but at least 1 and at most 8. More than the pool has is cut down to that.
	Workers int

	// LockTimeout is how long a statement waits for a lock, while all that come after it
	// wait behind it; 0 means [DefaultLockTimeout]. The run of another process on the same
	// tenant is no such lock: that is waited for as long as the context allows.
	LockTimeout time.Duration

	// Attempts is how often a tenant is tried when locks, deadlocks or conflicts are in
	// the way, with pauses of up to 5 seconds in between; 0 means
	// [DefaultMigrateAttempts], and 100 is the most.
	Attempts int

	// AllowUnknown goes on where a tenant has migrations that this program does not know,
	// as after a rollback of the program. Without it they are an [ErrUnknownMigration].
	AllowUnknown bool

	// Progress, if it is not nil, is called for each tenant once its outcome is known: by
	// the goroutine that called Migrate, so never by two at once. The run waits for it.
	Progress func(MigrateProgress)
}

// DefaultMigrateAttempts is how often a tenant is tried, see [MigrateOptions.Attempts].
const DefaultMigrateAttempts = 3

const (
	mostAttempts   = 100
	defaultWorkers = 8
)

// withDefaults checks the options and fills in what is left to us.
func (o MigrateOptions) withDefaults(pool *pgxpool.Pool) (MigrateOptions, error) {
	switch {
	case o.Limit < 0:
		return o, fmt.Errorf("MigrateOptions.Limit is %d: 0 for no limit, or more", o.Limit)
	case o.Workers < 0:
		return o, fmt.Errorf("MigrateOptions.Workers is %d: 0 for the default, or 1 and more", o.Workers)
	case o.LockTimeout < 0:
		return o, fmt.Errorf("MigrateOptions.LockTimeout is %v: 0 for the default, or more", o.LockTimeout)
	case o.Attempts < 0 || o.Attempts > mostAttempts:
		return o, fmt.Errorf("MigrateOptions.Attempts is %d: 0 for the default, or 1 to %d", o.Attempts, mostAttempts)
	}
	size := int(pool.Config().MaxConns)
	o.Workers = min(cmp.Or(o.Workers, max(min(size-1, defaultWorkers), 1)), size)
	o.LockTimeout = cmp.Or(o.LockTimeout, DefaultLockTimeout)
	o.Attempts = cmp.Or(o.Attempts, DefaultMigrateAttempts)
	return o, nil
}
