package temporalx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
)

const (
	// heartbeatTimeout is after what time a worker that says nothing is taken for dead.
	heartbeatTimeout = 30 * time.Second

	// drainPause is between two looks at what runs still. What a list shows is a moment old,
	// so a tenant's jobs have ended when two in a row show none.
	drainPause = time.Second

	// drainPage is how many workflows are listed at a time.
	drainPage = 200
)

// drain ends the jobs of a tenant: it deletes its schedules, cancels its workflows, and
// terminates those that run on after the time limit. It can begin anew at any point.
//
// Activities that a client has started without a workflow are not looked for: the worker
// refuses them, for the tenant is gone.
func (l *Lifecycle) drain(ctx context.Context, in deletion) (DrainedJobs, error) {
	d := &drainage{client: l.cfg.Client, prefix: WorkflowID(in.Tenant, "")}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &d.drained) // without them it counts some twice
	}
	begun := time.Now()
	for quiet := 0; ; {
		if err := d.schedules(ctx); err != nil {
			return DrainedJobs{}, err
		}
		running, err := d.workflows(ctx, time.Since(begun) > in.DrainTimeout)
		if err != nil {
			return DrainedJobs{}, err
		}
		quiet++
		if running > 0 {
			quiet = 0
		}
		if quiet == 2 {
			return d.Jobs, nil
		}
		d.beat(ctx)
		select {
		case <-ctx.Done():
			return DrainedJobs{}, ctx.Err()
		case <-time.After(drainPause):
		}
	}
}

// drainage is one tenant's.
type drainage struct {
	drained
	client client.Client
	prefix string // of the tenant's ids
	beaten time.Time
}

// drained is what a drainage has done, for the one that follows it after a crash.
type drained struct {
	Jobs DrainedJobs
	Told map[string]bool // the runs that were told to end
}

// mostTold bounds the runs in a heartbeat. A server with the default limits fails the activity
// for good when there are more than some 45,000. An attempt that follows a heartbeat without
// them cancels all again, which does no harm, and counts them twice.
const mostTold = 10_000

// beat tells the server that the activity lives, and what it has done. It does so once in a
// drainPause at most, because all of it is encoded each time.
func (d *drainage) beat(ctx context.Context) {
	if time.Since(d.beaten) < drainPause {
		return
	}
	d.beaten = time.Now()
	done := d.drained
	if len(done.Told) > mostTold {
		done.Told = nil
	}
	activity.RecordHeartbeat(ctx, done)
}

// workflows tells each running one to end, the last time by force, and returns how many
// there were.
func (d *drainage) workflows(ctx context.Context, force bool) (running int, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: drainPage,
		Query:    fmt.Sprintf("WorkflowId STARTS_WITH '%s' AND ExecutionStatus = 'Running'", d.prefix), // an id has no quote
	}
	for {
		page, err := d.client.ListWorkflow(ctx, request)
		if err != nil {
			return 0, fmt.Errorf("list the tenant's workflows: %w", err)
		}
		for _, e := range page.GetExecutions() {
			running++
			if err := d.end(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), force); err != nil {
				return 0, err
			}
			d.beat(ctx)
		}
		request.NextPageToken = page.GetNextPageToken()
		if len(request.NextPageToken) == 0 {
			return running, nil
		}
	}
}

func (d *drainage) end(ctx context.Context, workflowID, runID string, force bool) (err error) {
	switch {
	case force:
		err = d.client.TerminateWorkflow(ctx, workflowID, runID, "the tenant is deleted")
		if err == nil {
			d.Jobs.Terminated++
		}
	case !d.Told[runID]:
		err = d.client.CancelWorkflow(ctx, workflowID, runID)
		if err == nil {
			if d.Told == nil {
				d.Told = make(map[string]bool)
			}
			d.Told[runID] = true
			d.Jobs.Cancelled++
		}
	}
	if gone := (*serviceerror.NotFound)(nil); errors.As(err, &gone) {
		return nil // it has ended since it was listed
	}
	return err
}

// schedules deletes the tenant's. The server can't list by the beginning of an id, so all
// are looked through.
func (d *drainage) schedules(ctx context.Context) error {
	all, err := d.client.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: drainPage})
	if err != nil {
		return fmt.Errorf("list the schedules: %w", err)
	}
	for all.HasNext() {
		entry, err := all.Next()
		if err != nil {
			return fmt.Errorf("list the schedules: %w", err)
		}
		d.beat(ctx)
		if !strings.HasPrefix(entry.ID, d.prefix) {
			continue
		}
		err = d.client.ScheduleClient().GetHandle(ctx, entry.ID).Delete(ctx)
		switch gone := (*serviceerror.NotFound)(nil); {
		case errors.As(err, &gone): // listed a moment too long
		case err != nil:
			return fmt.Errorf("delete a schedule: %w", err)
		default:
			d.Jobs.Schedules++
		}
	}
	return nil
}
