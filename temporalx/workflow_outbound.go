package temporalx

import (
	"fmt"
	"strconv"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
)

// workflowOutbound says what a workflow's calls carry, and refuses those that would leave
// its tenant.
type workflowOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	inbound  *workflowInbound
	children int // how many were given an id
}

// toward is the context of a call about the workflow with the id.
func toward(ctx workflow.Context, workflowID string) workflow.Context {
	return workflow.WithValue(ctx, targetKey{}, workflowID)
}

func (w *workflowOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	return w.Next.ExecuteActivity(toward(ctx, workflow.GetInfo(ctx).WorkflowExecution.ID), activityType, args...)
}

func (w *workflowOutbound) ExecuteLocalActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	return w.Next.ExecuteLocalActivity(toward(ctx, workflow.GetInfo(ctx).WorkflowExecution.ID), activityType, args...)
}

func (w *workflowOutbound) ExecuteChildWorkflow(ctx workflow.Context, childWorkflowType string, args ...any) workflow.ChildWorkflowFuture {
	id, known := FromWorkflow(ctx)
	if !known {
		return refusedFuture{failed(ctx, refusal(errMissing))}
	}
	childID := workflow.GetChildWorkflowOptions(ctx).WorkflowID
	if childID == "" {
		childID = w.childID(ctx, id)
		ctx = workflow.WithWorkflowID(ctx, childID)
	}
	if err := agree(id, childID); err != nil {
		return refusedFuture{failed(ctx, refusal(err))}
	}
	return w.Next.ExecuteChildWorkflow(toward(ctx, childID), childWorkflowType, args...)
}

// childID makes the id of a child that was given none. It is the same in each replay, and
// another after a reset, when the child of before may still run.
func (w *workflowOutbound) childID(ctx workflow.Context, id Identity) string {
	w.children++
	name := fmt.Sprintf("%s-%s-%d", workflow.GetInfo(ctx).OriginalRunID, strconv.FormatInt(workflow.Now(ctx).UnixMilli(), 36), w.children)
	if id.IsSystem() {
		return SystemWorkflowID(name)
	}
	return WorkflowID(id.Tenant, name)
}

func (w *workflowOutbound) SignalExternalWorkflow(ctx workflow.Context, workflowID, runID, signalName string, arg any) workflow.Future {
	if err := mayReachFrom(ctx, workflowID); err != nil {
		return failed(ctx, err)
	}
	return w.Next.SignalExternalWorkflow(toward(ctx, workflowID), workflowID, runID, signalName, arg)
}

func (w *workflowOutbound) SignalChildWorkflow(ctx workflow.Context, workflowID, signalName string, arg any) workflow.Future {
	if err := mayReachFrom(ctx, workflowID); err != nil {
		return failed(ctx, err)
	}
	return w.Next.SignalChildWorkflow(toward(ctx, workflowID), workflowID, signalName, arg)
}

func (w *workflowOutbound) RequestCancelExternalWorkflow(ctx workflow.Context, workflowID, runID string) workflow.Future {
	if err := mayReachFrom(ctx, workflowID); err != nil {
		return failed(ctx, err)
	}
	return w.Next.RequestCancelExternalWorkflow(ctx, workflowID, runID)
}

// mayReachFrom is nil when a workflow may send something to that with the id.
func mayReachFrom(ctx workflow.Context, workflowID string) error {
	id, known := FromWorkflow(ctx)
	if !known {
		return refusal(errMissing)
	}
	if err := id.mayReach(workflowID); err != nil {
		return refusal(&tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "a workflow reaches those of its own tenant only", Err: err})
	}
	return nil
}

// NewContinueAsNewError carries what the run itself was started with, whoever the context
// is for: the next run has the same id.
func (w *workflowOutbound) NewContinueAsNewError(ctx workflow.Context, wfn any, args ...any) error {
	own, err := w.inbound.judge(ctx)
	if err != nil {
		return refusal(err)
	}
	ctx = workflow.WithValue(ctx, identityKey{}, own)
	return w.Next.NewContinueAsNewError(toward(ctx, workflow.GetInfo(ctx).WorkflowExecution.ID), wfn, args...)
}

// failed is a future that is ready with an error.
func failed(ctx workflow.Context, err error) workflow.Future {
	future, set := workflow.NewFuture(ctx)
	set.SetError(err)
	return future
}

// refusedFuture is that of a child or an operation that was not begun.
type refusedFuture struct{ workflow.Future }

func (f refusedFuture) GetChildWorkflowExecution() workflow.Future { return f.Future }

func (f refusedFuture) GetNexusOperationExecution() workflow.Future { return f.Future }

func (f refusedFuture) SignalChildWorkflow(workflow.Context, string, any) workflow.Future {
	return f.Future
}
