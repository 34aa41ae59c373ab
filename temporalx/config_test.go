package temporalx_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/temporalx/temporalxtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore()
	for says, cfg := range map[string]temporalx.Config{
		"Store is nil":             {},
		"RetrySuspended is 1ms":    {Store: store, RetrySuspended: time.Millisecond},
		"RetrySuspended is 25h":    {Store: store, RetrySuspended: 25 * time.Hour},
		"RetrySuspended is -1s":    {Store: store, RetrySuspended: -time.Second},
		"LookupTimeout is 1m1s":    {Store: store, LookupTimeout: time.Minute + time.Second},
		"LookupTimeout is -1s":     {Store: store, LookupTimeout: -time.Second},
		"the setting Keys: the ID": {Store: store, Keys: []temporalx.Key{{}}},
	} {
		_, err := temporalx.Plugin(cfg)
		assert.ErrorContains(t, err, says)
	}
}

func TestATestIsToldWhatAClientWouldBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := suite().NewTestWorkflowEnvironment()
	assert.ErrorIs(t, temporalxtest.Prepare(t.Context(), env, w.plugin, client.StartWorkflowOptions{}), tenant.ErrRequired)
	err := temporalxtest.Prepare(w.as(w.acme), env, w.plugin, client.StartWorkflowOptions{ID: temporalx.WorkflowID(w.beta.ID, "x")})
	assert.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeTenantMismatch})
	require.Error(t, temporalxtest.Prepare(w.as(w.acme), nil, w.plugin, client.StartWorkflowOptions{}))
	require.Error(t, temporalxtest.Prepare(w.as(w.acme), env, nil, client.StartWorkflowOptions{}))
}
