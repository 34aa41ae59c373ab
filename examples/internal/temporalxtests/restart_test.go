//go:build !notes_lean

package temporalxtests

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestWorkGoesOnForItsTenantWhenTheServerIsRestarted(t *testing.T) {
	t.Parallel()
	server, err := temporalserver.Start(t.Context(), temporalserver.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { temporaltest.Stop(t, server) })
	w := newWorld(t)
	w.client = temporaltest.Dial(t, server, client.Options{Plugins: []client.Plugin{w.plugin(w.cfg)}})
	stop := w.work(w.client, w.queue)

	runs := make(map[tenant.ID]client.WorkflowRun)
	for _, in := range []tenant.Tenant{w.acme, w.beta} {
		id := w.id(in, "obedient")
		runs[in.ID] = w.start(w.as(in), id, obedient)
		require.NoError(t, w.client.SignalWorkflow(w.as(in), id, "", "say", "look"))
		require.Eventually(t, func() bool { return len(w.found(id)) == 1 }, soon, 10*time.Millisecond)
	}
	stop()
	require.NoError(t, server.Restart(t.Context()))
	w.work(w.client, w.queue)
	for _, in := range []tenant.Tenant{w.acme, w.beta} {
		for _, say := range []string{"look", "end"} {
			require.NoError(t, w.client.SignalWorkflow(w.as(in), runs[in.ID].GetID(), "", "say", say))
		}
		var all []seen
		require.NoError(t, w.result(runs[in.ID], &all))
		require.Len(t, all, 2)
		for _, s := range all {
			assert.Equal(t, in.ID, s.Tenant)
		}
	}
	assert.Empty(t, w.refused)
}

// clientWith is a client with other keys, for the same tenants.
func (w *world) clientWith(t *testing.T, keys ...temporalx.Key) client.Client {
	t.Helper()
	cfg := w.cfg
	cfg.Keys = keys
	return temporaltest.Client(t, client.Options{Plugins: []client.Plugin{w.plugin(cfg)}})
}

func TestAWorkflowOutlivesTheKeyThatSignedIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Keys = []temporalx.Key{key("old")} })
	ctx, id := w.as(w.acme), w.id(w.acme, "obedient")
	stop := w.work(w.client, w.queue)
	run := w.start(ctx, id, obedient)
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "look"))
	require.Eventually(t, func() bool { return len(w.found(id)) == 1 }, soon, 10*time.Millisecond)
	stop()
	worker.PurgeStickyWorkflowCache()

	old := key("old")
	old.Until = time.Now()
	rotated := w.clientWith(t, key("new"), old)
	w.work(rotated, w.queue)
	for _, say := range []string{"look", "end"} {
		require.NoError(t, rotated.SignalWorkflow(ctx, id, "", "say", say))
	}
	var all []seen
	require.NoError(t, w.result(run, &all))
	assert.Equal(t, []seen{w.ofAcme(), w.ofAcme()}, all)
	assert.Empty(t, w.refused)

	late := w.start(ctx, w.id(w.acme, "late"), single) // by a client that still signs with the old key
	w.refusedSoon(t, late, temporalx.CodeTenantForged)
}

// TestAnOldKeyIsTakenOnceByAWorkflowThatSlept is the gap that Key speaks of.
func TestAnOldKeyIsTakenOnceByAWorkflowThatSlept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Keys = []temporalx.Key{key("old")} })
	ctx, id := w.as(w.acme), w.id(w.acme, "obedient")
	run := w.start(ctx, id, obedient)
	stop := w.work(w.client, w.queue)
	_, err := w.client.QueryWorkflow(ctx, id, "", "how many") // so that its clock has begun
	require.NoError(t, err)
	stop()
	old := key("old")
	old.Until = time.Now()
	time.Sleep(10 * time.Millisecond)
	rotated := w.clientWith(t, key("new"), old)
	w.work(rotated, w.queue)

	_, err = w.client.QueryWorkflow(ctx, id, "", "how many")
	assert.Error(t, err, "a query goes by the real time")
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "look"))
	require.Eventually(t, func() bool { return len(w.found(id)) == 1 }, soon, 10*time.Millisecond)
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "look"))
	require.Eventually(t, func() bool { return w.refusedAt(temporalx.KindSignal, id) == temporalx.CodeTenantForged }, soon, 10*time.Millisecond)
	require.NoError(t, rotated.SignalWorkflow(ctx, id, "", "say", "end"))
	var all []seen
	require.NoError(t, w.result(run, &all))
	assert.Len(t, all, 1)
}

func TestAHistoryIsReplayedAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Keys = nil })
	w.work(w.client, w.queue)
	ctx, id := w.as(w.acme), w.id(w.acme, "obedient")
	run := w.start(ctx, id, obedient)
	require.NoError(t, w.forged(t, naming(w.beta)).SignalWorkflow(ctx, id, "", "say", "end"))
	for _, say := range []string{"look", "end"} {
		require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", say))
	}
	require.NoError(t, w.result(run, nil))
	everywhere := w.start(ctx, w.id(w.acme, "everything"), everything)
	require.NoError(t, w.result(everywhere, nil))
	told := len(w.refusals(temporalx.KindSignal))
	require.Positive(t, told) // a worker whose answer was late is given the task again

	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Plugins: []worker.Plugin{w.plugin(w.cfg)}})
	require.NoError(t, err)
	replayer.RegisterWorkflow(obedient)
	replayer.RegisterWorkflow(everything)
	replayer.RegisterWorkflow(single)
	for _, of := range []client.WorkflowRun{run, everywhere} {
		require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(nil, w.history(t, of), worker.ReplayWorkflowHistoryOptions{
			OriginalExecution: workflow.Execution{ID: of.GetID(), RunID: of.GetRunID()},
		}))
	}
	assert.Len(t, w.refusals(temporalx.KindSignal), told, "what was refused is told once")
}

func (w *world) history(t *testing.T, run client.WorkflowRun) *historypb.History {
	t.Helper()
	var events []*historypb.HistoryEvent
	history := w.client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		events = append(events, event)
	}
	return &historypb.History{Events: events}
}
