package temporalx_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// nowhere is a store that has no tenant.
type nowhere struct{}

func (nowhere) Lookup(context.Context, tenant.Ref) (tenant.Tenant, error) {
	return tenant.Tenant{}, tenant.ErrNotFound
}

// started is what a client starts, as it goes out.
type started struct {
	interceptor.ClientOutboundInterceptorBase
	workflow client.StartWorkflowOptions
	activity client.StartActivityOptions
	schedule client.ScheduleWorkflowAction
}

func (s *started) ExecuteWorkflow(_ context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	s.workflow = *in.Options
	return nil, nil
}

func (s *started) SignalWithStartWorkflow(_ context.Context, in *interceptor.ClientSignalWithStartWorkflowInput) (client.WorkflowRun, error) {
	s.workflow = *in.Options
	return nil, nil
}

func (s *started) ExecuteActivity(_ context.Context, in *interceptor.ClientExecuteActivityInput) (client.ActivityHandle, error) {
	s.activity = *in.Options
	return nil, nil
}

func (s *started) CreateSchedule(_ context.Context, in *interceptor.ScheduleClientCreateInput) (client.ScheduleHandle, error) {
	s.schedule = *in.Options.Action.(*client.ScheduleWorkflowAction)
	return nil, nil
}

func dispatching(t *testing.T) *world {
	t.Helper()
	return newWorld(t, func(cfg *temporalx.Config) {
		cfg.Dispatch = temporalx.Dispatch{
			Routing:         temporalx.Routing{Queues: []string{"work", "mail"}, Plans: map[string]temporalx.Tier{"pro": {Name: "fast"}}},
			Fairness:        map[string]temporalx.Fairness{"pro": {Weight: 5, PriorityKey: 2}, "": {Weight: 0.5}},
			SearchAttribute: true,
		}
	})
}

// Row 41.
func TestAClientDispatchesWhateverItStartsByTenantAndPlan(t *testing.T) {
	t.Parallel()
	w := dispatching(t)
	out := &started{}
	c := w.outbound(out)
	ctx := w.as(w.acme)
	fair := temporal.Priority{PriorityKey: 2, FairnessKey: w.acme.ID.String(), FairnessWeight: 5}

	_, err := c.ExecuteWorkflow(ctx, &interceptor.ClientExecuteWorkflowInput{Options: &client.StartWorkflowOptions{}})
	require.NoError(t, err)
	assertStart(t, w.acme.ID, out.workflow, "work/tier/fast", fair)

	_, err = c.SignalWithStartWorkflow(ctx, &interceptor.ClientSignalWithStartWorkflowInput{Options: &client.StartWorkflowOptions{TaskQueue: "mail"}})
	require.NoError(t, err)
	assertStart(t, w.acme.ID, out.workflow, "mail/tier/fast", fair)

	_, err = c.ExecuteActivity(ctx, &interceptor.ClientExecuteActivityInput{Options: &client.StartActivityOptions{TaskQueue: "mail", StartToCloseTimeout: time.Second}})
	require.NoError(t, err)
	assert.Equal(t, "mail/tier/fast", out.activity.TaskQueue)
	assert.Equal(t, fair, out.activity.Priority)

	action := &client.ScheduleWorkflowAction{TaskQueue: "mail"}
	_, err = c.CreateSchedule(ctx, &interceptor.ScheduleClientCreateInput{Options: &client.ScheduleOptions{Action: action}})
	require.NoError(t, err)
	assert.Equal(t, "mail/tier/fast", out.schedule.TaskQueue)
	assert.Equal(t, fair, out.schedule.Priority)
	assert.Equal(t, "mail", action.TaskQueue, "the caller's options are not changed")
	id, _ := out.schedule.TypedSearchAttributes.GetKeyword(temporalx.TenantAttribute)
	assert.Equal(t, w.acme.ID.String(), id)
}

