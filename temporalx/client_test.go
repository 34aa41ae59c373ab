package temporalx_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// answering is a server's side that takes everything, and counts.
type answering struct {
	interceptor.ClientOutboundInterceptorBase
	calls int
}

func (a *answering) ExecuteWorkflow(context.Context, *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	a.calls++
	return nil, nil
}

func (a *answering) SignalWithStartWorkflow(context.Context, *interceptor.ClientSignalWithStartWorkflowInput) (client.WorkflowRun, error) {
	a.calls++
	return nil, nil
}

func (a *answering) UpdateWithStartWorkflow(context.Context, *interceptor.ClientUpdateWithStartWorkflowInput) (client.WorkflowUpdateHandle, error) {
	a.calls++
	return nil, nil
}

func (a *answering) CreateSchedule(context.Context, *interceptor.ScheduleClientCreateInput) (client.ScheduleHandle, error) {
	a.calls++
	return nil, nil
}

func (a *answering) SignalWorkflow(context.Context, *interceptor.ClientSignalWorkflowInput) error {
	a.calls++
	return nil
}

func (a *answering) QueryWorkflow(context.Context, *interceptor.ClientQueryWorkflowInput) (converter.EncodedValue, error) {
	a.calls++
	return nil, nil
}

func (a *answering) UpdateWorkflow(context.Context, *interceptor.ClientUpdateWorkflowInput) (client.WorkflowUpdateHandle, error) {
	a.calls++
	return nil, nil
}

func (a *answering) CancelWorkflow(context.Context, *interceptor.ClientCancelWorkflowInput) error {
	a.calls++
	return nil
}

func (a *answering) TerminateWorkflow(context.Context, *interceptor.ClientTerminateWorkflowInput) error {
	a.calls++
	return nil
}

func (a *answering) DescribeWorkflow(context.Context, *interceptor.ClientDescribeWorkflowInput) (*interceptor.ClientDescribeWorkflowOutput, error) {
	a.calls++
	return nil, nil
}

func (a *answering) ExecuteActivity(context.Context, *interceptor.ClientExecuteActivityInput) (client.ActivityHandle, error) {
	a.calls++
	return nil, nil
}

func (a *answering) CancelActivity(context.Context, *interceptor.ClientCancelActivityInput) error {
	a.calls++
	return nil
}

func (a *answering) TerminateActivity(context.Context, *interceptor.ClientTerminateActivityInput) error {
	a.calls++
	return nil
}

func (a *answering) PauseActivity(context.Context, *interceptor.ClientPauseActivityInput) error {
	a.calls++
	return nil
}

func (a *answering) UnpauseActivity(context.Context, *interceptor.ClientUnpauseActivityInput) error {
	a.calls++
	return nil
}

func (a *answering) UpdateActivityOptions(context.Context, *interceptor.ClientUpdateActivityOptionsInput) (*interceptor.ClientUpdateActivityOptionsOutput, error) {
	a.calls++
	return nil, nil
}

func (a *answering) DescribeActivity(context.Context, *interceptor.ClientDescribeActivityInput) (*interceptor.ClientDescribeActivityOutput, error) {
	a.calls++
	return nil, nil
}

func (a *answering) PollActivityResult(context.Context, *interceptor.ClientPollActivityResultInput) (*interceptor.ClientPollActivityResultOutput, error) {
	a.calls++
	return nil, nil
}

// call is one of the client's, about the workflow, schedule or activity with an id.
type call func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error

