package temporalx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// MigrateAllOptions say how [Lifecycle.MigrateAll] goes about it. The zero value has the
// defaults. Workers, LockTimeout, Attempts and AllowUnknown are those of
// [tenantdb.MigrateOptions].
type MigrateAllOptions struct {
	Workers      int
	LockTimeout  time.Duration
	Attempts     int
	AllowUnknown bool

	// Page is how many tenants one activity migrates; 0 means 100, and 10,000 is the most.
	Page int
}

const (
	defaultMigratePage = 100
	mostMigratePage    = 10_000

	// mostMigrateAttempts is that of [tenantdb.MigrateOptions].
	mostMigrateAttempts = 100

	// migratePages is after how many pages a run is followed by another with a new history,
	// if the server does not ask for one before.
	migratePages = 500

	// pageTimeout bounds one attempt at a page. What it has done is not done again.
	pageTimeout = 6 * time.Hour

	migrateName   = "migrate-tenants"
	progressQuery = "progress"
)

// complete checks the options and fills in the default of Page. With options that are not
// valid a worker would try the first page again for ever, and no other migration can run
// meanwhile.
func (o MigrateAllOptions) complete() (MigrateAllOptions, error) {
	switch {
	case o.Page < 0 || o.Page > mostMigratePage:
		return o, fmt.Errorf("MigrateAllOptions.Page is %d: 0 for the default, or 1 to %d", o.Page, mostMigratePage)
	case o.Workers < 0:
		return o, fmt.Errorf("MigrateAllOptions.Workers is %d: 0 for the default, or 1 and more", o.Workers)
	case o.LockTimeout < 0:
		return o, fmt.Errorf("MigrateAllOptions.LockTimeout is %s: 0 for the default, or more", o.LockTimeout)
	case o.Attempts < 0 || o.Attempts > mostMigrateAttempts:
		return o, fmt.Errorf("MigrateAllOptions.Attempts is %d: 0 for the default, or 1 to %d", o.Attempts, mostMigrateAttempts)
	}
	o.Page = cmp.Or(o.Page, defaultMigratePage)
	return o, nil
}

// MaxMigrationFailures bounds [Migration.Failures].
const MaxMigrationFailures = 100

// Migration is how far a migration of all tenants is, and its result.
type Migration struct {
	Total    int `json:"total"` // tenants there were when it began
	UpToDate int `json:"up_to_date"`
	Migrated int `json:"migrated"`
	Failed   int `json:"failed"`

	// Failures are the first of them. [tenantdb.Catalog.MigrationStatus] tells all.
	Failures []MigrationFailure `json:"failures,omitempty"`

	// Last is the tenant up to which all are done, in the order of their ids.
	Last tenant.ID `json:"last,omitzero"`
}

// MigrationFailure is a tenant whose schema is as it was, and why.
type MigrationFailure struct {
	Tenant tenant.ID `json:"tenant"`
	Error  string    `json:"error"`
}

// Done is how many tenants have an outcome.
func (m Migration) Done() int { return m.UpToDate + m.Migrated + m.Failed }

// and is m with a page more.
func (m Migration) and(page Migration) Migration {
	m.UpToDate += page.UpToDate
	m.Migrated += page.Migrated
	m.Failed += page.Failed
	m.Failures = append(m.Failures, page.Failures...)
	m.Failures = m.Failures[:min(len(m.Failures), MaxMigrationFailures)]
	m.Last = page.Last
	return m
}

// MigrateAll starts to bring the schemas of all tenants up to date, page by page as
// [tenantdb.Catalog.Migrate] does, or finds the workflow that is at it: there is one at a
// time. Its result is a [Migration], which counts the tenants that failed; they stop none
// of the others, and another MigrateAll tries them again. Start it with the program whose
// migrations are wanted: its workers have them.
//
// The errors are about the options, and Temporal's own.
func (l *Lifecycle) MigrateAll(ctx context.Context, o MigrateAllOptions) (client.WorkflowRun, error) {
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("temporalx: migrate the tenants: %w", err)
	}
	return l.start(ctx, "migrate the tenants", migrateWorkflow, migrateName, migration{Options: o})
}

