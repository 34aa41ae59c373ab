package temporalx

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// DeleteOptions say how [Lifecycle.Delete] deletes a tenant.
type DeleteOptions struct {
	// AtOnce removes the data as soon as the tenant's jobs have ended and its data are
	// exported, without a grace period. That of a deletion which is running already is
	// ended by [Lifecycle.PurgeNow] alone.
	AtOnce bool
}

// Deletion is how far a deletion is.
type Deletion struct {
	Step     DeletionStep `json:"step"`
	Manifest Manifest     `json:"manifest"` // as far as it is known
}

// DeletionStep is what a deletion is at.
type DeletionStep string

// The steps of a deletion, in their order.
const (
	DeletionCloses  DeletionStep = "closing"   // the tenant becomes refused
	DeletionDrains  DeletionStep = "draining"  // its jobs are ended
	DeletionExports DeletionStep = "exporting" // the hook Export runs
	DeletionWaits   DeletionStep = "waiting"   // for the grace period to end
	DeletionPurges  DeletionStep = "purging"   // its data are removed
	DeletionDone    DeletionStep = "done"
)

const (
	deletionQuery  = "deletion"
	purgeNowSignal = "purge-now"

	// closeTimeout is how long a tenant whose creation is not finished is waited for.
	closeTimeout = 10 * time.Minute

	// exportTimeout bounds one attempt of the hook Export.
	exportTimeout = 24 * time.Hour
)

// deletion is what the workflow is started with.
type deletion struct {
	Tenant       tenant.ID
	Grace        time.Duration
	DrainTimeout time.Duration
}

// Delete starts the deletion of a tenant, or finds it running; its result is a [Manifest].
// In order: the tenant is marked deleted, and refused from then on; its schedules are
// deleted and its workflows cancelled, those that don't end terminated; the hook Export
// runs; after the grace period its schema, role and login are removed; the hook Deleted is
// told. Id and slugs stay taken.
//
// The first step can't be undone and all others only go on, so there is no compensation: a
// step that fails is tried again. When Export fails for good, the workflow ends with its
// error and the data stay; a second Delete goes on from there.
//
// The errors are Temporal's own, when it can't be reached. That there is no such tenant, or
// that its creation is not finished and stays so, the workflow tells.
func (l *Lifecycle) Delete(ctx context.Context, id tenant.ID, o DeleteOptions) (client.WorkflowRun, error) {
	d := deletion{Tenant: id, Grace: l.cfg.GracePeriod, DrainTimeout: l.cfg.DrainTimeout}
	if o.AtOnce {
		d.Grace = 0
	}
	return l.start(ctx, "delete a tenant", deleteWorkflow, deletionName(id), d)
}

func deletionName(id tenant.ID) string { return "delete-" + id.String() }

// PurgeNow ends the grace period of a deletion that is running. The error is Temporal's: a
// serviceerror.NotFound when none is.
func (l *Lifecycle) PurgeNow(ctx context.Context, id tenant.ID) error {
	err := l.cfg.Client.SignalWorkflow(System(ctx, "end a grace period"), SystemWorkflowID(deletionName(id)), "", purgeNowSignal, nil)
	if err != nil {
		return fmt.Errorf("temporalx: purge tenant %s now: %w", id, err)
	}
	return nil
}

// Deletion tells how far the deletion of a tenant is, also when it is over, for as long as
// the namespace keeps its history. Errors as of [Lifecycle.PurgeNow]. It needs a worker.
func (l *Lifecycle) Deletion(ctx context.Context, id tenant.ID) (Deletion, error) {
	var d Deletion
	value, err := l.cfg.Client.QueryWorkflow(System(ctx, "look at a deletion"), SystemWorkflowID(deletionName(id)), "", deletionQuery)
	if err == nil {
		err = value.Get(&d)
	}
	if err != nil {
		return Deletion{}, fmt.Errorf("temporalx: look at the deletion of tenant %s: %w", id, err)
	}
	return d, nil
}