// starting are the calls that start work, reaching those about what there is.
func starting() map[string]call {
	return map[string]call{
		"start": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.ExecuteWorkflow(ctx, &interceptor.ClientExecuteWorkflowInput{Options: &client.StartWorkflowOptions{ID: id}})
			return err
		},
		"signal with start": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.SignalWithStartWorkflow(ctx, &interceptor.ClientSignalWithStartWorkflowInput{Options: &client.StartWorkflowOptions{ID: id}})
			return err
		},
		"update with start": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.UpdateWithStartWorkflow(ctx, &interceptor.ClientUpdateWithStartWorkflowInput{UpdateOptions: &client.UpdateWorkflowOptions{WorkflowID: id}})
			return err
		},
		"create a schedule": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.CreateSchedule(ctx, &interceptor.ScheduleClientCreateInput{Options: &client.ScheduleOptions{ID: id, Action: &client.ScheduleWorkflowAction{}}})
			return err
		},
		"start an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.ExecuteActivity(ctx, &interceptor.ClientExecuteActivityInput{Options: &client.StartActivityOptions{ID: id}})
			return err
		},
	}
}

func reaching() map[string]call {
	return map[string]call{
		"signal": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.SignalWorkflow(ctx, &interceptor.ClientSignalWorkflowInput{WorkflowID: id})
		},
		"query": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.QueryWorkflow(ctx, &interceptor.ClientQueryWorkflowInput{WorkflowID: id})
			return err
		},
		"update": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.UpdateWorkflow(ctx, &interceptor.ClientUpdateWorkflowInput{WorkflowID: id})
			return err
		},
		"cancel": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.CancelWorkflow(ctx, &interceptor.ClientCancelWorkflowInput{WorkflowID: id})
		},
		"terminate": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.TerminateWorkflow(ctx, &interceptor.ClientTerminateWorkflowInput{WorkflowID: id})
		},
		"describe": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.DescribeWorkflow(ctx, &interceptor.ClientDescribeWorkflowInput{WorkflowID: id})
			return err
		},
		"cancel an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.CancelActivity(ctx, &interceptor.ClientCancelActivityInput{ActivityID: id})
		},
		"terminate an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.TerminateActivity(ctx, &interceptor.ClientTerminateActivityInput{ActivityID: id})
		},
		"pause an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.PauseActivity(ctx, &interceptor.ClientPauseActivityInput{ActivityID: id})
		},
		"unpause an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			return c.UnpauseActivity(ctx, &interceptor.ClientUnpauseActivityInput{ActivityID: id})
		},
		"change an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.UpdateActivityOptions(ctx, &interceptor.ClientUpdateActivityOptionsInput{ActivityID: id})
			return err
		},
		"describe an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.DescribeActivity(ctx, &interceptor.ClientDescribeActivityInput{ActivityID: id})
			return err
		},
		"wait for an activity": func(ctx context.Context, c interceptor.ClientOutboundInterceptor, id string) error {
			_, err := c.PollActivityResult(ctx, &interceptor.ClientPollActivityResultInput{ActivityID: id})
			return err
		},
	}
}

func TestNothingIsSentWithoutATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	suspended := w.acme
	suspended.Status = tenant.StatusSuspended
	foreigner := tenant.NewPrincipalContext(w.as(w.acme), tenant.Principal{Kind: tenant.User, ID: "ben", Tenant: w.beta.ID})
	long := tenant.NewPrincipalContext(w.as(w.acme), tenant.Principal{Kind: tenant.User, ID: strings.Repeat("x", 1000)})
	acmes := temporalx.WorkflowID(w.acme.ID, "x")

	calls := starting()
	maps.Copy(calls, reaching())
	for name, do := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := new(answering)
			out := w.outbound(next)
			for said, c := range map[string]struct {
				ctx  context.Context
				id   string
				want error
			}{
				"no tenant":              {t.Context(), acmes, tenant.ErrRequired},
				"no reason":              {temporalx.System(t.Context(), ""), acmes, tenant.ErrRequired},
				"a suspended one":        {tenant.NewContext(t.Context(), suspended), acmes, tenant.ErrSuspended},
				"another's":              {w.as(w.beta), acmes, &tenant.Error{Code: tenant.CodeTenantMismatch}},
				"the system's":           {w.as(w.acme), temporalx.SystemWorkflowID("x"), &tenant.Error{Code: tenant.CodeTenantMismatch}},
				"another's credential":   {foreigner, acmes, &tenant.Error{Code: tenant.CodeTenantMismatch}},
				"an id that is nobody's": {w.as(w.acme), "export", temporalx.ErrWorkflowID},
			} {
				assert.ErrorIs(t, do(c.ctx, out, c.id), c.want, said)
			}
			assert.ErrorContains(t, do(long, out, acmes), "principal's id")
			assert.Zero(t, next.calls)

			require.NoError(t, do(w.as(w.acme), out, acmes))
			assert.Equal(t, 1, next.calls)
		})
	}
}

func TestTheSystemReachesAllAndStartsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acmes, systems := temporalx.WorkflowID(w.acme.ID, "x"), temporalx.SystemWorkflowID("x")
	ctx := temporalx.System(w.as(w.acme), "clean up")
	for name, do := range reaching() {
		assert.NoError(t, do(ctx, w.outbound(new(answering)), acmes), name)
		assert.NoError(t, do(ctx, w.outbound(new(answering)), "made before there was a plugin"), name)
	}
	for name, do := range starting() {
		assert.NoError(t, do(ctx, w.outbound(new(answering)), systems), name)
		err := do(ctx, w.outbound(new(answering)), acmes)
		assert.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeTenantMismatch}, "%s: for a tenant, work has the tenant in its context", name)
	}
}

func TestAContextSaysLastForWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := temporalx.System(w.as(w.acme), "clean up")
	_, tenants := tenant.FromContext(ctx)
	assert.False(t, tenants)
	reason, system := temporalx.SystemReason(ctx)
	assert.True(t, system)
	assert.Equal(t, "clean up", reason)

	ctx = tenant.NewContext(ctx, w.beta)
	_, system = temporalx.SystemReason(ctx)
	assert.False(t, system)
}

func TestWorkWithoutAnIDGetsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := &interceptor.ClientExecuteWorkflowInput{Options: new(client.StartWorkflowOptions)}
	_, err := w.outbound(new(answering)).ExecuteWorkflow(w.as(w.acme), in)
	require.NoError(t, err)
	owner, _, err := temporalx.ParseWorkflowID(in.Options.ID)
	require.NoError(t, err)
	assert.Equal(t, w.acme.ID, owner)

	in = &interceptor.ClientExecuteWorkflowInput{Options: new(client.StartWorkflowOptions)}
	_, err = w.outbound(new(answering)).ExecuteWorkflow(temporalx.System(t.Context(), "why"), in)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(in.Options.ID, "system/"))
}

func TestAScheduleGivesItsRunsItsID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out := w.outbound(new(answering))
	action := &client.ScheduleWorkflowAction{}
	in := &interceptor.ScheduleClientCreateInput{Options: &client.ScheduleOptions{Action: action}}
	_, err := out.CreateSchedule(w.as(w.acme), in)
	require.NoError(t, err)
	assert.Equal(t, in.Options.ID, in.Options.Action.(*client.ScheduleWorkflowAction).ID)
	assert.Empty(t, action.ID, "the caller's is as it was")

	_, err = out.CreateSchedule(w.as(w.acme), &interceptor.ScheduleClientCreateInput{Options: &client.ScheduleOptions{
		Action: &client.ScheduleWorkflowAction{ID: temporalx.WorkflowID(w.beta.ID, "x")},
	}})
	assert.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeTenantMismatch})
	_, err = out.CreateSchedule(w.as(w.acme), &interceptor.ScheduleClientCreateInput{Options: new(client.ScheduleOptions)})
	assert.ErrorContains(t, err, "must start a workflow")
}

func TestAnUpdateWithStartSaysWhichWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.outbound(new(answering)).UpdateWithStartWorkflow(w.as(w.acme), &interceptor.ClientUpdateWithStartWorkflowInput{UpdateOptions: new(client.UpdateWorkflowOptions)})
	assert.ErrorContains(t, err, "must have the WorkflowID")
}

func TestNexusIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.outbound(new(answering)).ExecuteNexusOperation(w.as(w.acme), nil)
	assert.ErrorIs(t, err, temporalx.ErrNexus)
}
