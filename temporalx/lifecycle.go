package temporalx

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// LifecycleConfig says how [NewLifecycle] works. Catalog, Client and TaskQueue are needed.
//
// Hooks run as activities, of the system and not of the tenant. They may run again: after
// an error, and when a worker dies before it could tell that they have run. So each is to
// find what it has done before. An error that is a [*tenant.Error] ends a workflow, but for
// one of the code unavailable; all others are tried again until [LifecycleConfig.GiveUpAfter].
type LifecycleConfig struct {
	Catalog *tenantdb.Catalog

	// Client has the [Plugin]. Its workers are given to [Lifecycle.Register].
	Client client.Client

	// TaskQueue is where workflows and activities wait for a worker. When [Routing] has it
	// among its Queues, that is the system's queue beside it, which a [Pool] serves.
	TaskQueue string

	// Before, when not nil, makes what a tenant needs elsewhere, such as an account at a
	// billing service, once its id and slug are reserved and before it exists. Undo takes
	// back what Before has done, or had begun, when the tenant is not made after all.
	Before func(ctx context.Context, p Provision) error
	Undo   func(ctx context.Context, p Provision) error

	// Seed, when not nil, adds what a tenant starts with, in the transaction in which it
	// becomes active, see [tenantdb.NewTenant].
	Seed func(ctx context.Context, tx pgx.Tx, t tenant.Tenant, p Provision) error

	// Export, when not nil, keeps a copy of what a deleted tenant has, before that is
	// removed, and tells where. ctx carries the tenant as if it were active still, so that
	// sessions of tenantdb work, for this hook alone. When Export fails for good, nothing is
	// removed. One that takes long tells that it lives, by [activity.RecordHeartbeat].
	Export func(ctx context.Context, t tenant.Tenant) (where string, err error)

	// Deleted, when not nil, is told what was removed of a tenant, once nothing is left.
	Deleted func(ctx context.Context, m Manifest) error

	// GracePeriod is how long the data of a deleted tenant are kept; 0 means 30 days, and
	// [DeleteOptions] has a way around it.
	GracePeriod time.Duration

	// DrainTimeout is how long the running workflows of a deleted tenant have from their
	// cancellation until they are terminated; 0 means a minute.
	DrainTimeout time.Duration

	// GiveUpAfter is how long a step of a provisioning is tried again, after errors that may
	// pass, until all is undone; 0 means 10 minutes.
	GiveUpAfter time.Duration
}

const (
	defaultGracePeriod  = 30 * 24 * time.Hour
	defaultDrainTimeout = time.Minute
	defaultGiveUpAfter  = 10 * time.Minute
)

// Lifecycle runs the lives of tenants as workflows, which go on where they were after any
// crash: of the program, of PostgreSQL, of Temporal. It is safe for concurrent use.
//
// The workflows are the system's. What they wait for can be asked of them by queries.
type Lifecycle struct{ cfg LifecycleConfig }

// NewLifecycle makes a Lifecycle. Errors are about the settings.
func NewLifecycle(cfg LifecycleConfig) (*Lifecycle, error) {
	var problems []error
	for _, needed := range []struct {
		missing bool
		name    string
	}{
		{cfg.Catalog == nil, "Catalog"}, {cfg.Client == nil, "Client"}, {cfg.TaskQueue == "", "TaskQueue"},
	} {
		if needed.missing {
			problems = append(problems, fmt.Errorf("the setting %s is needed", needed.name))
		}
	}
	if cfg.Before != nil && cfg.Undo == nil {
		problems = append(problems, errors.New("the setting Before is not nil: it needs Undo, which takes back what it has done"))
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
	}{
		{"GracePeriod", &cfg.GracePeriod, defaultGracePeriod},
		{"DrainTimeout", &cfg.DrainTimeout, defaultDrainTimeout},
		{"GiveUpAfter", &cfg.GiveUpAfter, defaultGiveUpAfter},
	} {
		if *d.value < 0 {
			problems = append(problems, fmt.Errorf("the setting %s is %s, below 0", d.name, *d.value))
		}
		*d.value = cmp.Or(*d.value, d.standard)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("temporalx: lifecycle: %w", err)
	}
	return &Lifecycle{cfg: cfg}, nil
}

