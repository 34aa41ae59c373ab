package temporalx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// createTimeout bounds one attempt at a tenant's schema, with all of its migrations.
const createTimeout = 10 * time.Minute

// cancelTimeout bounds how long a caller whose time is over waits for its workflow to be
// told so.
const cancelTimeout = 5 * time.Second

// askAgainAfter is how long a caller waits in vain for the end of a workflow at most, when
// the notice of it is lost.
const askAgainAfter = time.Second

// Provision makes a tenant and returns it once it is active. In order: the id and the slug
// are reserved; the hook Before runs; role, schema, tables, the hook Seed and the
// activation are one transaction of [tenantdb.Catalog.Create]. A step that was done is not
// done again by whoever goes on after a crash.
//
// When a step fails for good, or ctx ends, what was done is undone, in reverse: the hook
// Undo runs if Before was begun, and the reservation is given back if this workflow made
// it. What was found is never touched. A tenant that became active stays, and so does what
// Before has done, even when the answer was lost and the workflow has failed. With the ID
// of a tenant that exists already, that is returned.
//
// The errors are those of Create as a [*tenant.Error], with [tenantdb.ErrIDTaken] as a text
// alone; those of the hooks; and Temporal's own when it can't be reached.
func (l *Lifecycle) Provision(ctx context.Context, p Provision) (tenant.Tenant, error) {
	if p.ID.IsZero() {
		p.ID = tenant.NewID()
	}
	if err := l.cfg.Catalog.CheckNew(p.newTenant()); err != nil {
		return tenant.Tenant{}, err
	}
	p.GiveUpAfter = l.cfg.GiveUpAfter
	run, err := l.start(ctx, "provision a tenant", provisionWorkflow, "provision-"+p.ID.String(), p)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if err := await(ctx, run); err != nil {
		if ctx.Err() != nil {
			l.cancel(ctx, run)
			err = context.Cause(ctx) // the SDK has an error of its own for it
		}
		return tenant.Tenant{}, fmt.Errorf("temporalx: provision tenant %s: %w", p.ID, fromTemporal(err))
	}
	return l.cfg.Catalog.Lookup(ctx, tenant.ByID(p.ID))
}

// start starts a workflow of the system, or finds it running.
func (l *Lifecycle) start(ctx context.Context, reason, workflowType, name string, in any) (client.WorkflowRun, error) {
	run, err := l.cfg.Client.ExecuteWorkflow(System(ctx, reason), client.StartWorkflowOptions{
		ID:                       SystemWorkflowID(name),
		TaskQueue:                l.cfg.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, workflowType, in)
	if err != nil {
		return nil, fmt.Errorf("temporalx: %s: %w", reason, err)
	}
	return run, nil
}

// await waits until a workflow has ended.
//
// Temporal's server holds a question for the end of a workflow open, up to 20 seconds, and
// keeps one notice of news for it: one that comes while the server is busy with the one
// before is lost, and when it was that of the end, the answer comes as the question expires.
// So the question is put again from time to time.
func await(ctx context.Context, run client.WorkflowRun) error {
	for {
		// No deadline: from one that is near, the server subtracts more than it is, and does not wait at all.
		asking, stop := context.WithCancel(ctx)
		again := time.AfterFunc(askAgainAfter, stop)
		err := run.Get(asking, nil)
		again.Stop()
		renewed := asking.Err() != nil && ctx.Err() == nil
		stop()
		if err == nil || !renewed {
			return err
		}
	}
}

// cancel has a workflow undo what it did, for a caller that waits no longer. When it can't
// be told, the workflow goes on.
func (l *Lifecycle) cancel(ctx context.Context, run client.WorkflowRun) {
	ctx, cancel := context.WithTimeout(System(context.WithoutCancel(ctx), "nobody waits for the tenant"), cancelTimeout)
	defer cancel()
	_ = l.cfg.Client.CancelWorkflow(ctx, run.GetID(), run.GetRunID())
}

// provisionTenant is the workflow.
func provisionTenant(ctx workflow.Context, p Provision) (err error) {
	var found tenant.Status
	if err := workflow.ExecuteActivity(step(ctx, stepTimeout, p.GiveUpAfter), findActivity, p.ID).Get(ctx, &found); err != nil {
		return err
	}
	if found != "" && found != tenant.StatusProvisioning {
		return workflow.ExecuteActivity(step(ctx, createTimeout, p.GiveUpAfter), createActivity, p).Get(ctx, nil) // which returns it as it is
	}
	var undo []string
	defer func() {
		if err != nil {
			compensate(ctx, p, undo)
		}
	}()
	if found == "" {
		undo = append(undo, releaseActivity)
	}
	if err := workflow.ExecuteActivity(step(ctx, stepTimeout, p.GiveUpAfter), reserveActivity, p).Get(ctx, nil); err != nil {
		return err
	}
	undo = append(undo, undoActivity)
	if err := workflow.ExecuteActivity(step(ctx, createTimeout, p.GiveUpAfter), beforeActivity, p).Get(ctx, nil); err != nil {
		return err
	}
	return workflow.ExecuteActivity(step(ctx, createTimeout, p.GiveUpAfter), createActivity, p).Get(ctx, nil)
}

// compensate runs what undoes the steps, the last first, also when the workflow was
// cancelled. One that fails for good is left, and told in the log.
func compensate(ctx workflow.Context, p Provision, undo []string) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	for _, name := range slices.Backward(undo) {
		if err := workflow.ExecuteActivity(step(ctx, createTimeout, 0), name, p).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Error("tenantwall can't undo a step of a provisioning", "step", name, "error", err)
		}
	}
}

