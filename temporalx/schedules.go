package temporalx

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tenantwall/tenantwall/tenant"
)

// ScheduleClient is a [client.ScheduleClient] for which the tenant of the context counts in
// all that it does, where the SDK's own lets anybody list, change and delete the schedules
// of all, and drops the header of one that it updates, so that its runs are refused.
//
// A schedule's id is one of [WorkflowID] or [SystemWorkflowID], and tells whose it is. The
// system, see [System], may do everything with everybody's. Others are told
// tenant_mismatch of another tenant's, and [tenant.ErrRequired] without a tenant.
//
// It is safe for concurrent use.
type ScheduleClient struct {
	client    client.Client
	namespace string
}

var _ client.ScheduleClient = (*ScheduleClient)(nil)

// Schedules is the [ScheduleClient] of a client that has the [Plugin]. The namespace is the
// client's, and empty means [client.DefaultNamespace].
func Schedules(c client.Client, namespace string) *ScheduleClient {
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	return &ScheduleClient{client: c, namespace: namespace}
}

// Create makes a schedule for the tenant of the context, whose runs are the tenant's. An
// empty id is replaced by a new one, and an empty id of the action by the schedule's. Ids
// that are not the tenant's are refused.
func (s *ScheduleClient) Create(ctx context.Context, options client.ScheduleOptions) (client.ScheduleHandle, error) {
	handle, err := s.client.ScheduleClient().Create(ctx, options)
	if err != nil {
		return nil, err
	}
	return s.GetHandle(ctx, handle.GetID()), nil
}

// GetHandle is a handle of a schedule, whether or not there is one. Each of its methods
// looks at the tenant of its own context.
func (s *ScheduleClient) GetHandle(ctx context.Context, scheduleID string) client.ScheduleHandle {
	return &scheduleHandle{ScheduleHandle: s.client.ScheduleClient().GetHandle(ctx, scheduleID), schedules: s}
}

// scheduleHandle refuses who may not, and hands the rest on.
type scheduleHandle struct {
	client.ScheduleHandle
	schedules *ScheduleClient
}

func (h *scheduleHandle) allow(ctx context.Context, doing string) (Identity, error) {
	id, err := identityOf(ctx, false)
	if err == nil {
		err = id.mayReach(h.GetID())
	}
	if err != nil {
		return Identity{}, fmt.Errorf("temporalx: %s a schedule: %w", doing, err)
	}
	return id, nil
}

func (h *scheduleHandle) Delete(ctx context.Context) error {
	if _, err := h.allow(ctx, "delete"); err != nil {
		return err
	}
	return h.ScheduleHandle.Delete(ctx)
}

func (h *scheduleHandle) Backfill(ctx context.Context, options client.ScheduleBackfillOptions) error {
	if _, err := h.allow(ctx, "backfill"); err != nil {
		return err
	}
	return h.ScheduleHandle.Backfill(ctx, options)
}

func (h *scheduleHandle) Describe(ctx context.Context) (*client.ScheduleDescription, error) {
	if _, err := h.allow(ctx, "describe"); err != nil {
		return nil, err
	}
	return h.ScheduleHandle.Describe(ctx)
}

func (h *scheduleHandle) Trigger(ctx context.Context, options client.ScheduleTriggerOptions) error {
	if _, err := h.allow(ctx, "trigger"); err != nil {
		return err
	}
	return h.ScheduleHandle.Trigger(ctx, options)
}

func (h *scheduleHandle) Pause(ctx context.Context, options client.SchedulePauseOptions) error {
	if _, err := h.allow(ctx, "pause"); err != nil {
		return err
	}
	return h.ScheduleHandle.Pause(ctx, options)
}

func (h *scheduleHandle) Unpause(ctx context.Context, options client.ScheduleUnpauseOptions) error {
	if _, err := h.allow(ctx, "unpause"); err != nil {
		return err
	}
	return h.ScheduleHandle.Unpause(ctx, options)
}

// Update changes a schedule and keeps for whom it runs: the header that it has is carried
// over, signed anew, and never replaced by the tenant or the operator who makes the change.
// One that has lost its header gets a new one. The id of its action can't be changed.
func (h *scheduleHandle) Update(ctx context.Context, options client.ScheduleUpdateOptions) error {
	id, err := h.allow(ctx, "update")
	if err != nil {
		return err
	}
	if options.DoUpdate == nil {
		return errors.New("temporalx: update a schedule: the options have no DoUpdate")
	}
	out, err := h.keep(ctx, id)
	if err != nil {
		return fmt.Errorf("temporalx: update a schedule: %w", err)
	}
	change := options.DoUpdate
	options.DoUpdate = func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		update, err := change(in)
		if err != nil {
			return nil, err
		}
		if update == nil || update.Schedule == nil {
			return nil, errors.New("temporalx: update a schedule: DoUpdate returned none")
		}
		action, ok := update.Schedule.Action.(*client.ScheduleWorkflowAction)
		if !ok || action == nil || action.ID != out.workflowID {
			return nil, fmt.Errorf("temporalx: update a schedule: its action must go on starting workflows of the id %s", out.workflowID)
		}
		return update, nil
	}
	return h.ScheduleHandle.Update(context.WithValue(ctx, outgoingKey{}, out), options)
}

// keep is what the next version of the schedule carries.
func (h *scheduleHandle) keep(ctx context.Context, by Identity) (outgoing, error) {
	found, err := h.schedules.client.WorkflowService().DescribeSchedule(ctx, &workflowservice.DescribeScheduleRequest{
		Namespace:  h.schedules.namespace,
		ScheduleId: h.GetID(),
	})
	if err != nil {
		return outgoing{}, err
	}
	start := found.GetSchedule().GetAction().GetStartWorkflow()
	out := outgoing{workflowID: start.GetWorkflowId(), scheduled: true}
	owner, _, err := ParseWorkflowID(h.GetID())
	if err != nil {
		return outgoing{}, err
	}
	out.identity = ownerOf(owner, by)
	if former := parse(headerOf(start.GetHeader())); former.found {
		out.former, out.identity = &former, former.identity
		if former.bad != nil {
			return outgoing{}, &tenant.Error{Code: tenant.CodeTenantInvalid, Detail: "the schedule's header is malformed", Err: former.bad}
		}
	}
	if out.identity.Tenant != owner {
		return outgoing{}, errOtherID
	}
	return out, agree(out.identity, out.workflowID)
}

// ownerOf is the identity of a schedule that has lost its header.
func ownerOf(owner tenant.ID, by Identity) Identity {
	if by.IsSystem() && !owner.IsZero() {
		return Identity{Tenant: owner}
	}
	return by
}

func headerOf(h *commonpb.Header) *commonpb.Payload { return h.GetFields()[headerName] }
