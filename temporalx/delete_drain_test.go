package temporalx_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// crowd is a client of a namespace in which one tenant has very many workflows.
type crowd struct {
	client.Client
	of        tenant.ID
	workflows int
	listed    int   // how many more times the list shows them; then they have ended
	then      error // of the lists after that
	cancelled int
}

func (c *crowd) ListWorkflow(_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	from, _ := strconv.Atoi(string(in.GetNextPageToken()))
	out := &workflowservice.ListWorkflowExecutionsResponse{}
	if c.listed == 0 {
		return out, c.then
	}
	to := min(from+int(in.GetPageSize()), c.workflows)
	for n := from; n < to; n++ {
		name := strconv.Itoa(n)
		out.Executions = append(out.Executions, &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: temporalx.WorkflowID(c.of, name), RunId: "run-" + name},
		})
	}
	if to < c.workflows {
		out.NextPageToken = []byte(strconv.Itoa(to))
	} else {
		c.listed--
	}
	return out, nil
}

func (c *crowd) CancelWorkflow(context.Context, string, string) error { c.cancelled++; return nil }

func (c *crowd) ScheduleClient() client.ScheduleClient { return noSchedules{} }

type noSchedules struct{ client.ScheduleClient }

func (noSchedules) List(context.Context, client.ScheduleListOptions) (client.ScheduleListIterator, error) {
	return noSchedules{}, nil
}

func (noSchedules) HasNext() bool { return false }

func (noSchedules) Next() (*client.ScheduleListEntry, error) { panic("there is none") }

// beat is what a drainage says of itself in a heartbeat.
type beat struct {
	Jobs temporalx.DrainedJobs
	Told map[string]bool
}

// drain runs the activity, as the attempt that follows one whose last heartbeat is before, if
// that is not nil. It returns its own last heartbeat too.
func (l *life) drain(c *crowd, before *beat) (jobs temporalx.DrainedJobs, last beat, err error) {
	l.Helper()
	l.cfg.Client = c
	made, err := temporalx.NewLifecycle(l.cfg)
	require.NoError(l, err)
	env := suite().NewTestActivityEnvironment()
	env.SetTestTimeout(5 * time.Minute)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		last = beat{}
		assert.NoError(l, details.Get(&last))
	})
	if before != nil {
		env.SetHeartbeatDetails(*before)
	}
	made.Register(activitiesOf{env: env})
	value, err := env.ExecuteActivity("tenantwall.DrainTenant", deletion{Tenant: c.of, DrainTimeout: time.Hour})
	if err == nil {
		err = value.Get(&jobs)
	}
	return jobs, last, err
}

// activitiesOf registers activities alone.
type activitiesOf struct {
	worker.Registry
	env *testsuite.TestActivityEnvironment
}

func (activitiesOf) RegisterWorkflowWithOptions(any, workflow.RegisterOptions) {}

func (r activitiesOf) RegisterActivityWithOptions(fn any, options activity.RegisterOptions) {
	r.env.RegisterActivityWithOptions(fn, options)
}

var errListing = errors.New("no list")

// Row 45. An activity whose heartbeat is too large is failed for good by the server.
func TestRow45_ADrainageOfVeryManyJobsKeepsItsHeartbeatsSmall(t *testing.T) {
	t.Parallel()
	l := newLife(newSite(t))
	c := &crowd{of: tenant.NewID(), workflows: 12_000, listed: 2, then: errListing}
	_, last, err := l.drain(c, nil)
	require.ErrorContains(t, err, errListing.Error())
	assert.Equal(t, 12_000, c.cancelled, "each is told once")
	assert.Equal(t, beat{Jobs: temporalx.DrainedJobs{Cancelled: 12_000}}, last)
}

// Row 45.
func TestRow45_ADrainageThatFollowsAnotherTellsNobodyTwice(t *testing.T) {
	t.Parallel()
	l := newLife(newSite(t))
	c := &crowd{of: tenant.NewID(), workflows: 3, listed: 2, then: errListing}
	_, before, err := l.drain(c, nil)
	require.ErrorContains(t, err, errListing.Error())
	assert.Equal(t, beat{
		Jobs: temporalx.DrainedJobs{Cancelled: 3}, Told: map[string]bool{"run-0": true, "run-1": true, "run-2": true},
	}, before)

	c.listed, c.then = 1, nil
	jobs, _, err := l.drain(c, &before)
	require.NoError(t, err)
	assert.Equal(t, temporalx.DrainedJobs{Cancelled: 3}, jobs)
	assert.Equal(t, 3, c.cancelled)
}