// The names under which workers know the workflows and activities of a [Lifecycle].
// Histories have them, so they stay.
const (
	provisionWorkflow = "tenantwall.ProvisionTenant"
	deleteWorkflow    = "tenantwall.DeleteTenant"
	migrateWorkflow   = "tenantwall.MigrateTenants"

	findActivity        = "tenantwall.FindTenant"
	reserveActivity     = "tenantwall.ReserveTenant"
	beforeActivity      = "tenantwall.BeforeTenant"
	createActivity      = "tenantwall.CreateTenant"
	undoActivity        = "tenantwall.UndoBefore"
	releaseActivity     = "tenantwall.ReleaseTenant"
	closeActivity       = "tenantwall.CloseTenant"
	drainActivity       = "tenantwall.DrainTenant"
	exportActivity      = "tenantwall.ExportTenant"
	remainsActivity     = "tenantwall.RemainsOfTenant"
	purgeActivity       = "tenantwall.PurgeTenant"
	manifestActivity    = "tenantwall.TellManifest"
	countActivity       = "tenantwall.CountTenants"
	migratePageActivity = "tenantwall.MigratePage"
)

// Register makes a worker of [LifecycleConfig.TaskQueue] run the workflows. It comes before
// the worker's start.
func (l *Lifecycle) Register(r worker.Registry) {
	registerLifecycleWorkflows(r)
	for name, fn := range map[string]any{
		findActivity: l.find, reserveActivity: l.reserve, beforeActivity: l.before, createActivity: l.create,
		undoActivity: l.undo, releaseActivity: l.release,
		closeActivity: l.close, drainActivity: l.drain, exportActivity: l.export, remainsActivity: l.remains,
		purgeActivity: l.purge, manifestActivity: l.tellManifest,
		countActivity: l.count, migratePageActivity: l.migratePage,
	} {
		r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

// workflowRegistry is what a worker and a replayer have in common.
type workflowRegistry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// registerLifecycleWorkflows registers functions of no configuration: all that decides the
// course of a workflow is in its arguments, so that a history is replayed alike by whoever.
func registerLifecycleWorkflows(r workflowRegistry) {
	for name, fn := range map[string]any{
		provisionWorkflow: provisionTenant, deleteWorkflow: deleteTenant, migrateWorkflow: migrateTenants,
	} {
		r.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: name})
	}
}

// RegisterForReplay makes a replayer know the workflows of a [Lifecycle], to see whether
// recorded histories of them agree with this version of the library.
func RegisterForReplay(r worker.WorkflowReplayer) { registerLifecycleWorkflows(r) }

// retries are the pauses between the attempts of a step.
func retries() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second}
}

// stepTimeout bounds one attempt of a step that takes no long time.
const stepTimeout = time.Minute

// step is a context for activities that are tried again, each attempt bounded by one, and
// all together by whole unless that is 0.
func step(ctx workflow.Context, one, whole time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    one,
		ScheduleToCloseTimeout: whole,
		WaitForCancellation:    true, // what a step has done is known before anything is undone
		RetryPolicy:            retries(),
	})
}

// Provision is a tenant to be made, by [Lifecycle.Provision].
type Provision struct {
	// ID is the tenant's; zero makes a new one. Whoever may have to try again gives one.
	ID tenant.ID

	Slug tenant.Slug
	Name string
	Plan string

	// Args are for the hooks, such as who is to own the tenant: any JSON, or nil. Together
	// with the name they stay in the workflow's history for as long as the namespace keeps
	// it, where a codec can hide them.
	Args json.RawMessage

	// GiveUpAfter is for the workflow; it is set to [LifecycleConfig.GiveUpAfter].
	GiveUpAfter time.Duration
}
