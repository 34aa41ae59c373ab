//go:build !notes_lean

package temporalxtests

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// wrong are the headers that must get nowhere at acme's workflow with an id, and what each
// is refused as.
func wrong(t *testing.T, w *world) map[string]wrongHeader {
	t.Helper()
	leaked := w.cfg
	leaked.Keys = []temporalx.Key{key("leaked")}
	thief := temporaltest.Client(t, client.Options{Plugins: []client.Plugin{w.plugin(leaked)}})
	unknown := w.cfg
	unknown.Keys = []temporalx.Key{key("unknown")}
	stranger := temporaltest.Client(t, client.Options{Plugins: []client.Plugin{w.plugin(unknown)}})

	other := w.id(w.acme, "other")
	w.start(w.as(w.acme), other, obedient)
	betas := w.id(w.beta, "other")
	w.start(w.as(w.beta), betas, obedient)
	unsigned := w.copied(t, other)
	unsigned.Metadata = map[string][]byte{"encoding": unsigned.Metadata["encoding"]}
	return map[string]wrongHeader{
		"missing":                  {w.forged(t, nil), tenant.CodeTenantRequired},
		"malformed":                {w.forged(t, plain("{")), tenant.CodeTenantInvalid},
		"no signature":             {w.forged(t, naming(w.acme)), temporalx.CodeTenantForged},
		"its signature taken away": {w.forged(t, unsigned), temporalx.CodeTenantForged},
		"copied of another workflow of the tenant": {w.forged(t, w.copied(t, other)), temporalx.CodeTenantForged},
		"copied of another tenant":                 {w.forged(t, w.copied(t, betas)), temporalx.CodeTenantForged},
		"signed by a key that is not trusted":      {stranger, temporalx.CodeTenantForged},
		"signed by a key that is no longer":        {thief, temporalx.CodeTenantForged},
	}
}

type wrongHeader struct {
	client client.Client
	code   tenant.Code
}

func newStrictWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, func(cfg *temporalx.Config) {
		leaked := key("leaked")
		leaked.Until = time.Now().Add(-time.Minute)
		cfg.Keys = append(cfg.Keys, leaked)
	})
	w.work(w.client, w.queue)
	return w
}

// Row 39. What arrives with a wrong header fails at its first attempt, and no activity begins.
func TestRow39_AWorkflowOfAWrongHeaderFailsAtOnce(t *testing.T) {
	t.Parallel()
	w := newStrictWorld(t)
	for name, c := range wrong(t, w) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := w.id(w.acme, "forged")
			run, err := c.client.ExecuteWorkflow(w.as(w.acme), w.options(id), single)
			require.NoError(t, err)
			w.refusedSoon(t, run, c.code)
			assert.Empty(t, w.found(id))
		})
	}
}

// refusedSoon waits for a workflow to fail.
func (w *world) refusedSoon(t *testing.T, run client.WorkflowRun, code tenant.Code) {
	t.Helper()
	err := w.result(run, nil)
	found, refused := temporalx.Refused(err)
	assert.True(t, refused, "%v", err)
	assert.Equal(t, code, found)
	w.triedOnce(t, run)
}

// triedOnce looks at the attempts of a workflow and of its tasks and activities.
func (w *world) triedOnce(t *testing.T, run client.WorkflowRun) {
	t.Helper()
	history := w.client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		assert.NotEqual(t, enums.EVENT_TYPE_WORKFLOW_TASK_FAILED, event.GetEventType())
		if a := event.GetActivityTaskStartedEventAttributes(); a != nil {
			assert.EqualValues(t, 1, a.GetAttempt())
		}
		if a := event.GetWorkflowExecutionStartedEventAttributes(); a != nil {
			assert.EqualValues(t, 1, a.GetAttempt())
		}
	}
}

