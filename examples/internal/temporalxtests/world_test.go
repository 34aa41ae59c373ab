//go:build !notes_lean

package temporalxtests

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestMain(m *testing.M) {
	// Workflows that wait stay in the SDK's cache, which the server's own workers share with
	// those of the tests: schedules, and what a test leaves waiting.
	temporaltest.Main(m, goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*coroutineState).run"))
}

// soon is how long is waited for what happens at once. That a refusal is final is seen by its
// attempts, see triedOnce, and not by a clock: a second attempt would come after a second.
const soon = 2 * time.Minute

// world is two tenants, a client and a worker with the plugin, and what was refused.
type world struct {
	testing.TB
	acme, beta tenant.Tenant
	store      *tenanttest.Store
	cfg        temporalx.Config
	client     client.Client
	queue      string

	mu      sync.Mutex
	refused []temporalx.Refusal
	saw     map[string][]seen // what activities have found, by workflow id
}

func newWorld(t testing.TB, set ...func(*temporalx.Config)) *world {
	t.Helper()
	w := &world{TB: t, store: tenanttest.NewStore(), saw: make(map[string][]seen), queue: temporaltest.Name(t, "queue")}
	w.acme, w.beta = w.tenant("acme-corp"), w.tenant("beta-industries")
	w.cfg = temporalx.Config{Store: w.store, Keys: []temporalx.Key{key("k1")}, OnRefused: func(r temporalx.Refusal) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refused = append(w.refused, r)
	}}
	for _, s := range set {
		s(&w.cfg)
	}
	w.client = temporaltest.Client(t, client.Options{Plugins: []client.Plugin{w.plugin(w.cfg)}})
	return w
}

func key(id string) temporalx.Key {
	secret := make([]byte, 32)
	copy(secret, id)
	return temporalx.Key{ID: id, Secret: secret}
}

func (w *world) plugin(cfg temporalx.Config) *temporal.SimplePlugin {
	w.Helper()
	plugin, err := temporalx.Plugin(cfg)
	require.NoError(w, err)
	return plugin
}

func (w *world) tenant(slug tenant.Slug) tenant.Tenant {
	w.Helper()
	t, err := w.store.Put(tenant.Tenant{Slug: slug, Plan: "pro"})
	require.NoError(w, err)
	return t
}

// as is a context of a request of a tenant.
func (w *world) as(t tenant.Tenant) context.Context {
	ctx := tenant.NewContext(w.Context(), t)
	ctx = tenant.NewPrincipalContext(ctx, tenant.Principal{Kind: tenant.User, ID: "ada", Email: "ada@acme.example", Tenant: t.ID})
	return tenant.NewRequestIDContext(ctx, "request-1")
}

// work runs a worker of a client, with all workflows and activities of the tests, until the
// test or the stop that is returned ends it.
func (w *world) work(c client.Client, queue string) (stop func()) {
	w.Helper()
	made := worker.New(c, queue, worker.Options{})
	for _, f := range []any{everything, again, failing, obedient, parent, single, alien} {
		made.RegisterWorkflow(f)
	}
	made.RegisterActivity(&activities{w})
	require.NoError(w, made.Start())
	stop = sync.OnceFunc(made.Stop)
	w.Cleanup(stop)
	return stop
}

// start starts a workflow for a tenant under a name.
func (w *world) start(ctx context.Context, id string, f any, args ...any) client.WorkflowRun {
	w.Helper()
	run, err := w.client.ExecuteWorkflow(ctx, w.options(id), f, args...)
	require.NoError(w, err)
	return run
}

func (w *world) options(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: id, TaskQueue: w.queue}
}

// id is a workflow id of a tenant that no other test has.
func (w *world) id(t tenant.Tenant, name string) string {
	return temporalx.WorkflowID(t.ID, temporaltest.Name(w, name))
}

// result waits for a workflow's result, and not for long. It asks again from time to time,
// for the server may lose the notice that a workflow has ended.
func (w *world) result(run client.WorkflowRun, into any) error {
	for end := time.Now().Add(soon); ; {
		ctx, stop := context.WithCancel(w.Context())
		again := time.AfterFunc(time.Second, stop)
		err := run.Get(ctx, into)
		again.Stop()
		renewed := ctx.Err() != nil
		stop()
		if !renewed || w.Context().Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

func (w *world) refusals(kind temporalx.Kind) []temporalx.Refusal {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []temporalx.Refusal
	for _, r := range w.refused {
		if r.Kind == kind {
			found = append(found, r)
		}
	}
	return found
}

// found is what the activities of a workflow have found, as far as they have begun.
func (w *world) found(workflowID string) []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.saw[workflowID])
}

// seen is what an activity finds in its context, and its workflow in its own.
type seen struct {
	Tenant    tenant.ID
	Principal tenant.Principal
	RequestID string
	System    string
	Plan      string             // as the activity's tenant has it now
	Workflow  temporalx.Identity // as it was carried; of an activity alone it is not known
}

// ofAcme is what an activity of acme's finds that [world.as] has started.
func (w *world) ofAcme() seen {
	ada := tenant.Principal{Kind: tenant.User, ID: "ada", Tenant: w.acme.ID}
	return seen{
		Tenant: w.acme.ID, RequestID: "request-1", Principal: ada, Plan: "pro",
		Workflow: temporalx.Identity{Tenant: w.acme.ID, Plan: "pro", RequestID: "request-1", Principal: ada},
	}
}

type activities struct{ w *world }

// Look tells for whom it runs.
func (a *activities) Look(ctx context.Context) (seen, error) {
	t, _ := tenant.FromContext(ctx)
	p, _ := tenant.PrincipalFromContext(ctx)
	reason, _ := temporalx.SystemReason(ctx)
	s := seen{Tenant: t.ID, Principal: p, RequestID: tenant.RequestIDFromContext(ctx), System: reason, Plan: t.Plan}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	a.w.saw[id] = append(a.w.saw[id], s)
	return s, nil
}

func brief(ctx workflow.Context) workflow.Context {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: soon})
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: soon})
}

func look(ctx workflow.Context) (seen, error) {
	var s seen
	err := workflow.ExecuteActivity(brief(ctx), (*activities).Look).Get(ctx, &s)
	s.Workflow, _ = temporalx.FromWorkflow(ctx)
	return s, err
}
