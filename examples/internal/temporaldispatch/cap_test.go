package temporaldispatch_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// many runs n activities at once.
func many(ctx workflow.Context, n int, options workflow.ActivityOptions) error {
	ctx = workflow.WithActivityOptions(ctx, options)
	futures := make([]workflow.Future, n)
	for i := range futures {
		futures[i] = workflow.ExecuteActivity(ctx, "work")
	}
	for _, f := range futures {
		if err := f.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// gauge counts the activities of each tenant that run at a time.
type gauge struct {
	mu        sync.Mutex
	now, most map[tenant.ID]int
	took      time.Duration
	pairs     map[tenant.ID]chan struct{} // closed when two of the tenant have run at a time
}

func (g *gauge) work(ctx context.Context) error {
	t, err := tenant.Require(ctx)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.now[t.ID]++
	if g.most[t.ID] < 2 && g.now[t.ID] == 2 {
		close(g.pairs[t.ID])
	}
	g.most[t.ID] = max(g.most[t.ID], g.now[t.ID])
	g.mu.Unlock()
	select { // the first one waits for another, however slow the machine is
	case <-g.pairs[t.ID]:
	case <-ctx.Done():
	}
	time.Sleep(g.took)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now[t.ID]--
	return nil
}

// Row 41.
func TestATenantRunsNoMoreActivitiesThanItsCap(t *testing.T) {
	t.Parallel()
	g := &gauge{now: make(map[tenant.ID]int), most: make(map[tenant.ID]int), took: 50 * time.Millisecond, pairs: make(map[tenant.ID]chan struct{})}
	slots, err := temporalx.NewCap(temporalx.CapConfig{PerTenant: 2, Plans: map[string]int{"pro": 4}, MaxRetry: time.Second})
	require.NoError(t, err)
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.Dispatch.Slots = slots })
	w.pool(temporalx.PoolConfig{Register: func(r worker.Registry, _ string) {
		r.RegisterWorkflow(many)
		r.RegisterActivityWithOptions(g.work, activityNamed("work"))
	}})
	for _, x := range []tenant.Tenant{w.acme, w.beta} {
		g.pairs[x.ID] = make(chan struct{})
	}
	var runs []client.WorkflowRun
	for _, x := range []tenant.Tenant{w.acme, w.beta} {
		run, err := w.client.ExecuteWorkflow(w.as(x), client.StartWorkflowOptions{ID: temporalx.WorkflowID(x.ID, "many")},
			many, 12, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		require.NoError(t, err)
		runs = append(runs, run)
	}
	for _, run := range runs {
		require.NoError(t, run.Get(t.Context(), nil), "a refusal is no failure")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// How many there are at once depends on the machine; how many there may be does not.
	assert.LessOrEqual(t, g.most[w.acme.ID], 4)
	assert.Equal(t, 2, g.most[w.beta.ID])
	assert.GreaterOrEqual(t, g.most[w.acme.ID], 2)
}

// full are slots of which there are none.
type full struct {
	asked atomic.Int32
	err   error
}

func (f *full) Acquire(context.Context, tenant.Tenant, string) (func(), time.Duration, error) {
	f.asked.Add(1)
	return nil, 10 * time.Millisecond, f.err
}

func TestTheLastAttemptOfAnActivityRunsAboveTheBound(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"refused": nil, "unknown": errors.New("connection refused")} {
		for _, attempts := range []int32{1, 3} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := &full{err: refusal}
				w := newWorld(t, func(cfg *temporalx.Config) { cfg.Dispatch.Slots = f })
				ran := new(atomic.Int32)
				w.pool(temporalx.PoolConfig{Register: func(r worker.Registry, _ string) {
					r.RegisterWorkflow(many)
					r.RegisterActivityWithOptions(func() error { ran.Add(1); return nil }, activityNamed("work"))
				}})
				ctx := w.as(w.acme)
				run, err := w.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: temporalx.WorkflowID(w.acme.ID, "last")},
					many, 1, workflow.ActivityOptions{
						StartToCloseTimeout: 10 * time.Second,
						RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: attempts, InitialInterval: 10 * time.Millisecond},
					})
				require.NoError(t, err)
				require.NoError(t, run.Get(ctx, nil))
				assert.Equal(t, attempts, f.asked.Load())
				assert.Equal(t, int32(1), ran.Load())
			})
		}
	}
}