// TestRow39_WorkOfAWorkflowWithoutThePluginFailsAtOnce: the workflow runs where nothing is
// enforced, and starts an activity and a child where all is.
func TestRow39_WorkOfAWorkflowWithoutThePluginFailsAtOnce(t *testing.T) {
	t.Parallel()
	w := newStrictWorld(t)
	other := w.id(w.acme, "other")
	w.start(w.as(w.acme), other, obedient)
	lax := newWorld(t, func(cfg *temporalx.Config) { cfg.Keys = nil })
	lax.work(lax.client, lax.queue)
	for name, c := range map[string]struct {
		*world
		payload *commonpb.Payload
		code    tenant.Code
	}{
		"missing":                          {w, nil, tenant.CodeTenantRequired},
		"malformed":                        {w, plain("{"), tenant.CodeTenantInvalid},
		"forged":                           {w, naming(w.acme), temporalx.CodeTenantForged},
		"copied":                           {w, w.copied(t, other), temporalx.CodeTenantForged},
		"another's, and nothing is signed": {lax, naming(lax.beta), tenant.CodeTenantMismatch},
	} {
		for _, kind := range []string{"activity", "child"} {
			t.Run(name+" in "+kind, func(t *testing.T) {
				t.Parallel()
				c.refusesFromAlien(t, kind, c.payload, c.code)
			})
		}
	}
}

// refusesFromAlien starts an activity or a child of acme's from a worker without the plugin.
func (w *world) refusesFromAlien(t *testing.T, kind string, payload *commonpb.Payload, code tenant.Code) {
	t.Helper()
	queue := temporaltest.Name(t, "alien")
	raw := w.forged(t, payload)
	lawless := worker.New(raw, queue, worker.Options{})
	lawless.RegisterWorkflow(alien)
	require.NoError(t, lawless.Start())
	defer lawless.Stop()

	childID := w.id(w.acme, "child")
	options := client.StartWorkflowOptions{ID: w.id(w.acme, "alien"), TaskQueue: queue}
	run, err := raw.ExecuteWorkflow(t.Context(), options, alien, w.queue, kind, childID)
	require.NoError(t, err)
	w.refusedSoon(t, run, code)
	assert.Empty(t, w.found(options.ID))
	assert.Empty(t, w.found(childID))
}

// Without keys, the workflow id is the witness.
func TestRow39_WithoutKeysTheWorkflowIDContradicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Keys = nil })
	w.work(w.client, w.queue)
	for name, c := range map[string]struct {
		payload *commonpb.Payload
		id      string
	}{
		"another tenant's id":    {naming(w.beta), w.id(w.acme, "x")},
		"the system's id":        {naming(w.acme), temporalx.SystemWorkflowID(w.queue)},
		"nobody's id":            {naming(w.acme), w.queue},
		"the system at a tenant": {plain(`{"v":1,"system":"why not"}`), w.id(w.acme, "y")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, err := w.forged(t, c.payload).ExecuteWorkflow(t.Context(), w.options(c.id), single)
			require.NoError(t, err)
			w.refusedSoon(t, run, tenant.CodeTenantMismatch)
			assert.Empty(t, w.found(c.id))
		})
	}
}

// Row 40.
func TestRow40_AnActivityOfATenantThatMayNoLongerFailsAtOnce(t *testing.T) {
	t.Parallel()
	w := newStrictWorld(t)
	suspended, deleted := w.tenant("to-be-suspended"), w.tenant("to-be-deleted")
	for _, c := range []struct {
		tenant.Tenant
		code   tenant.Code
		change func() error
	}{
		{suspended, tenant.CodeTenantSuspended, func() error { _, err := w.store.SetStatus(suspended.ID, tenant.StatusSuspended); return err }},
		{deleted, tenant.CodeTenantGone, func() error { return w.store.Delete(deleted.ID) }},
		{tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive}, tenant.CodeTenantNotFound, func() error { return nil }},
	} {
		t.Run(string(c.code), func(t *testing.T) {
			t.Parallel()
			ctx := w.as(c.Tenant)
			require.NoError(t, c.change())
			id := w.id(c.Tenant, "export")
			w.refusedSoon(t, w.start(ctx, id, single), c.code)
			assert.Empty(t, w.found(id))
		})
	}
}

