package temporalx

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
)

// clientInterceptor refuses what has no tenant or is another's before it is sent, and says
// what the propagator is to carry.
type clientInterceptor struct {
	interceptor.ClientInterceptorBase
	cfg Config
}

func (c *clientInterceptor) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	out := &clientOutbound{cfg: c.cfg}
	out.Next = next
	return out
}

type clientOutbound struct {
	interceptor.ClientOutboundInterceptorBase
	cfg Config
}

// begin is the context of a call that starts the workflow, or the activity, with the id. An
// empty id is replaced by one of the identity's.
func (c *clientOutbound) begin(ctx context.Context, doing string, workflowID *string, scheduled bool) (context.Context, error) {
	id, err := identityOf(ctx, c.cfg.CarryEmail)
	if err != nil {
		return nil, fmt.Errorf("temporalx: %s: %w", doing, err)
	}
	if *workflowID == "" {
		*workflowID = id.newWorkflowID()
	}
	owner, _, err := ParseWorkflowID(*workflowID)
	if err == nil && owner != id.Tenant {
		err = errForeign
	}
	if err != nil {
		return nil, fmt.Errorf("temporalx: %s: %w", doing, err)
	}
	return context.WithValue(ctx, outgoingKey{}, outgoing{identity: id, workflowID: *workflowID, scheduled: scheduled}), nil
}

// reach is the context of a call that is about what there is already under the id.
func (c *clientOutbound) reach(ctx context.Context, doing, workflowID string) (context.Context, error) {
	id, err := identityOf(ctx, c.cfg.CarryEmail)
	if err == nil {
		err = id.mayReach(workflowID)
	}
	if err != nil {
		return nil, fmt.Errorf("temporalx: %s: %w", doing, err)
	}
	return context.WithValue(ctx, outgoingKey{}, outgoing{identity: id, workflowID: workflowID}), nil
}

func (c *clientOutbound) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	ctx, err := c.begin(ctx, "start a workflow", &in.Options.ID, false)
	if err != nil {
		return nil, err
	}
	return c.Next.ExecuteWorkflow(ctx, in)
}

func (c *clientOutbound) SignalWithStartWorkflow(ctx context.Context, in *interceptor.ClientSignalWithStartWorkflowInput) (client.WorkflowRun, error) {
	ctx, err := c.begin(ctx, "signal a workflow with a start", &in.Options.ID, false)
	if err != nil {
		return nil, err
	}
	return c.Next.SignalWithStartWorkflow(ctx, in)
}

// UpdateWithStartWorkflow needs the workflow's id in the options of the update: those of
// the start are hidden from interceptors.
func (c *clientOutbound) UpdateWithStartWorkflow(ctx context.Context, in *interceptor.ClientUpdateWithStartWorkflowInput) (client.WorkflowUpdateHandle, error) {
	const doing = "update a workflow with a start"
	if in.UpdateOptions.WorkflowID == "" {
		return nil, fmt.Errorf("temporalx: %s: the options of the update must have the WorkflowID too", doing)
	}
	ctx, err := c.begin(ctx, doing, &in.UpdateOptions.WorkflowID, false)
	if err != nil {
		return nil, err
	}
	return c.Next.UpdateWithStartWorkflow(ctx, in)
}

// CreateSchedule gives the schedule's runs the schedule's id when they have none.
func (c *clientOutbound) CreateSchedule(ctx context.Context, in *interceptor.ScheduleClientCreateInput) (client.ScheduleHandle, error) {
	const doing = "create a schedule"
	action, ok := in.Options.Action.(*client.ScheduleWorkflowAction)
	if !ok || action == nil {
		return nil, fmt.Errorf("temporalx: %s: its action must start a workflow", doing)
	}
	copied := *action // the caller may use it again
	in.Options.Action = &copied
	if _, err := c.begin(ctx, doing, &in.Options.ID, true); err != nil {
		return nil, err
	}
	if copied.ID == "" {
		copied.ID = in.Options.ID
	}
	ctx, err := c.begin(ctx, doing, &copied.ID, true)
	if err != nil {
		return nil, err
	}
	return c.Next.CreateSchedule(ctx, in)
}

func (c *clientOutbound) SignalWorkflow(ctx context.Context, in *interceptor.ClientSignalWorkflowInput) error {
	ctx, err := c.reach(ctx, "signal a workflow", in.WorkflowID)
	if err != nil {
		return err
	}
	return c.Next.SignalWorkflow(ctx, in)
}

func (c *clientOutbound) QueryWorkflow(ctx context.Context, in *interceptor.ClientQueryWorkflowInput) (converter.EncodedValue, error) {
	ctx, err := c.reach(ctx, "query a workflow", in.WorkflowID)
	if err != nil {
		return nil, err
	}
	return c.Next.QueryWorkflow(ctx, in)
}

func (c *clientOutbound) UpdateWorkflow(ctx context.Context, in *interceptor.ClientUpdateWorkflowInput) (client.WorkflowUpdateHandle, error) {
	ctx, err := c.reach(ctx, "update a workflow", in.WorkflowID)
	if err != nil {
		return nil, err
	}
	return c.Next.UpdateWorkflow(ctx, in)
}

func (c *clientOutbound) CancelWorkflow(ctx context.Context, in *interceptor.ClientCancelWorkflowInput) error {
	ctx, err := c.reach(ctx, "cancel a workflow", in.WorkflowID)
	if err != nil {
		return err
	}
	return c.Next.CancelWorkflow(ctx, in)
}

func (c *clientOutbound) TerminateWorkflow(ctx context.Context, in *interceptor.ClientTerminateWorkflowInput) error {
	ctx, err := c.reach(ctx, "terminate a workflow", in.WorkflowID)
	if err != nil {
		return err
	}
	return c.Next.TerminateWorkflow(ctx, in)
}

func (c *clientOutbound) DescribeWorkflow(ctx context.Context, in *interceptor.ClientDescribeWorkflowInput) (*interceptor.ClientDescribeWorkflowOutput, error) {
	ctx, err := c.reach(ctx, "describe a workflow", in.WorkflowID)
	if err != nil {
		return nil, err
	}
	return c.Next.DescribeWorkflow(ctx, in)
}
