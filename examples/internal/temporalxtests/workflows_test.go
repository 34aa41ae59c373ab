//go:build !notes_lean

package temporalxtests

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
)

// single looks once.
func single(ctx workflow.Context) (seen, error) { return look(ctx) }

// everything looks in all that a workflow can start.
func everything(ctx workflow.Context) (map[string]seen, error) {
	ctx = brief(ctx)
	all := make(map[string]seen)
	for _, begun := range []struct {
		name string
		workflow.Future
	}{
		{"activity", workflow.ExecuteActivity(ctx, (*activities).Look)},
		{"local activity", workflow.ExecuteLocalActivity(ctx, "Look")}, // a replayer knows no methods
		{"child", workflow.ExecuteChildWorkflow(ctx, single)},
		{"grandchild", workflow.ExecuteChildWorkflow(ctx, parent)},
	} {
		var s seen
		if err := begun.Get(ctx, &s); err != nil {
			return nil, err
		}
		if s.Workflow.Tenant.IsZero() { // of an activity, which is this workflow's
			s.Workflow, _ = temporalx.FromWorkflow(ctx)
		}
		all[begun.name] = s
	}
	return all, nil
}

func parent(ctx workflow.Context) (seen, error) {
	var s seen
	err := workflow.ExecuteChildWorkflow(ctx, single).Get(ctx, &s)
	return s, err
}

// again looks in its third run.
func again(ctx workflow.Context, runs int) (seen, error) {
	if runs < 3 {
		return seen{}, workflow.NewContinueAsNewError(ctx, again, runs+1)
	}
	return look(ctx)
}

// failing looks in its second attempt.
func failing(ctx workflow.Context) (seen, error) {
	if workflow.GetInfo(ctx).Attempt < 2 {
		return seen{}, temporal.NewApplicationError("not yet", "not_yet")
	}
	return look(ctx)
}

// obedient waits for messages. It answers with what its activities have found after each,
// and ends with a signal "end".
func obedient(ctx workflow.Context) ([]seen, error) {
	var all []seen
	if err := workflow.SetQueryHandler(ctx, "how many", func() (int, error) { return len(all), nil }); err != nil {
		return nil, err
	}
	err := workflow.SetUpdateHandler(ctx, "look", func(ctx workflow.Context) (seen, error) {
		id, _ := temporalx.FromWorkflow(ctx)
		s, err := look(ctx)
		if err == nil && s.Tenant != id.Tenant {
			return seen{}, errors.New("the handler and its activity are of different tenants")
		}
		return s, err
	})
	if err != nil {
		return nil, err
	}
	for {
		var said string
		workflow.GetSignalChannel(ctx, "say").Receive(ctx, &said)
		if said == "end" {
			return all, nil
		}
		s, err := look(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
}

// alien runs on a worker without the plugin, and starts work on the queue of one with it.
func alien(ctx workflow.Context, queue, kind, childID string) (seen, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: queue, StartToCloseTimeout: soon})
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{TaskQueue: queue, WorkflowID: childID})
	var s seen
	if kind == "child" {
		return s, workflow.ExecuteChildWorkflow(ctx, single).Get(ctx, &s)
	}
	return s, workflow.ExecuteActivity(ctx, (*activities).Look).Get(ctx, &s)
}