func TestASuspendedTenantsActivityGoesOnWhenItIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.RetrySuspended = time.Second })
	w.work(w.client, w.queue)
	_, err := w.store.SetStatus(w.acme.ID, tenant.StatusSuspended)
	require.NoError(t, err)
	run := w.start(w.as(w.acme), w.id(w.acme, "export"), single)
	require.Eventually(t, func() bool { return len(w.refusals(temporalx.KindActivity)) > 0 }, soon, 10*time.Millisecond)
	_, err = w.store.SetStatus(w.acme.ID, tenant.StatusActive)
	require.NoError(t, err)
	var s seen
	require.NoError(t, w.result(run, &s))
	assert.Equal(t, w.ofAcme(), s)
}

// message is a signal, query or update to a workflow.
var messages = map[temporalx.Kind]func(ctx context.Context, c client.Client, id string) error{
	temporalx.KindSignal: func(ctx context.Context, c client.Client, id string) error {
		return c.SignalWorkflow(ctx, id, "", "say", "look")
	},
	temporalx.KindQuery: func(ctx context.Context, c client.Client, id string) error {
		_, err := c.QueryWorkflow(ctx, id, "", "how many")
		return err
	},
	temporalx.KindUpdate: func(ctx context.Context, c client.Client, id string) error {
		update, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "look", WaitForStage: client.WorkflowUpdateStageCompleted})
		if err != nil {
			return err
		}
		return update.Get(ctx, nil)
	},
}

func TestAMessageOfAWrongHeaderLeavesTheWorkflowToComplete(t *testing.T) {
	t.Parallel()
	w := newStrictWorld(t)
	for name, c := range wrong(t, w) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.unharmed(t, c.client, c.code)
		})
	}
}

func TestAMessageOfAnotherTenantLeavesTheWorkflowToComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Keys = nil }) // nothing is wrong with the header itself
	w.work(w.client, w.queue)
	w.unharmed(t, w.forged(t, naming(w.beta)), tenant.CodeTenantMismatch)
}

// unharmed sends a workflow of acme's messages that are to be refused, then good ones.
func (w *world) unharmed(t *testing.T, c client.Client, code tenant.Code) {
	t.Helper()
	ctx, id := w.as(w.acme), w.id(w.acme, "obedient")
	run := w.start(ctx, id, obedient)
	for kind, send := range messages {
		err := send(ctx, c, id)
		if kind == temporalx.KindSignal {
			require.NoError(t, err, "whether a signal is taken, its sender is not told")
			require.Eventually(t, func() bool { return w.refusedAt(kind, id) != "" }, soon, time.Millisecond)
			assert.Equal(t, code, w.refusedAt(kind, id), "%v", w.refusals(kind))
			continue
		}
		require.Error(t, err)
		assert.Equal(t, code, w.refusedAt(kind, id), "%s: %v", kind, err)
	}
	assert.Empty(t, w.found(id))

	worker.PurgeStickyWorkflowCache() // from here on it is replayed
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "look"))
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "end"))
	var all []seen
	require.NoError(t, w.result(run, &all))
	assert.Equal(t, []seen{w.ofAcme()}, all)
	w.triedOnce(t, run)
}

// refusedAt is as what a workflow, or a message to one, was refused; empty when it was not. A
// worker whose answer is late is given a task again, and refuses once more.
func (w *world) refusedAt(kind temporalx.Kind, workflowID string) (code tenant.Code) {
	for _, r := range w.refusals(kind) {
		if r.WorkflowID == workflowID {
			assert.Contains(w, []tenant.Code{"", r.Code}, code, "refused for one reason and then for another")
			code = r.Code
		}
	}
	return code
}
