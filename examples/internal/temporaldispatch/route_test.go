package temporaldispatch_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// places is where the parts of a workflow have run.
type places struct{ Workflow, Own, Named, Child string }

func where(ctx context.Context) (string, error) { return activity.GetInfo(ctx).TaskQueue, nil }

func child(ctx workflow.Context) (string, error) { return workflow.GetInfo(ctx).TaskQueueName, nil }

// tour names queues as an author does: none, and the base name.
func tour(ctx workflow.Context, base string) (p places, err error) {
	p.Workflow = workflow.GetInfo(ctx).TaskQueueName
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	if err := workflow.ExecuteActivity(ctx, where).Get(ctx, &p.Own); err != nil {
		return p, err
	}
	if err := workflow.ExecuteActivity(workflow.WithTaskQueue(ctx, base), where).Get(ctx, &p.Named); err != nil {
		return p, err
	}
	return p, workflow.ExecuteChildWorkflow(workflow.WithWorkflowTaskQueue(ctx, base), child).Get(ctx, &p.Child)
}

func registerTour(w worker.Registry, _ string) {
	w.RegisterWorkflow(tour)
	w.RegisterWorkflow(child)
	w.RegisterActivity(where)
}

func TestATenantsWorkRunsInItsQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) {
		cfg.Dispatch.Routing.Default.Shards = 3
		cfg.Dispatch.Routing.Plans = map[string]temporalx.Tier{"pro": {Name: "fast"}, "enterprise": {PerTenant: true}}
	})
	pool := w.pool(temporalx.PoolConfig{Register: registerTour})
	base := w.routing.Queues[0]
	assert.Len(t, pool.Queues(), 5)

	gamma := w.tenant("gamma", "enterprise")
	require.NoError(t, pool.Serve(gamma))
	require.NoError(t, pool.Serve(gamma), "a second time changes nothing")
	require.NoError(t, pool.Serve(w.acme), "it has no queue of its own")
	assert.Len(t, pool.Queues(), 6)

	for _, c := range []struct {
		ctx  context.Context
		id   string
		want string
	}{
		{w.as(w.acme), temporalx.WorkflowID(w.acme.ID, "tour"), base + "/tier/fast"},
		{w.as(w.beta), temporalx.WorkflowID(w.beta.ID, "tour"), w.routing.Queue(base, temporalx.Identity{Tenant: w.beta.ID, Plan: "free"})},
		{w.as(gamma), temporalx.WorkflowID(gamma.ID, "tour"), base + "/t/" + gamma.ID.String()},
		{temporalx.System(t.Context(), "take a tour"), temporalx.SystemWorkflowID("tour"), base + "/system"},
	} {
		run, err := w.client.ExecuteWorkflow(c.ctx, client.StartWorkflowOptions{ID: c.id}, tour, base)
		require.NoError(t, err)
		var got places
		require.NoError(t, run.Get(c.ctx, &got))
		assert.Equal(t, places{c.want, c.want, c.want, c.want}, got)
	}

	pool.Leave(gamma.ID)
	assert.Len(t, pool.Queues(), 5)
	pool.Close()
	assert.Empty(t, pool.Queues())
}

// Row 41.
func TestEverythingThatIsStartedHasTheTenantsFairnessKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) {
		cfg.Dispatch.Fairness = map[string]temporalx.Fairness{"pro": {Weight: 5, PriorityKey: 2}}
		cfg.Dispatch.SearchAttribute = true
		cfg.Dispatch.Routing.Plans = map[string]temporalx.Tier{"pro": {Name: "fast"}}
	})
	w.pool(temporalx.PoolConfig{Register: registerTour})
	ctx, base := w.as(w.acme), w.routing.Queues[0]
	id := temporalx.WorkflowID(w.acme.ID, "tour")
	run, err := w.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id}, tour, base)
	require.NoError(t, err)
	require.NoError(t, run.Get(ctx, nil))

	events := w.client.GetWorkflowHistory(ctx, id, run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var seen []string
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(t, err)
		for name, p := range map[string]interface {
			GetFairnessKey() string
			GetFairnessWeight() float32
			GetPriorityKey() int32
		}{
			"workflow": e.GetWorkflowExecutionStartedEventAttributes().GetPriority(),
			"activity": e.GetActivityTaskScheduledEventAttributes().GetPriority(),
			"child":    e.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetPriority(),
		} {
			if p.GetFairnessKey() == "" {
				continue
			}
			seen = append(seen, name)
			assert.Equal(t, w.acme.ID.String(), p.GetFairnessKey(), name)
			assert.InDelta(t, 5, p.GetFairnessWeight(), 0, name)
			assert.EqualValues(t, 2, p.GetPriorityKey(), name)
		}
	}
	assert.ElementsMatch(t, []string{"workflow", "activity", "activity", "child"}, seen)

	// Workflows and children are found by their tenant.
	assert.EventuallyWithT(t, func(t *assert.CollectT) {
		found, err := w.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: `TenantID = "` + w.acme.ID.String() + `"`})
		require.NoError(t, err)
		assert.EqualValues(t, 2, found.GetCount())
	}, 10*time.Second, 100*time.Millisecond)
}

