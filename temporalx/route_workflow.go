package temporalx

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// dispatchWorker sends what workflows start to where it belongs.
type dispatchWorker struct {
	interceptor.WorkerInterceptorBase
	dispatch Dispatch
}

func (w *dispatchWorker) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &dispatchWorkflow{dispatch: w.dispatch}
	in.Next = next
	return in
}

type dispatchWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	dispatch Dispatch
}

func (w *dispatchWorkflow) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &dispatchWorkflowOutbound{dispatch: w.dispatch}
	out.Next = next
	return w.Next.Init(out)
}

type dispatchWorkflowOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	dispatch Dispatch
}

// ExecuteActivity leaves an activity whose options name no queue on that of its workflow.
// One of a session goes to the session's worker, whatever is set here.
func (w *dispatchWorkflowOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	if of, ok := FromWorkflow(ctx); ok {
		o := workflow.GetActivityOptions(ctx)
		ctx = workflow.WithTaskQueue(ctx, w.queue(ctx, o.TaskQueue, of))
		ctx = workflow.WithPriority(ctx, priority(w.dispatch.Fairness, of, o.Priority))
	}
	return w.Next.ExecuteActivity(ctx, activityType, args...)
}

// ExecuteChildWorkflow leaves a child whose options name no queue on that of its parent.
func (w *dispatchWorkflowOutbound) ExecuteChildWorkflow(ctx workflow.Context, childType string, args ...any) workflow.ChildWorkflowFuture {
	if of, ok := FromWorkflow(ctx); ok {
		o := workflow.GetChildWorkflowOptions(ctx)
		if len(o.SearchAttributes) == 0 { //nolint:staticcheck // the SDK takes either kind, not both
			o.TypedSearchAttributes = w.dispatch.attributes(o.TypedSearchAttributes, of)
		}
		o.TaskQueue = w.queue(ctx, o.TaskQueue, of)
		o.Priority = priority(w.dispatch.Fairness, of, o.Priority)
		ctx = workflow.WithChildOptions(ctx, o)
	}
	return w.Next.ExecuteChildWorkflow(ctx, childType, args...)
}

// queue is where a workflow's work goes. The SDK names the workflow's own queue where the
// author has named none.
func (w *dispatchWorkflowOutbound) queue(ctx workflow.Context, named string, of Identity) string {
	if named == workflow.GetInfo(ctx).TaskQueueName {
		return named
	}
	return w.dispatch.Routing.Queue(named, of)
}