func assertStart(t *testing.T, of tenant.ID, o client.StartWorkflowOptions, queue string, fair temporal.Priority) {
	t.Helper()
	assert.Equal(t, queue, o.TaskQueue)
	assert.Equal(t, fair, o.Priority)
	id, _ := o.TypedSearchAttributes.GetKeyword(temporalx.TenantAttribute)
	assert.Equal(t, of.String(), id)
}

func TestTheAuthorsPriorityStaysAndItsFairnessKeyDoesNot(t *testing.T) {
	t.Parallel()
	w := dispatching(t)
	out := &started{}
	_, err := w.outbound(out).ExecuteWorkflow(w.as(w.acme), &interceptor.ClientExecuteWorkflowInput{Options: &client.StartWorkflowOptions{
		Priority: temporal.Priority{PriorityKey: 1, FairnessKey: w.beta.ID.String(), FairnessWeight: 1000},
	}})
	require.NoError(t, err)
	assert.Equal(t, temporal.Priority{PriorityKey: 1, FairnessKey: w.acme.ID.String(), FairnessWeight: 5}, out.workflow.Priority)
}

func TestAPlanWithoutFairnessHasThatOfTheRest(t *testing.T) {
	t.Parallel()
	w := dispatching(t)
	out := &started{}
	free := w.acme
	free.Plan = "free"
	_, err := w.outbound(out).ExecuteWorkflow(w.as(free), &interceptor.ClientExecuteWorkflowInput{Options: &client.StartWorkflowOptions{}})
	require.NoError(t, err)
	assertStart(t, w.acme.ID, out.workflow, "work", temporal.Priority{FairnessKey: w.acme.ID.String(), FairnessWeight: 0.5})
}

func TestTheSystemsWorkIsApart(t *testing.T) {
	t.Parallel()
	w := dispatching(t)
	out := &started{}
	_, err := w.outbound(out).ExecuteWorkflow(temporalx.System(w.Context(), "close the month"), &interceptor.ClientExecuteWorkflowInput{Options: &client.StartWorkflowOptions{}})
	require.NoError(t, err)
	assert.Equal(t, "work/system", out.workflow.TaskQueue)
	assert.Equal(t, temporal.Priority{FairnessKey: "system", FairnessWeight: 1}, out.workflow.Priority)
	assert.Zero(t, out.workflow.TypedSearchAttributes.Size())
}

func TestUntypedSearchAttributesAreRefusedWhereTheTenantsIsSet(t *testing.T) {
	t.Parallel()
	w := dispatching(t)
	c := w.outbound(&started{})
	options := client.StartWorkflowOptions{SearchAttributes: map[string]any{"Custom": "x"}} //nolint:staticcheck // those that are refused
	_, err := c.ExecuteWorkflow(w.as(w.acme), &interceptor.ClientExecuteWorkflowInput{Options: &options})
	require.ErrorContains(t, err, "use TypedSearchAttributes")
	_, err = c.SignalWithStartWorkflow(w.as(w.acme), &interceptor.ClientSignalWithStartWorkflowInput{Options: &options})
	require.ErrorContains(t, err, "use TypedSearchAttributes")
}

// What an author has set with typed attributes stays, beside the tenant.
func TestTheAuthorsSearchAttributesStay(t *testing.T) {
	t.Parallel()
	w := dispatching(t)
	out := &started{}
	kind := temporal.NewSearchAttributeKeyKeyword("Kind")
	_, err := w.outbound(out).ExecuteWorkflow(w.as(w.acme), &interceptor.ClientExecuteWorkflowInput{Options: &client.StartWorkflowOptions{
		TypedSearchAttributes: temporal.NewSearchAttributes(kind.ValueSet("export"), temporalx.TenantAttribute.ValueSet(w.beta.ID.String())),
	}})
	require.NoError(t, err)
	got, _ := out.workflow.TypedSearchAttributes.GetKeyword(kind)
	assert.Equal(t, "export", got)
	assertStart(t, w.acme.ID, out.workflow, "work/tier/fast", out.workflow.Priority)
}
