package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// MigrateReport is what a run of [Catalog.Migrate] did for each tenant, in the order in
// which the catalog lists them.
type MigrateReport struct {
	Tenants []TenantMigration
}

// TenantMigration is what a run did for one tenant.
type TenantMigration struct {
	Tenant   tenant.ID
	Outcome  MigrationOutcome
	Applied  []int64       // versions, in the order in which they were applied
	Attempts int           // more than 1 when locks, deadlocks or conflicts were in the way
	Took     time.Duration // of all attempts; 0 when nothing was to be done
	Err      error         // why it failed, or why it was skipped
}

// MigrationOutcome says how the migration of one tenant ended.
type MigrationOutcome string

const (
	OutcomeUpToDate MigrationOutcome = "up_to_date" // nothing was to be done
	OutcomeMigrated MigrationOutcome = "migrated"
	OutcomeFailed   MigrationOutcome = "failed"  // its schema is as it was before
	OutcomeSkipped  MigrationOutcome = "skipped" // the run ended first; a later one goes on here
)

// Count is the number of tenants with that outcome.
func (r MigrateReport) Count(outcome MigrationOutcome) int {
	n := 0
	for _, t := range r.Tenants {
		if t.Outcome == outcome {
			n++
		}
	}
	return n
}

// MigrateProgress is what a run tells while it goes on.
type MigrateProgress struct {
	Done  int             // tenants of which the outcome is known
	Total int             // tenants of the run
	Last  TenantMigration // the one that was done last
}

// MigrateError says that a run of [Catalog.Migrate] did not migrate all tenants. The report
// beside it has the outcome of each.
type MigrateError struct {
	Failed  int // tenants
	Skipped int
	Total   int

	// First are the errors of the first tenants that failed, up to ten, each with the
	// tenant's id in its text; and the context's, when that ended the run.
	First []error
}

// maxFailures bounds MigrateError.First.
const maxFailures = 10

func (e *MigrateError) Error() string {
	s := fmt.Sprintf("tenantdb: migrate: of %d tenants %d failed and %d were skipped", e.Total, e.Failed, e.Skipped)
	if len(e.First) > 0 {
		s += ", the first: " + e.First[0].Error()
	}
	return s
}

// Unwrap are the first errors.
func (e *MigrateError) Unwrap() []error { return e.First }

// err sums the report up: nil when all tenants are up to date now.
func (r MigrateReport) err(ctx context.Context) error {
	e := &MigrateError{Failed: r.Count(OutcomeFailed), Skipped: r.Count(OutcomeSkipped), Total: len(r.Tenants)}
	for _, t := range r.Tenants {
		if t.Outcome == OutcomeFailed && len(e.First) < maxFailures {
			e.First = append(e.First, fmt.Errorf("tenant %s: %w", t.Tenant, t.Err))
		}
	}
	if e.Failed == 0 && e.Skipped == 0 {
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		e.First = append(e.First, err)
	}
	return e
}

// errInterrupted is why a tenant was skipped.
var errInterrupted = errors.New("the run ended before the tenant was migrated")
