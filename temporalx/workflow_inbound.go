package temporalx

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// workflowInbound stands in front of one run of a workflow. All it decides, it decides by
// the history, the keys and the workflow's clock, so that a replay decides the same.
type workflowInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	cfg Config

	judged bool // whether own and refused are known
	own    Identity
	refuse error
}

func (w *workflowInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &workflowOutbound{inbound: w}
	out.Next = next
	return w.Next.Init(out)
}

// judge is for whom the workflow runs, or why it may not. A signal can ask before the
// workflow itself has begun.
func (w *workflowInbound) judge(ctx workflow.Context) (Identity, error) {
	if !w.judged {
		w.judged = true
		start, _ := ctx.Value(startKey{}).(carried)
		info := workflow.GetInfo(ctx)
		w.own, w.refuse = start.genuine(info.WorkflowExecution.ID, w.cfg.Keys, info.WorkflowStartTime)
		if w.refuse == nil {
			w.refuse = agree(w.own, info.WorkflowExecution.ID)
		}
	}
	return w.own, w.refuse
}

func (w *workflowInbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	own, err := w.judge(ctx)
	if err != nil {
		w.cfg.refusedIn(ctx, KindWorkflow, workflow.GetInfo(ctx).WorkflowType.Name, err)
		return nil, refusal(err)
	}
	return w.Next.ExecuteWorkflow(workflow.WithValue(ctx, identityKey{}, own), in)
}

// HandleSignal drops a signal that is refused: an error would keep the workflow from going
// on, for a message that it did not ask for.
func (w *workflowInbound) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	if _, err := w.sender(ctx, clock(ctx)); err != nil {
		w.cfg.refusedIn(ctx, KindSignal, in.SignalName, err)
		return nil
	}
	return w.Next.HandleSignal(ctx, in)
}

// HandleQuery goes by the real time: no history has a query, and the clock of a workflow
// that waits stands still.
func (w *workflowInbound) HandleQuery(ctx workflow.Context, in *interceptor.HandleQueryInput) (any, error) {
	handled, err := w.sender(ctx, w.cfg.Now())
	if err != nil {
		w.cfg.refusedIn(ctx, KindQuery, in.QueryType, err)
		return nil, refusal(err)
	}
	return w.Next.HandleQuery(workflow.WithValue(ctx, identityKey{}, handled), in)
}

// ValidateUpdate goes by the real time as well: it does not run in a replay.
func (w *workflowInbound) ValidateUpdate(ctx workflow.Context, in *interceptor.UpdateInput) error {
	handled, err := w.sender(ctx, w.cfg.Now())
	if err != nil {
		w.cfg.refusedIn(ctx, KindUpdate, in.Name, err)
		return refusal(err)
	}
	return w.Next.ValidateUpdate(workflow.WithValue(ctx, identityKey{}, handled), in)
}

// ExecuteUpdate asks once more, by the workflow's clock, because it runs in replays too.
func (w *workflowInbound) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	handled, err := w.sender(ctx, clock(ctx))
	if err != nil {
		return nil, refusal(err)
	}
	return w.Next.ExecuteUpdate(workflow.WithValue(ctx, identityKey{}, handled), in)
}

// clock is the time of a workflow, the same in each replay. While the workflow waits, it
// stands still, and a signal is handled before it moves on; before the first task of the
// workflow it does not go yet.
func clock(ctx workflow.Context) time.Time {
	now, start := workflow.Now(ctx), workflow.GetInfo(ctx).WorkflowStartTime
	if now.Before(start) {
		return start
	}
	return now
}

// sender is the workflow's identity as the handler of a message sees it: for whom the
// workflow runs, by whoever sent the message. The error is why it is refused.
func (w *workflowInbound) sender(ctx workflow.Context, at time.Time) (Identity, error) {
	own, err := w.judge(ctx)
	if err != nil {
		return Identity{}, err
	}
	message, _ := ctx.Value(messageKey{}).(carried)
	workflowID := workflow.GetInfo(ctx).WorkflowExecution.ID
	from, err := message.genuine(workflowID, w.cfg.Keys, at)
	if err == nil {
		err = from.mayReach(workflowID)
	}
	if err != nil {
		return Identity{}, err
	}
	own.RequestID, own.Principal = from.RequestID, from.Principal
	return own, nil
}
