package temporaldispatch_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
)

const secret = "the quarterly numbers"

// everything hands the secret over in each way that there is.
func everything(ctx workflow.Context, in string, again bool) (string, error) {
	own := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, HeartbeatTimeout: time.Second})
	var out string
	if err := workflow.ExecuteActivity(own, "echo", in).Get(ctx, &out); err != nil {
		return "", err
	}
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
	if err := workflow.ExecuteLocalActivity(local, "echo", out).Get(ctx, &out); err != nil {
		return "", err
	}
	if err := workflow.ExecuteChildWorkflow(ctx, "same", out).Get(ctx, &out); err != nil {
		return "", err
	}
	err := workflow.SideEffect(ctx, func(workflow.Context) any { return out }).Get(&out)
	if err != nil {
		return "", err
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"noted": out}); err != nil {
		return "", err
	}
	if err := workflow.SetQueryHandler(ctx, "ask", func(q string) (string, error) { return q + out, nil }); err != nil {
		return "", err
	}
	if err := workflow.SetUpdateHandler(ctx, "tell", func(_ workflow.Context, s string) (string, error) { return s + out, nil }); err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, "go on").Receive(ctx, &out)
	if again {
		return "", workflow.NewContinueAsNewError(ctx, "everything", out, false)
	}
	var failed *temporal.ApplicationError
	if err := workflow.ExecuteActivity(own, "fail", out).Get(ctx, nil); errors.As(err, &failed) {
		return failed.Message(), nil
	}
	return "", nil
}

func echo(ctx context.Context, s string) (string, error) {
	if !activity.GetInfo(ctx).IsLocalActivity {
		activity.RecordHeartbeat(ctx, s)
	}
	return s, nil
}

func fail(_ context.Context, s string) error {
	return temporal.NewNonRetryableApplicationError(s, "Failed", nil, s)
}

func registerEverything(r worker.Registry, _ string) {
	r.RegisterWorkflowWithOptions(everything, workflow.RegisterOptions{Name: "everything"})
	r.RegisterWorkflowWithOptions(func(_ workflow.Context, s string) (string, error) { return s, nil }, workflow.RegisterOptions{Name: "same"})
	r.RegisterActivityWithOptions(echo, activityNamed("echo"))
	r.RegisterActivityWithOptions(fail, activityNamed("fail"))
}

func payloadKey(t *testing.T, id string) temporalx.PayloadKey {
	t.Helper()
	key := temporalx.PayloadKey{ID: id, Secret: make([]byte, temporalx.PayloadKeySize)}
	_, _ = rand.Read(key.Secret)
	return key
}

func encrypted(t *testing.T, keys ...temporalx.PayloadKey) func(*temporalx.Config) {
	t.Helper()
	derived, err := temporalx.DerivedKeys(keys...)
	require.NoError(t, err)
	return func(cfg *temporalx.Config) { cfg.Encryption = &temporalx.Encryption{Keys: derived} }
}

func TestNothingThatAWorkflowHandlesIsReadableOnTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, encrypted(t, payloadKey(t, "m1")))
	w.pool(temporalx.PoolConfig{Register: registerEverything})
	ctx, id := w.as(w.acme), temporalx.WorkflowID(w.acme.ID, "everything")
	run, err := w.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, Memo: map[string]any{"note": secret}}, "everything", secret, true)
	require.NoError(t, err)
	first := run.GetRunID()

	var answer string
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		value, err := w.client.QueryWorkflow(ctx, id, "", "ask", "1")
		require.NoError(t, err)
		require.NoError(t, value.Get(&answer))
	}, 30*time.Second, 50*time.Millisecond)
	assert.Equal(t, "1"+secret, answer)
	update, err := w.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: "tell", Args: []any{secret}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, update.Get(ctx, &answer))
	assert.Equal(t, secret+secret, answer)

	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "go on", secret))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		now, err := w.client.DescribeWorkflow(ctx, id, "")
		require.NoError(t, err)
		require.NotEqual(t, first, now.WorkflowExecution.RunID, "it has continued as new")
	}, 30*time.Second, 50*time.Millisecond)
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "go on", secret))
	require.NoError(t, run.Get(ctx, &answer))
	assert.Equal(t, secret, answer)

	for _, runID := range []string{first, run.GetRunID()} {
		events := w.client.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(t, err)
			raw, err := proto.Marshal(event)
			require.NoError(t, err)
			assert.NotContains(t, string(raw), "quarterly", event.GetEventType())
		}
	}
}

func TestWorkOfOneKeyGoesOnWithTheNext(t *testing.T) {
	t.Parallel()
	old, fresh := payloadKey(t, "m1"), payloadKey(t, "m2")
	before := newWorld(t, encrypted(t, old))
	after := newWorld(t, encrypted(t, fresh, old), func(cfg *temporalx.Config) {
		cfg.Dispatch.Routing, cfg.Store = before.routing, before.store
	})
	ctx := before.as(before.acme)
	run, err := before.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: temporalx.WorkflowID(before.acme.ID, "rotated")}, "same", secret)
	require.NoError(t, err)
	after.pool(temporalx.PoolConfig{Register: registerEverything}) // the worker has the new key, the client the old one
	var got string
	require.ErrorIs(t, run.Get(ctx, &got), temporalx.ErrNoPayloadKey, "a client that was forgotten reads no results")
	require.NoError(t, after.client.GetWorkflow(ctx, run.GetID(), "").Get(ctx, &got))
	assert.Equal(t, secret, got)
}

func TestAnotherTenantReadsNoResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t, encrypted(t, payloadKey(t, "m1")))
	w.pool(temporalx.PoolConfig{Register: registerEverything})
	id := temporalx.WorkflowID(w.acme.ID, "secret")
	run, err := w.client.ExecuteWorkflow(w.as(w.acme), client.StartWorkflowOptions{ID: id}, "same", secret)
	require.NoError(t, err)
	require.NoError(t, run.Get(w.as(w.acme), nil))
	plain := temporaltest.Client(t, client.Options{})
	require.Error(t, plain.GetWorkflow(t.Context(), id, "").Get(t.Context(), new(string)), "without a key there is nothing to read")
}
