package temporaldispatch_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// crowd is a queue that one tenant has filled, and another that has little to do in it.
type crowd struct {
	queued     int           // activities of the noisy tenant
	task       time.Duration // how long each of them takes
	slots      int           // of the worker
	jobs       int           // of the small tenant: a workflow with one activity of smallTask
	every      time.Duration // between two of them
	unfair     bool          // the server
	partitions int           // of the queue; 0 is 1
	limit      *temporalx.CapConfig
}

// outcome is what came of it.
type outcome struct {
	took     []time.Duration // each of the small tenant's jobs, from its start to its end; sorted
	overtook []int           // how many activities of the noisy tenant ended meanwhile; sorted
	done     int             // of the noisy tenant's activities
	refused  int             // of their attempts
	lasted   time.Duration
}

const (
	smallTask = 20 * time.Millisecond

	// perWorkflow is how many activities a workflow of the noisy tenant has open; servers
	// allow 2000.
	perWorkflow = 250
)

func small(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, "small").Get(ctx, nil)
}

// counted counts the refusals of slots.
type counted struct {
	temporalx.Slots
	refused *atomic.Int64
}

func (c counted) Acquire(ctx context.Context, of tenant.Tenant, activityType string) (func(), time.Duration, error) {
	release, after, err := c.Slots.Acquire(ctx, of, activityType)
	if release == nil {
		c.refused.Add(1)
	}
	return release, after, err
}

// run fills the queue, lets a worker at it, and starts the small tenant's jobs, each at its
// time, whether or not those before are done.
func (c crowd) run(t *testing.T) outcome {
	t.Helper()
	server, err := temporalserver.Start(t.Context(), temporalserver.Config{WithoutFairness: c.unfair, Partitions: c.partitions})
	require.NoError(t, err)
	t.Cleanup(func() { temporaltest.Stop(t, server) })
	var done, refused atomic.Int64
	w := newWorldOn(t, server, func(cfg *temporalx.Config) {
		if c.limit != nil {
			bound, err := temporalx.NewCap(*c.limit)
			require.NoError(t, err)
			cfg.Dispatch.Slots = counted{bound, &refused}
		}
	})
	queue := w.routing.Queues[0]

	workflows := worker.New(w.client, queue, worker.Options{LocalActivityWorkerOnly: true, DeadlockDetectionTimeout: time.Minute})
	workflows.RegisterWorkflow(many)
	workflows.RegisterWorkflow(small)
	require.NoError(t, workflows.Start())
	t.Cleanup(func() {
		workflows.Stop()
		worker.PurgeStickyWorkflowCache() // what the noisy tenant has begun is never to end
	})
	c.fill(w, queue)

	activities := worker.New(w.client, queue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: c.slots, WorkerStopTimeout: time.Second,
	})
	activities.RegisterActivityWithOptions(func(ctx context.Context) error {
		select {
		case <-time.After(c.task):
			done.Add(1)
		case <-activity.GetWorkerStopChannel(ctx):
		}
		return nil
	}, activityNamed("work"))
	activities.RegisterActivityWithOptions(func(context.Context) error {
		time.Sleep(smallTask)
		return nil
	}, activityNamed("small"))
	require.NoError(t, activities.Start())
	t.Cleanup(activities.Stop)

	began := time.Now()
	o := c.send(w, &done)
	o.done, o.refused, o.lasted = int(done.Load()), int(refused.Load()), time.Since(began)
	return o
}

// fill has the noisy tenant schedule its activities, and waits until all are queued.
func (c crowd) fill(w *world, queue string) {
	w.Helper()
	for left, n := c.queued, 0; left > 0; left, n = left-perWorkflow, n+1 {
		_, err := w.client.ExecuteWorkflow(w.as(w.acme), client.StartWorkflowOptions{ID: temporalx.WorkflowID(w.acme.ID, fmt.Sprint("noisy-", n))},
			many, min(left, perWorkflow), workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		require.NoError(w, err)
	}
	require.EventuallyWithT(w, func(t *assert.CollectT) {
		found, err := w.client.WorkflowService().DescribeTaskQueue(w.Context(), &workflowservice.DescribeTaskQueueRequest{
			Namespace: client.DefaultNamespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue},
			TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
		})
		require.NoError(t, err)
		require.GreaterOrEqual(t, found.GetStats().GetApproximateBacklogCount(), int64(c.queued))
	}, 5*time.Minute, 100*time.Millisecond)
}

