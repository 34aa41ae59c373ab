//go:build !notes_lean

package temporalxtests

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func (w *world) schedules() *temporalx.ScheduleClient {
	return temporalx.Schedules(w.client, temporaltest.Server(w).Namespace())
}

// schedule makes a schedule that runs when it is triggered.
func (w *world) schedule(t *testing.T, ctx context.Context, id string) client.ScheduleHandle {
	t.Helper()
	schedule, err := w.schedules().Create(ctx, client.ScheduleOptions{
		ID:     id,
		Spec:   client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: 24 * time.Hour}}},
		Action: &client.ScheduleWorkflowAction{Workflow: single, TaskQueue: w.queue},
	})
	require.NoError(t, err)
	return schedule
}

// trigger begins the n-th run of a schedule, whether or not that has heard of the end of the
// one before. Two within a second would have one id, so it leaves that second behind.
func trigger(t *testing.T, ctx context.Context, schedule client.ScheduleHandle, n int) client.ScheduleWorkflowExecution {
	t.Helper()
	require.NoError(t, schedule.Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL}))
	var last client.ScheduleActionResult
	require.Eventually(t, func() bool {
		described, err := schedule.Describe(ctx)
		if err != nil || len(described.Info.RecentActions) < n {
			return false
		}
		last = described.Info.RecentActions[n-1]
		return last.StartWorkflowResult != nil
	}, soon, 20*time.Millisecond)
	time.Sleep(time.Until(last.ScheduleTime.Truncate(time.Second).Add(time.Second)))
	return *last.StartWorkflowResult
}

// ran triggers the n-th run of a schedule, and returns its result.
func (w *world) ran(t *testing.T, ctx context.Context, schedule client.ScheduleHandle, n int) seen {
	t.Helper()
	run := trigger(t, ctx, schedule, n)
	var s seen
	require.NoError(t, w.result(w.client.GetWorkflow(ctx, run.WorkflowID, run.FirstExecutionRunID), &s))
	return s
}

func note(text string) client.ScheduleUpdateOptions {
	return client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.State.Note = text
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}}
}

func TestAScheduleThatAnOperatorUpdatesStillRunsForItsTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.client, w.queue)
	ctx, operator := w.as(w.acme), temporalx.System(t.Context(), "move to another hour")
	schedule := w.schedule(t, ctx, w.id(w.acme, "nightly"))
	defer func() { assert.NoError(t, schedule.Delete(operator)) }()

	require.NoError(t, schedule.Update(operator, note("by the operator")))
	assert.Equal(t, w.ofAcme(), w.ran(t, operator, schedule, 1), "with who made it, as ever")

	other := tenant.NewRequestIDContext(ctx, "request-2")
	require.NoError(t, schedule.Update(other, note("by the tenant")))
	assert.Equal(t, w.ofAcme(), w.ran(t, other, schedule, 2))

	described, err := schedule.Describe(ctx)
	require.NoError(t, err)
	assert.Equal(t, "by the tenant", described.Schedule.State.Note)
}

// TestTheSDKAloneLosesAScheduleTheTenant is the reason for ScheduleClient: an update by the
// SDK's own handle drops the header, and the runs are refused until Update mends it.
func TestTheSDKAloneLosesAScheduleTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.client, w.queue)
	ctx, operator := w.as(w.acme), temporalx.System(t.Context(), "mend")
	schedule := w.schedule(t, ctx, w.id(w.acme, "nightly"))
	defer func() { assert.NoError(t, schedule.Delete(operator)) }()

	require.NoError(t, w.client.ScheduleClient().GetHandle(ctx, schedule.GetID()).Update(ctx, note("by the SDK")))
	run := trigger(t, ctx, schedule, 1)
	require.Eventually(t, func() bool { return w.refusedAt(temporalx.KindWorkflow, run.WorkflowID) != "" }, soon, 10*time.Millisecond)
	assert.Equal(t, tenant.CodeTenantRequired, w.refusedAt(temporalx.KindWorkflow, run.WorkflowID))
	assert.Empty(t, w.found(run.WorkflowID))

	require.NoError(t, schedule.Update(operator, note("mended")))
	got := w.ran(t, operator, schedule, 2)
	assert.Equal(t, w.acme.ID, got.Tenant)
	assert.Equal(t, w.acme.ID, got.Workflow.Tenant)
	assert.Zero(t, got.Principal, "who made it is lost")
}

