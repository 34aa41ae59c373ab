package temporaldispatch_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// world is two tenants and a client with the plugin.
type world struct {
	*testing.T
	store      *tenanttest.Store
	acme, beta tenant.Tenant
	client     client.Client
	routing    temporalx.Routing
}

// newWorld connects to the shared server, with a queue of the test's own.
func newWorld(t *testing.T, set ...func(*temporalx.Config)) *world {
	t.Helper()
	return newWorldOn(t, temporaltest.Server(t), set...)
}

func newWorldOn(t *testing.T, server *temporalserver.Server, set ...func(*temporalx.Config)) *world {
	t.Helper()
	w := &world{T: t, store: tenanttest.NewStore()}
	w.acme, w.beta = w.tenant("acme-corp", "pro"), w.tenant("beta-industries", "free")
	cfg := temporalx.Config{Store: w.store}
	cfg.Dispatch.Routing.Queues = []string{strings.ReplaceAll(temporaltest.Name(t, "work"), "/", "-")}
	for _, s := range set {
		s(&cfg)
	}
	w.routing = cfg.Dispatch.Routing
	plugin, err := temporalx.Plugin(cfg)
	require.NoError(t, err)
	w.client = temporaltest.Dial(t, server, client.Options{Plugins: []client.Plugin{plugin}})
	return w
}

func (w *world) tenant(slug tenant.Slug, plan string) tenant.Tenant {
	w.Helper()
	t, err := w.store.Put(tenant.Tenant{Slug: slug, Plan: plan})
	require.NoError(w, err)
	return t
}

func (w *world) as(t tenant.Tenant) context.Context { return tenant.NewContext(w.Context(), t) }

// pool serves all queues of the routing.
func (w *world) pool(cfg temporalx.PoolConfig) *temporalx.Pool {
	w.Helper()
	cfg.Routing = w.routing
	pool, err := temporalx.NewPool(w.client, cfg)
	require.NoError(w, err)
	w.Cleanup(pool.Close)
	require.NoError(w, pool.Start())
	return pool
}

func activityNamed(name string) activity.RegisterOptions { return activity.RegisterOptions{Name: name} }