// find is the status of a tenant, and empty when there is none with the id.
func (l *Lifecycle) find(ctx context.Context, id tenant.ID) (tenant.Status, error) {
	t, err := l.cfg.Catalog.Lookup(ctx, tenant.ByID(id))
	if errors.Is(err, tenant.ErrNotFound) {
		return "", nil
	}
	return t.Status, toTemporal(err)
}

func (p Provision) newTenant() tenantdb.NewTenant {
	return tenantdb.NewTenant{ID: p.ID, Slug: p.Slug, Name: p.Name, Plan: p.Plan}
}

func (l *Lifecycle) reserve(ctx context.Context, p Provision) error {
	_, _, err := l.cfg.Catalog.Reserve(ctx, p.newTenant())
	return toTemporal(err)
}

func (l *Lifecycle) before(ctx context.Context, p Provision) error {
	if l.cfg.Before == nil {
		return nil
	}
	return toTemporal(l.cfg.Before(ctx, p))
}

// create goes on from the reservation. One that has expired meanwhile it makes again.
func (l *Lifecycle) create(ctx context.Context, p Provision) error {
	n := p.newTenant()
	if l.cfg.Seed != nil {
		n.Seed = func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error { return l.cfg.Seed(ctx, tx, t, p) }
	}
	_, err := l.cfg.Catalog.Create(ctx, n)
	return toTemporal(err)
}

// undo runs the hook. When the step that failed has made the tenant after all, that stays,
// and what Before has done is the tenant's.
func (l *Lifecycle) undo(ctx context.Context, p Provision) error {
	if l.cfg.Before == nil {
		return nil
	}
	switch t, err := l.cfg.Catalog.Lookup(ctx, tenant.ByID(p.ID)); {
	case errors.Is(err, tenant.ErrGone), err == nil && t.Status != tenant.StatusProvisioning:
		return nil
	case err != nil && !errors.Is(err, tenant.ErrNotFound):
		return toTemporal(err)
	}
	return toTemporal(l.cfg.Undo(ctx, p))
}

// release gives the reservation back. When the step that failed has made the tenant after
// all, there is none, and the tenant stays.
func (l *Lifecycle) release(ctx context.Context, p Provision) error {
	_, err := l.cfg.Catalog.Release(ctx, p.ID)
	return toTemporal(err)
}
