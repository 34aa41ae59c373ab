package temporalx_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestSettingsOfAPoolAreChecked(t *testing.T) {
	t.Parallel()
	register := func(worker.Registry, string) {}
	work := temporalx.Routing{Queues: []string{"work"}}
	for want, cfg := range map[string]temporalx.PoolConfig{
		"Routing.Queues is empty": {Register: register},
		"Register is nil":         {Routing: work},
		"MaxWorkers is -1":        {Routing: work, Register: register, MaxWorkers: -1},
		"MaxWorkers is 10001":     {Routing: work, Register: register, MaxWorkers: 10_001},
		"name 1 must have":        {Routing: temporalx.Routing{Queues: []string{"a/b"}}, Register: register},
	} {
		_, err := temporalx.NewPool(nil, cfg)
		assert.ErrorContains(t, err, want)
	}
}

func TestAPoolStopsAtItsBoundAndWhenItIsClosed(t *testing.T) {
	t.Parallel()
	c, err := client.NewLazyClient(client.Options{Logger: quiet{}})
	require.NoError(t, err)
	defer c.Close()
	pool, err := temporalx.NewPool(c, temporalx.PoolConfig{
		Routing:  temporalx.Routing{Queues: []string{"work"}, Default: temporalx.Tier{PerTenant: true}},
		Register: func(worker.Registry, string) {},
		Only:     func(queue string) bool { return queue != "work/system" },
	})
	require.NoError(t, err)
	require.NoError(t, pool.Start(), "none of the queues is this process's")
	assert.Empty(t, pool.Queues())
	pool.Leave(tenant.NewID())
	pool.Close()
	pool.Close()
	require.ErrorIs(t, pool.Serve(active("")), temporalx.ErrPoolClosed)
}