func waiting(ctx workflow.Context) error {
	err := workflow.SetUpdateHandler(ctx, "add", func(_ workflow.Context, n int) (int, error) { return n + 1, nil })
	if err != nil {
		return err
	}
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return nil
}

func TestUpdateWithStartAndSignalWithStartAreDispatchedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) {
		cfg.Dispatch.Fairness = map[string]temporalx.Fairness{"pro": {Weight: 5}}
		cfg.Dispatch.SearchAttribute = true
		cfg.Dispatch.Routing.Plans = map[string]temporalx.Tier{"pro": {Name: "fast"}}
	})
	w.pool(temporalx.PoolConfig{Register: func(r worker.Registry, _ string) { r.RegisterWorkflow(waiting) }})
	ctx, base := w.as(w.acme), w.routing.Queues[0]

	id := temporalx.WorkflowID(w.acme.ID, "update")
	start := w.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: id, TaskQueue: base, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		Priority: temporal.Priority{PriorityKey: 4},
	}, waiting)
	handle, err := w.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: id, UpdateName: "add", Args: []any{1}, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	require.NoError(t, err)
	var two int
	require.NoError(t, handle.Get(ctx, &two))
	assert.Equal(t, 2, two)
	assertDispatched(ctx, w, id, 4)

	id = temporalx.WorkflowID(w.acme.ID, "signal")
	run, err := w.client.SignalWithStartWorkflow(ctx, id, "end", nil, client.StartWorkflowOptions{ID: id}, waiting)
	require.NoError(t, err)
	require.NoError(t, run.Get(ctx, nil))
	assertDispatched(ctx, w, id, 0)
}

func assertDispatched(ctx context.Context, w *world, id string, priority int) {
	w.Helper()
	found, err := w.client.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: client.DefaultNamespace, Execution: execution(id),
	})
	require.NoError(w, err)
	info := found.GetWorkflowExecutionInfo()
	assert.True(w, strings.HasSuffix(info.GetTaskQueue(), "/tier/fast"), info.GetTaskQueue())
	assert.Equal(w, w.acme.ID.String(), info.GetPriority().GetFairnessKey())
	assert.InDelta(w, 5, info.GetPriority().GetFairnessWeight(), 0)
	assert.EqualValues(w, priority, info.GetPriority().GetPriorityKey())
	assert.Contains(w, string(info.GetSearchAttributes().GetIndexedFields()["TenantID"].GetData()), w.acme.ID.String())
}

func TestAPoolRunsNoMoreWorkersThanItMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Dispatch.Routing.Default.PerTenant = true })
	pool := w.pool(temporalx.PoolConfig{Register: registerTour, MaxWorkers: 2}) // one is the system's
	require.NoError(t, pool.Serve(w.acme))
	require.ErrorIs(t, pool.Serve(w.beta), temporalx.ErrPoolFull)
	pool.Leave(w.acme.ID)
	require.NoError(t, pool.Serve(w.beta))
	assert.Len(t, pool.Queues(), 2)
	pool.Close()
	require.ErrorIs(t, pool.Serve(tenant.Tenant{ID: w.acme.ID}), temporalx.ErrPoolClosed)
	require.ErrorIs(t, pool.Start(), temporalx.ErrPoolClosed)
}

func execution(id string) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: id}
}