// deleteTenant is the workflow.
func deleteTenant(ctx workflow.Context, in deletion) (Manifest, error) {
	at := Deletion{Step: DeletionCloses, Manifest: Manifest{Tenant: in.Tenant}}
	m := &at.Manifest
	if err := workflow.SetQueryHandler(ctx, deletionQuery, func() (Deletion, error) { return at, nil }); err != nil {
		return Manifest{}, err
	}
	var closed closedTenant
	if err := workflow.ExecuteActivity(step(ctx, stepTimeout, closeTimeout), closeActivity, in.Tenant).Get(ctx, &closed); err != nil {
		return Manifest{}, err
	}
	m.Slug, m.Plan, m.ClosedAt = closed.Slug, closed.Plan, workflow.Now(ctx).UTC()

	at.Step = DeletionDrains
	if err := drainInto(ctx, in, m); err != nil {
		return Manifest{}, err
	}
	at.Step = DeletionExports
	if err := workflow.ExecuteActivity(step(ctx, exportTimeout, 0), exportActivity, in.Tenant).Get(ctx, &m.Export); err != nil {
		return Manifest{}, err
	}
	if in.Grace > 0 {
		at.Step = DeletionWaits
		if err := waitGrace(ctx, &in); err != nil {
			return Manifest{}, err
		}
		at.Step = DeletionDrains
		if err := drainInto(ctx, in, m); err != nil { // what was begun meanwhile by a client that had not heard
			return Manifest{}, err
		}
	}
	at.Step = DeletionPurges
	if err := workflow.ExecuteActivity(step(ctx, stepTimeout, 0), remainsActivity, in.Tenant).Get(ctx, &m.Removed); err != nil {
		return Manifest{}, err
	}
	if err := workflow.ExecuteActivity(step(ctx, purgeTimeout, 0), purgeActivity, in).Get(ctx, nil); err != nil {
		return Manifest{}, err
	}
	m.PurgedAt = workflow.Now(ctx).UTC()
	if err := workflow.ExecuteActivity(step(ctx, stepTimeout, 0), manifestActivity, *m).Get(ctx, nil); err != nil {
		return Manifest{}, err
	}
	at.Step = DeletionDone
	return *m, nil
}

// purgeTimeout bounds one attempt at the removal of a schema of very many tables.
const purgeTimeout = time.Hour

// waitGrace waits for the end of the grace period, or until somebody ends it; the latter
// makes it 0.
func waitGrace(ctx workflow.Context, in *deletion) error {
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	var err error
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimer(waiting, in.Grace), func(f workflow.Future) { err = f.Get(ctx, nil) }).
		AddReceive(workflow.GetSignalChannel(ctx, purgeNowSignal), func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(ctx, nil)
			in.Grace = 0
		}).
		Select(ctx)
	return err
}

// drainInto ends the tenant's jobs, and counts them in the manifest.
func drainInto(ctx workflow.Context, in deletion, m *Manifest) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: in.DrainTimeout + time.Hour, // there may be very many
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         retries(),
	})
	var jobs DrainedJobs
	err := workflow.ExecuteActivity(ctx, drainActivity, in).Get(ctx, &jobs)
	m.Jobs.add(jobs)
	return err
}

// closedTenant is what the manifest keeps of a tenant.
type closedTenant struct {
	Slug string
	Plan string
}

// close marks the tenant deleted.
func (l *Lifecycle) close(ctx context.Context, id tenant.ID) (closedTenant, error) {
	t, err := l.cfg.Catalog.Delete(ctx, id)
	if err != nil {
		return closedTenant{}, toTemporal(err)
	}
	return closedTenant{Slug: string(t.Slug), Plan: t.Plan}, nil
}

// export runs the hook, if there is something to export still.
func (l *Lifecycle) export(ctx context.Context, id tenant.ID) (string, error) {
	if l.cfg.Export == nil {
		return "", nil
	}
	t, err := l.cfg.Catalog.Delete(ctx, id) // it is deleted; this is how to read such a one
	if err != nil {
		return "", toTemporal(err)
	}
	left, err := l.cfg.Catalog.Remains(ctx, id)
	if err != nil || left.Schema == "" {
		return "", err
	}
	t.Status = tenant.StatusActive
	where, err := l.cfg.Export(tenant.NewContext(ctx, t), t)
	return where, toTemporal(err)
}

func (l *Lifecycle) remains(ctx context.Context, id tenant.ID) (tenantdb.Remains, error) {
	return l.cfg.Catalog.Remains(ctx, id)
}

func (l *Lifecycle) purge(ctx context.Context, in deletion) error {
	return toTemporal(l.cfg.Catalog.PurgeTenant(ctx, in.Tenant, in.Grace))
}

func (l *Lifecycle) tellManifest(ctx context.Context, m Manifest) error {
	if l.cfg.Deleted == nil {
		return nil
	}
	return toTemporal(l.cfg.Deleted(ctx, m))
}