// Migration tells how far the last [Lifecycle.MigrateAll] is. The error is Temporal's: a
// serviceerror.NotFound when there was none. It needs a worker.
func (l *Lifecycle) Migration(ctx context.Context) (Migration, error) {
	var m Migration
	value, err := l.cfg.Client.QueryWorkflow(System(ctx, "look at a migration"), SystemWorkflowID(migrateName), "", progressQuery)
	if err == nil {
		err = value.Get(&m)
	}
	if err != nil {
		return Migration{}, fmt.Errorf("temporalx: look at the migration of the tenants: %w", err)
	}
	return m, nil
}

// migration is what a run of the workflow is started with.
type migration struct {
	Options MigrateAllOptions
	Before  *Migration // what the runs before have done; nil in the first
}

// migrateTenants is the workflow.
func migrateTenants(ctx workflow.Context, in migration) (Migration, error) {
	var done Migration
	if err := workflow.SetQueryHandler(ctx, progressQuery, func() (Migration, error) { return done, nil }); err != nil {
		return Migration{}, err
	}
	if in.Before != nil {
		done = *in.Before
	} else if err := workflow.ExecuteActivity(step(ctx, stepTimeout, 0), countActivity).Get(ctx, &done.Total); err != nil {
		return Migration{}, err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: pageTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy:         retries(),
	})
	for pages := 1; ; pages++ {
		var page Migration
		if err := workflow.ExecuteActivity(ctx, migratePageActivity, in.Options, done.Last).Get(ctx, &page); err != nil {
			return Migration{}, err
		}
		if page.Done() == 0 {
			return done, nil
		}
		done = done.and(page)
		if pages == migratePages || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Before = &done
			return Migration{}, workflow.NewContinueAsNewError(ctx, migrateWorkflow, in)
		}
	}
}

func (l *Lifecycle) count(ctx context.Context) (int, error) {
	return l.cfg.Catalog.Count(ctx, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusActive, tenant.StatusSuspended}})
}

// migratePage migrates the tenants behind an id, as many as a page has.
func (l *Lifecycle) migratePage(ctx context.Context, o MigrateAllOptions, after tenant.ID) (Migration, error) {
	stop := heartbeats(ctx)
	defer stop()
	report, err := l.cfg.Catalog.Migrate(ctx, tenantdb.MigrateOptions{
		After: after, Limit: o.Page,
		Workers: o.Workers, LockTimeout: o.LockTimeout, Attempts: o.Attempts, AllowUnknown: o.AllowUnknown,
	})
	if failed := (*tenantdb.MigrateError)(nil); err != nil && (!errors.As(err, &failed) || failed.Skipped > 0) {
		return Migration{}, err // a tenant that was skipped is to be tried again, with the page
	}
	page := Migration{
		UpToDate: report.Count(tenantdb.OutcomeUpToDate), Migrated: report.Count(tenantdb.OutcomeMigrated), Failed: report.Count(tenantdb.OutcomeFailed),
	}
	for _, t := range report.Tenants {
		page.Last = t.Tenant
		if t.Outcome == tenantdb.OutcomeFailed && len(page.Failures) < MaxMigrationFailures {
			page.Failures = append(page.Failures, MigrationFailure{Tenant: t.Tenant, Error: cutText(t.Err.Error(), maxFailureText)})
		}
	}
	return page, nil
}

// maxFailureText bounds the text of a failure, in bytes.
const maxFailureText = 500

// cutText is s with at most so many bytes, in whole characters.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// heartbeats tells the server that the activity lives, until it is stopped.
func heartbeats(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		beat := time.NewTicker(heartbeatTimeout / 3)
		defer beat.Stop()
		for {
			activity.RecordHeartbeat(ctx)
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
