package temporalx_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/temporalx/temporalxtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestMain(m *testing.M) {
	// The SDK's environment forgets an activity that is cancelled between two attempts.
	forgotten := "go.temporal.io/sdk/internal.(*testWorkflowEnvironmentImpl)."
	pgtest.Main(m, goleak.IgnoreAnyFunction(forgotten+"executeActivityWithRetryForTest"), goleak.IgnoreAnyFunction(forgotten+"ExecuteActivity.func2"))
}

// world is two tenants, a plugin, and what it has refused.
type world struct {
	*testing.T
	acme, beta tenant.Tenant
	store      *tenanttest.Store
	plugin     *temporal.SimplePlugin

	mu      sync.Mutex
	refused []temporalx.Refusal
	counted counters
}

func newWorld(t *testing.T, set ...func(*temporalx.Config)) *world {
	t.Helper()
	w := &world{T: t, store: tenanttest.NewStore(), counted: counters{counts: new(counts)}}
	w.acme, w.beta = w.tenant("acme-corp"), w.tenant("beta-industries")
	cfg := temporalx.Config{
		Store: w.store,
		Keys:  []temporalx.Key{{ID: "k1", Secret: make([]byte, 32)}},
		OnRefused: func(r temporalx.Refusal) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refused = append(w.refused, r)
		},
	}
	for _, s := range set {
		s(&cfg)
	}
	var err error
	w.plugin, err = temporalx.Plugin(cfg)
	require.NoError(t, err)
	return w
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
	ctx = tenant.NewPrincipalContext(ctx, tenant.Principal{Kind: tenant.User, ID: "ada", Email: "ada@acme.example", Role: "owner", Tenant: t.ID})
	return tenant.NewRequestIDContext(ctx, "request-1")
}

// environment runs a workflow that is started in ctx.
func (w *world) environment(ctx context.Context, options client.StartWorkflowOptions) *testsuite.TestWorkflowEnvironment {
	w.Helper()
	s := suite()
	s.SetMetricsHandler(w.counted)
	env := s.NewTestWorkflowEnvironment()
	require.NoError(w, temporalxtest.Prepare(ctx, env, w.plugin, options))
	return env
}

func suite() *testsuite.WorkflowTestSuite {
	s := new(testsuite.WorkflowTestSuite)
	s.SetLogger(quiet{})
	return s
}

// counters is a handler of metrics that keeps what is counted of refusals.
type counters struct {
	tags   map[string]string
	counts *counts
}

type counts struct {
	mu sync.Mutex
	by map[string]int64 // kind and code
}

func (c counters) WithTags(tags map[string]string) client.MetricsHandler {
	merged := maps.Clone(tags)
	for name, value := range c.tags {
		if _, given := merged[name]; !given {
			merged[name] = value
		}
	}
	return counters{tags: merged, counts: c.counts}
}

func (c counters) Counter(name string) client.MetricsCounter {
	if name != "tenantwall_refused" {
		return client.MetricsNopHandler.Counter(name)
	}
	return c
}

func (c counters) Gauge(name string) client.MetricsGauge { return client.MetricsNopHandler.Gauge(name) }

func (c counters) Timer(name string) client.MetricsTimer { return client.MetricsNopHandler.Timer(name) }

func (c counters) Inc(n int64) {
	c.counts.mu.Lock()
	defer c.counts.mu.Unlock()
	if c.counts.by == nil {
		c.counts.by = make(map[string]int64)
	}
	c.counts.by[c.tags["kind"]+" "+c.tags["code"]] += n
}

// quiet is a logger of the SDK's that says nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// outbound is the plugin's client, in front of one that answers all.
func (w *world) outbound(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	w.Helper()
	var options client.Options
	require.NoError(w, w.plugin.ConfigureClient(w.Context(), client.PluginConfigureClientOptions{ClientOptions: &options}))
	out := next
	for _, i := range slices.Backward(options.Interceptors) {
		out = i.InterceptClient(out)
	}
	return out
}

var errStore = errors.New("connection refused")
