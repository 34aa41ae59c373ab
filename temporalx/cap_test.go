package temporalx_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// slots refuse so many times before they lend one.
type slots struct {
	refusals int32
	err      error
	after    time.Duration

	asked, released atomic.Int32
	of              tenant.Tenant
}

func (s *slots) Acquire(_ context.Context, of tenant.Tenant, _ string) (func(), time.Duration, error) {
	s.of = of
	if s.asked.Add(1) <= s.refusals {
		return nil, s.after, s.err
	}
	return func() { s.released.Add(1) }, 0, nil
}

// export runs a workflow of acme with one activity.
func export(t *testing.T, s *slots, options workflow.ActivityOptions, act func(context.Context) error) (*world, error) {
	t.Helper()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Dispatch.Slots = s })
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{})
	env.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: "Export"})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "Export").Get(ctx, nil)
	})
	require.True(t, env.IsWorkflowCompleted())
	return w, env.GetWorkflowError()
}

func nothing(context.Context) error { return nil }

// Row 41.
func TestAnActivityAboveTheBoundComesBackLater(t *testing.T) {
	t.Parallel()
	s := &slots{refusals: 3, after: time.Minute}
	var attempt int32
	w, err := export(t, s, workflow.ActivityOptions{StartToCloseTimeout: time.Second}, func(ctx context.Context) error {
		attempt = activity.GetInfo(ctx).Attempt
		return nil
	})
	require.NoError(t, err)
	assert.EqualValues(t, 4, attempt, "each refusal is an attempt")
	assert.EqualValues(t, 1, s.released.Load())
	assert.Equal(t, w.acme.ID, s.of.ID)
}

func TestASlotIsGivenBackHoweverAnActivityEnds(t *testing.T) {
	t.Parallel()
	once := workflow.ActivityOptions{StartToCloseTimeout: time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}}
	for name, act := range map[string]func(context.Context) error{
		"returns": nothing,
		"fails":   func(context.Context) error { return errors.New("no") },
		"panics":  func(context.Context) error { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &slots{}
			_, _ = export(t, s, once, act)
			assert.EqualValues(t, 1, s.asked.Load())
			assert.EqualValues(t, 1, s.released.Load())
		})
	}
}

// Its last attempt is in the tests with a server: the SDK's environment tells no activity
// its retry policy.
func TestAnActivityThatWouldComeBackTooLateRunsAboveTheBound(t *testing.T) {
	t.Parallel()
	s := &slots{refusals: 100, after: 40 * time.Second}
	_, err := export(t, s, workflow.ActivityOptions{ScheduleToCloseTimeout: time.Minute}, nothing)
	require.NoError(t, err)
	assert.EqualValues(t, 1, s.asked.Load())
}

func TestSlotsThatCanNotTellHaveTheActivityTriedAgain(t *testing.T) {
	t.Parallel()
	s := &slots{refusals: 2, err: errors.New("connection refused")}
	ran := false
	_, err := export(t, s, workflow.ActivityOptions{StartToCloseTimeout: time.Second}, func(context.Context) error {
		ran = true
		return nil
	})
	require.NoError(t, err)
	assert.True(t, ran)
	assert.EqualValues(t, 3, s.asked.Load())
}

func TestTheSystemsActivitiesAndLocalOnesNeedNoSlot(t *testing.T) {
	t.Parallel()
	s := &slots{refusals: 100, after: time.Second}
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Dispatch.Slots = s })
	env := w.environment(temporalx.System(w.Context(), "clean up"), client.StartWorkflowOptions{})
	env.RegisterActivityWithOptions(nothing, activity.RegisterOptions{Name: "Export"})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
		return workflow.ExecuteActivity(ctx, "Export").Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError())

	env = w.environment(w.as(w.acme), client.StartWorkflowOptions{})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
		return workflow.ExecuteLocalActivity(ctx, nothing).Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError())
	assert.Zero(t, s.asked.Load())
}

// Without the tenant's refusal first, a suspended one would take slots of its own.
func TestARefusedTenantTakesNoSlot(t *testing.T) {
	t.Parallel()
	s := &slots{}
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Dispatch.Slots = s })
	ctx := w.as(w.acme)
	env := w.environment(ctx, client.StartWorkflowOptions{})
	_, err := w.store.SetStatus(w.acme.ID, tenant.StatusSuspended)
	require.NoError(t, err)
	env.RegisterActivityWithOptions(nothing, activity.RegisterOptions{Name: "Export"})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
		return workflow.ExecuteActivity(ctx, "Export").Get(ctx, nil)
	})
	code, _ := temporalx.Refused(env.GetWorkflowError())
	assert.Equal(t, tenant.CodeTenantSuspended, code)
	assert.Zero(t, s.asked.Load())
}