func TestAScheduleOfAnotherTenantIsOutOfReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, other := w.as(w.acme), w.as(w.beta)
	made := w.schedule(t, ctx, w.id(w.acme, "nightly"))
	defer func() { assert.NoError(t, made.Delete(ctx)) }()
	schedules := w.schedules()
	schedule := schedules.GetHandle(other, made.GetID())
	for name, do := range map[string]func(context.Context) error{
		"update":   func(ctx context.Context) error { return schedule.Update(ctx, note("mine")) },
		"delete":   schedule.Delete,
		"describe": func(ctx context.Context) error { _, err := schedule.Describe(ctx); return err },
		"trigger":  func(ctx context.Context) error { return schedule.Trigger(ctx, client.ScheduleTriggerOptions{}) },
		"pause":    func(ctx context.Context) error { return schedule.Pause(ctx, client.SchedulePauseOptions{}) },
		"unpause":  func(ctx context.Context) error { return schedule.Unpause(ctx, client.ScheduleUnpauseOptions{}) },
		"backfill": func(ctx context.Context) error { return schedule.Backfill(ctx, client.ScheduleBackfillOptions{}) },
	} {
		assert.ErrorIs(t, do(other), &tenant.Error{Code: tenant.CodeTenantMismatch}, name)
		assert.ErrorIs(t, do(t.Context()), tenant.ErrRequired, name)
		if name != "delete" {
			assert.NoError(t, do(ctx), "%s of one's own", name)
		}
	}
	_, err := schedules.List(t.Context(), client.ScheduleListOptions{})
	assert.ErrorIs(t, err, tenant.ErrRequired)
	_, err = schedules.Create(other, client.ScheduleOptions{ID: made.GetID(), Action: &client.ScheduleWorkflowAction{Workflow: single, TaskQueue: w.queue}})
	assert.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeTenantMismatch})
}

func TestAScheduleKeepsTheIDOfItsRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.as(w.acme)
	schedule := w.schedule(t, ctx, w.id(w.acme, "nightly"))
	defer func() { assert.NoError(t, schedule.Delete(ctx)) }()
	for name, id := range map[string]string{"another's": temporalx.WorkflowID(w.beta.ID, "x"), "another of one's own": w.id(w.acme, "x"), "none": ""} {
		err := schedule.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			in.Description.Schedule.Action.(*client.ScheduleWorkflowAction).ID = id
			return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
		}})
		assert.ErrorContains(t, err, schedule.GetID(), name)
	}
	assert.ErrorContains(t, schedule.Update(ctx, client.ScheduleUpdateOptions{}), "no DoUpdate")
	assert.ErrorContains(t, schedule.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) { return nil, nil }}), "returned none")
}

func TestAListHoldsTheTenantsOwnSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acmes := w.schedule(t, w.as(w.acme), w.id(w.acme, "a"))
	betas := w.schedule(t, w.as(w.beta), w.id(w.beta, "b"))
	operator := temporalx.System(t.Context(), "look around")
	defer func() {
		assert.NoError(t, acmes.Delete(operator))
		assert.NoError(t, betas.Delete(operator))
	}()
	for id, ctx := range map[string]context.Context{acmes.GetID(): w.as(w.acme), betas.GetID(): w.as(w.beta)} {
		require.Eventually(t, func() bool { return len(w.listed(t, ctx)) > 0 }, soon, 50*time.Millisecond)
		assert.Equal(t, []string{id}, w.listed(t, ctx))
	}
	all := w.listed(t, operator)
	assert.Contains(t, all, acmes.GetID())
	assert.Contains(t, all, betas.GetID())
}

func (w *world) listed(t *testing.T, ctx context.Context) []string {
	t.Helper()
	list, err := w.schedules().List(ctx, client.ScheduleListOptions{PageSize: 1})
	require.NoError(t, err)
	var ids []string
	for list.HasNext() {
		entry, err := list.Next()
		require.NoError(t, err)
		ids = append(ids, entry.ID)
	}
	assert.Panics(t, func() { _, _ = list.Next() })
	return ids
}