func (c crowd) send(w *world, done *atomic.Int64) (o outcome) {
	w.Helper()
	var mu sync.Mutex
	var jobs sync.WaitGroup
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for n := range c.jobs {
		<-tick.C
		jobs.Go(func() {
			began, before := time.Now(), done.Load()
			run, err := w.client.ExecuteWorkflow(w.as(w.beta), client.StartWorkflowOptions{ID: temporalx.WorkflowID(w.beta.ID, fmt.Sprint("small-", n))}, small)
			if !assert.NoError(w, err) || !assert.NoError(w, run.Get(w.Context(), nil)) {
				return
			}
			overtook := int(done.Load() - before)
			// The notice that it has ended may be late, see [temporalserver].
			found, err := w.client.DescribeWorkflowExecution(w.as(w.beta), run.GetID(), run.GetRunID())
			if !assert.NoError(w, err) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			o.took = append(o.took, found.GetWorkflowExecutionInfo().GetCloseTime().AsTime().Sub(began))
			o.overtook = append(o.overtook, overtook)
		})
	}
	jobs.Wait()
	slices.Sort(o.took)
	slices.Sort(o.overtook)
	return o
}

func at[E cmp.Ordered](sorted []E, share float64) E {
	return sorted[int(math.Ceil(share*float64(len(sorted))))-1] // the nearest rank
}

// Row 41. Counted in tasks, and not in time, so that a slow machine changes nothing.
func TestRow41_ANoisyTenantDoesNotStarveTheQueue(t *testing.T) {
	t.Parallel()
	c := crowd{queued: 400, task: 5 * time.Millisecond, slots: 4, jobs: 10, every: 30 * time.Millisecond}
	fair := c.run(t)
	assert.Less(t, at(fair.overtook, 0.5), 40, "%v", fair.overtook)

	c.unfair = true
	unfair := c.run(t)
	assert.Greater(t, at(unfair.overtook, 0.5), 150, "the control, a server without fairness, must starve it: %v", unfair.overtook)
}

// The figures of the documentation. It takes some minutes.
//
//nolint:paralleltest // what is measured is to be alone
func TestMeasureASmallTenantBehindANoisyOne(t *testing.T) {
	if os.Getenv("TENANTWALL_MEASURE") == "" {
		t.Skip("set TENANTWALL_MEASURE=1 to measure")
	}
	short := crowd{queued: 10_000, task: 20 * time.Millisecond, slots: 4, jobs: 60, every: 500 * time.Millisecond}
	long := crowd{queued: 10_000, task: 3 * time.Second, slots: 4, jobs: 30, every: 2 * time.Second}
	limit := &temporalx.CapConfig{PerTenant: 3, Activities: []string{"work"}, MaxRetry: 10 * time.Minute}
	for _, s := range []struct {
		name string
		set  func(c crowd) crowd
		of   crowd
	}{
		{"alone", func(c crowd) crowd { c.queued = 0; return c }, short},
		{"10,000 of 20 ms, without fairness", func(c crowd) crowd { c.unfair = true; return c }, short},
		{"10,000 of 20 ms, fair", func(c crowd) crowd { return c }, short},
		{"10,000 of 20 ms, fair, 4 partitions", func(c crowd) crowd { c.partitions = 4; return c }, short},
		{"10,000 of 3 s, fair", func(c crowd) crowd { return c }, long},
		{"10,000 of 3 s, fair, cap of 3", func(c crowd) crowd { c.limit = limit; return c }, long},
	} {
		t.Run(s.name, func(t *testing.T) {
			o := s.set(s.of).run(t)
			ms := func(share float64) time.Duration { return at(o.took, share).Round(time.Millisecond) }
			t.Logf("p50 %v, p90 %v, p99 %v, most %v; overtaken by %d at p50, %d at p99; the noisy tenant: %d done in %v, %d attempts refused",
				ms(0.5), ms(0.9), ms(0.99), ms(1), at(o.overtook, 0.5), at(o.overtook, 0.99), o.done, o.lasted.Round(time.Second), o.refused)
		})
	}
}
