package temporalx

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
)

// dispatchClient sends what a client starts to where it belongs. It stands behind
// clientInterceptor, which has said for whom each call is.
type dispatchClient struct {
	interceptor.ClientInterceptorBase
	dispatch Dispatch
}

func (c *dispatchClient) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	out := &dispatchOutbound{dispatch: c.dispatch}
	out.Next = next
	return out
}

type dispatchOutbound struct {
	interceptor.ClientOutboundInterceptorBase
	dispatch Dispatch
}

func (c *dispatchOutbound) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	if of, ok := outgoingIdentity(ctx); ok {
		if err := c.dispatch.start(in.Options, of); err != nil {
			return nil, fmt.Errorf("temporalx: start a workflow: %w", err)
		}
	}
	return c.Next.ExecuteWorkflow(ctx, in)
}

func (c *dispatchOutbound) SignalWithStartWorkflow(ctx context.Context, in *interceptor.ClientSignalWithStartWorkflowInput) (client.WorkflowRun, error) {
	if of, ok := outgoingIdentity(ctx); ok {
		if err := c.dispatch.start(in.Options, of); err != nil {
			return nil, fmt.Errorf("temporalx: signal a workflow with a start: %w", err)
		}
	}
	return c.Next.SignalWithStartWorkflow(ctx, in)
}

// CreateSchedule finds the action copied already.
func (c *dispatchOutbound) CreateSchedule(ctx context.Context, in *interceptor.ScheduleClientCreateInput) (client.ScheduleHandle, error) {
	action, ok := in.Options.Action.(*client.ScheduleWorkflowAction)
	if of, known := outgoingIdentity(ctx); ok && known {
		c.dispatch.schedule(action, of)
	}
	return c.Next.CreateSchedule(ctx, in)
}

func (c *dispatchOutbound) ExecuteActivity(ctx context.Context, in *interceptor.ClientExecuteActivityInput) (client.ActivityHandle, error) {
	if of, ok := outgoingIdentity(ctx); ok {
		in.Options.TaskQueue = c.dispatch.queue(in.Options.TaskQueue, of)
		in.Options.Priority = priority(c.dispatch.Fairness, of, in.Options.Priority)
		in.Options.TypedSearchAttributes = c.dispatch.attributes(in.Options.TypedSearchAttributes, of)
	}
	return c.Next.ExecuteActivity(ctx, in)
}

// outgoingIdentity is for whom a call is that clientInterceptor let through.
func outgoingIdentity(ctx context.Context) (Identity, bool) {
	out, ok := ctx.Value(outgoingKey{}).(outgoing)
	return out.identity, ok
}
