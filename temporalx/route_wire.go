package temporalx

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
)

// onWire dispatches what the SDK hides from interceptors, in the request that goes out: the
// start of an update-with-start, and the next version of a schedule. A request that is sent
// again is not changed again.
func (d Dispatch) onWire(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if of, ok := outgoingIdentity(ctx); ok {
		if err := d.dispatchRequest(req, of); err != nil {
			return fmt.Errorf("temporalx: dispatch: %w", err)
		}
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}

func (d Dispatch) dispatchRequest(req any, of Identity) (err error) {
	switch req := req.(type) {
	case *workflowservice.ExecuteMultiOperationRequest:
		for _, op := range req.GetOperations() {
			s := op.GetStartWorkflow()
			if s == nil {
				continue
			}
			if s.SearchAttributes, err = d.rawAttributes(s.GetSearchAttributes(), of); err != nil {
				return err
			}
			s.TaskQueue, s.Priority = d.rawQueue(s.GetTaskQueue(), of), d.rawPriority(s.GetPriority(), of)
		}
	case *workflowservice.UpdateScheduleRequest:
		s := req.GetSchedule().GetAction().GetStartWorkflow()
		if s == nil {
			return nil
		}
		if s.SearchAttributes, err = d.rawAttributes(s.GetSearchAttributes(), of); err != nil {
			return err
		}
		s.TaskQueue, s.Priority = d.rawQueue(s.GetTaskQueue(), of), d.rawPriority(s.GetPriority(), of)
	}
	return nil
}

func (d Dispatch) rawQueue(q *taskqueuepb.TaskQueue, of Identity) *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: d.queue(q.GetName(), of), Kind: q.GetKind(), NormalName: q.GetNormalName()}
}

func (d Dispatch) rawPriority(p *commonpb.Priority, of Identity) *commonpb.Priority {
	set := priority(d.Fairness, of, temporal.Priority{PriorityKey: int(p.GetPriorityKey())})
	return &commonpb.Priority{PriorityKey: int32(set.PriorityKey), FairnessKey: set.FairnessKey, FairnessWeight: set.FairnessWeight}
}

func (d Dispatch) rawAttributes(a *commonpb.SearchAttributes, of Identity) (*commonpb.SearchAttributes, error) {
	if !d.SearchAttribute || of.IsSystem() {
		return a, nil
	}
	value, err := converter.GetDefaultDataConverter().ToPayload(of.Tenant.String())
	if err != nil {
		return nil, err
	}
	value.Metadata["type"] = []byte(TenantAttribute.GetValueType().String())
	all := &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{TenantAttribute.GetName(): value}}
	for name, given := range a.GetIndexedFields() {
		if name != TenantAttribute.GetName() {
			all.IndexedFields[name] = given
		}
	}
	return all, nil
}
