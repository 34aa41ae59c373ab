package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/examples/internal/devstack"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

const (
	// reachTimeout bounds the question whether Temporal is there, which is asked before
	// anything is begun: the SDK goes on trying for as long as a request may take.
	reachTimeout = 2 * time.Second

	// workerPause is between two attempts to start the worker, while Temporal is away.
	workerPause = time.Second

	// workerStopTimeout is what running activities have left once the service is told to
	// stop. What they have not done, the next process does.
	workerStopTimeout = time.Second
)

// jobs is the work in the background. The zero jobs has no Temporal, and refuses.
type jobs struct {
	client    client.Client
	lifecycle *temporalx.Lifecycle
	queue     string

	stopWorker func() // ends what runs in this process; others go on with it
}

// errNoTemporal is told while Temporal is away.
func errNoTemporal(err error) error {
	return &tenant.Error{Code: tenant.CodeUnavailable, Detail: "Temporal is away", RetryAfter: retryAfter, Err: err}
}

// openJobs makes the client of a Temporal, whether or not it is there yet, and what is
// asked of it.
func (s *server) openJobs(tp *devstack.Temporal, own secret) error {
	key, err := own.key("temporal")
	if err != nil {
		return err
	}
	// One queue for the processes of one database: others in the namespace have their own.
	name, err := own.key("task queue")
	if err != nil {
		return err
	}
	plugin, err := temporalx.Plugin(temporalx.Config{
		Store:    s.caches.tenants,
		Keys:     []temporalx.Key{{ID: "notes", Secret: key}},
		Dispatch: temporalx.Dispatch{Fairness: fairness(), Slots: exportSlots{s.quotas.limiter}},
		Logger:   s.log,
	})
	if err != nil {
		return err
	}
	options := tp.ClientOptions()
	options.Plugins = append(options.Plugins, plugin)
	if err := s.telemetry.plug(&options); err != nil {
		return err
	}
	s.jobs.queue = "notes-" + hex.EncodeToString(name[:8])
	if s.jobs.client, err = client.NewLazyClient(options); err != nil {
		return err
	}
	s.jobs.lifecycle, err = temporalx.NewLifecycle(temporalx.LifecycleConfig{
		Catalog:   s.catalog,
		Client:    s.jobs.client,
		TaskQueue: s.jobs.queue,
		Seed:      s.seedOwner,
	})
	return err
}

// runWorker starts the worker, as soon as Temporal is there.
func (s *server) runWorker() {
	life, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s.jobs.stopWorker = func() { // before the goroutine, which reads what jobs are
		end()
		<-ended
	}
	go func() {
		defer close(ended)
		w := s.startWorker(life)
		if w == nil {
			return
		}
		<-life.Done()
		w.Stop()
	}()
}

// close stops the worker, and disconnects.
func (j jobs) close() error {
	j.stopWorker()
	j.client.Close()
	return nil
}

// startWorker tries until ctx ends, and returns nil then.
func (s *server) startWorker(ctx context.Context) worker.Worker {
	for told := false; ctx.Err() == nil; {
		err := s.jobs.reachable(ctx)
		if err == nil {
			w := worker.New(s.jobs.client, s.jobs.queue, worker.Options{WorkerStopTimeout: workerStopTimeout})
			w.RegisterWorkflow(exportNotes)
			w.RegisterActivityWithOptions(temporalx.InTx(s.exports.db, writeExport), activity.RegisterOptions{Name: writeExportName})
			s.jobs.lifecycle.Register(w)
			if err = w.Start(); err == nil {
				return w
			}
		}
		if !told {
			s.log.WarnContext(ctx, "Temporal is away: no exports, and no tenants are made or deleted until it is back", slog.Any("error", err))
			told = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(workerPause):
		}
	}
	return nil
}

// reachable is nil when Temporal is there, and else what the client is told.
func (j jobs) reachable(ctx context.Context) error {
	if j.client == nil {
		return errNoTemporal(errors.New("this program was built without it, and TEMPORAL_ADDRESS is not set"))
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if _, err := j.client.CheckHealth(ctx, nil); err != nil {
		return errNoTemporal(err)
	}
	return nil
}

// exportJob is the workflow id of an export.
func exportJob(of tenant.ID, id pgtype.UUID) string {
	return temporalx.WorkflowID(of, "export-"+id.String())
}

func (j jobs) startExport(ctx context.Context, of tenant.ID, id pgtype.UUID) error {
	_, err := j.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:        exportJob(of, id),
		TaskQueue: j.queue,
	}, exportNotes, id.String())
	if err != nil {
		return fmt.Errorf("start an export: %w", orNoTemporal(err))
	}
	return nil
}

// exportRuns reports whether the job of an export has yet to end.
func (j jobs) exportRuns(ctx context.Context, of tenant.ID, id pgtype.UUID) (bool, error) {
	if err := j.reachable(ctx); err != nil {
		return false, err
	}
	job, err := j.client.DescribeWorkflow(ctx, exportJob(of, id), "")
	if gone := (*serviceerror.NotFound)(nil); errors.As(err, &gone) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at an export: %w", orNoTemporal(err))
	}
	return job.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// orNoTemporal is err, or unavailable in place of one that says that Temporal is away.
func orNoTemporal(err error) error {
	unavailable, late := (*serviceerror.Unavailable)(nil), (*serviceerror.DeadlineExceeded)(nil)
	if errors.As(err, &unavailable) || errors.As(err, &late) {
		return errNoTemporal(err)
	}
	return err
}

const writeExportName = "WriteExport"

// exportNotes is the workflow of an export: its one activity runs for the tenant that the
// workflow was started for.
func exportNotes(ctx workflow.Context, id string) (notes int64, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 10 * time.Minute,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumInterval: 10 * time.Second},
	})
	err = workflow.ExecuteActivity(ctx, writeExportName, id).Get(ctx, &notes)
	return notes, err
}

// makeTenant makes a tenant whose first member and owner is a user, by a workflow that goes
// on when this process dies.
func (j jobs) makeTenant(ctx context.Context, slug tenant.Slug, name string, owner user) (tenant.Tenant, error) {
	args, err := json.Marshal(owner.ID)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if err := j.reachable(ctx); err != nil {
		return tenant.Tenant{}, err
	}
	t, err := j.lifecycle.Provision(ctx, temporalx.Provision{Slug: slug, Name: name, Plan: defaultPlan, Args: args})
	return t, orNoTemporal(err)
}

// seedOwner makes the user who asked for a tenant its owner: both are there or neither.
func (s *server) seedOwner(ctx context.Context, tx pgx.Tx, t tenant.Tenant, p temporalx.Provision) error {
	var id string
	if err := json.Unmarshal(p.Args, &id); err != nil {
		return err
	}
	owner, err := s.users.get(ctx, id)
	if err != nil {
		return err
	}
	return s.members.Add(ctx, tx, invite.Member{TenantID: t.ID, UserID: owner.ID, Email: owner.Email, Role: invite.RoleOwner})
}

// deleteTenant starts what ends a deleted tenant's jobs and, after the grace period,
// removes its data.
func (j jobs) deleteTenant(ctx context.Context, id tenant.ID) error {
	if err := j.reachable(ctx); err != nil {
		return err
	}
	_, err := j.lifecycle.Delete(ctx, id, temporalx.DeleteOptions{})
	return orNoTemporal(err)
}
