package temporalx_test

import (
	"context"
	"errors"
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

// seen is what an activity finds in its context.
type seen struct {
	Tenant    tenant.ID
	Status    tenant.Status
	Principal tenant.Principal
	RequestID string
	System    string
}

func look(ctx context.Context) (seen, error) {
	t, _ := tenant.FromContext(ctx)
	p, _ := tenant.PrincipalFromContext(ctx)
	reason, _ := temporalx.SystemReason(ctx)
	return seen{t.ID, t.Status, p, tenant.RequestIDFromContext(ctx), reason}, nil
}

func brief(ctx workflow.Context) workflow.Context {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Millisecond, MaximumAttempts: 3},
	})
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
}

// everywhere looks in each kind of work that a workflow starts.
func everywhere(ctx workflow.Context) (map[string]seen, error) {
	ctx = brief(ctx)
	all := make(map[string]seen)
	for _, begun := range []struct {
		name string
		workflow.Future
	}{
		{"activity", workflow.ExecuteActivity(ctx, look)},
		{"local activity", workflow.ExecuteLocalActivity(ctx, look)},
		{"child", workflow.ExecuteChildWorkflow(ctx, child)},
	} {
		var s seen
		if err := begun.Get(ctx, &s); err != nil {
			return nil, err
		}
		all[begun.name] = s
	}
	return all, nil
}

func child(ctx workflow.Context) (seen, error) {
	ctx = brief(ctx)
	var s seen
	err := workflow.ExecuteActivity(ctx, look).Get(ctx, &s)
	return s, err
}

// Row 39.
func TestRow39_EverythingThatAWorkflowStartsIsItsTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{})
	env.RegisterWorkflow(child)
	env.RegisterActivity(look)
	env.ExecuteWorkflow(everywhere)
	require.NoError(t, env.GetWorkflowError())

	var all map[string]seen
	require.NoError(t, env.GetWorkflowResult(&all))
	require.Len(t, all, 3)
	for name, s := range all {
		assert.Equal(t, seen{
			Tenant: w.acme.ID, Status: tenant.StatusActive, RequestID: "request-1",
			Principal: tenant.Principal{Kind: tenant.User, ID: "ada", Tenant: w.acme.ID},
		}, s, name)
	}
	assert.Empty(t, w.refused)
}

func TestAWorkflowKnowsForWhomItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *temporalx.Config) { cfg.CarryEmail = true })
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{ID: temporalx.WorkflowID(w.acme.ID, "export-1")})
	var id temporalx.Identity
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		id, _ = temporalx.FromWorkflow(ctx)
		return nil
	})
	require.NoError(t, env.GetWorkflowError())
	assert.Equal(t, temporalx.Identity{
		Tenant: w.acme.ID, Plan: "pro", RequestID: "request-1",
		Principal: tenant.Principal{Kind: tenant.User, ID: "ada", Email: "ada@acme.example", Tenant: w.acme.ID},
	}, id)
	assert.False(t, id.IsSystem())
}

// Row 40.
func TestRow40_AnActivityAsksForItsTenantAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(*world)
		set      func(*temporalx.Config)
		code     tenant.Code
		refused  bool
		attempts int
	}{
		"suspended": {
			change: func(w *world) { _, _ = w.store.SetStatus(w.acme.ID, tenant.StatusSuspended) },
			code:   tenant.CodeTenantSuspended, refused: true, attempts: 1,
		},
		"suspended, to be tried again": {
			change: func(w *world) { _, _ = w.store.SetStatus(w.acme.ID, tenant.StatusSuspended) },
			set:    func(cfg *temporalx.Config) { cfg.RetrySuspended = time.Second },
			code:   tenant.CodeTenantSuspended, refused: true, attempts: 3,
		},
		"deleted": {
			change: func(w *world) { _ = w.store.Delete(w.acme.ID) },
			code:   tenant.CodeTenantGone, refused: true, attempts: 1,
		},
		"being set up": {
			change: func(w *world) { _, _ = w.store.SetStatus(w.acme.ID, tenant.StatusProvisioning) },
			code:   tenant.CodeUnavailable, attempts: 3,
		},
		"unknown": {
			set:  func(cfg *temporalx.Config) { cfg.Store = otherStore{tenant.ErrNotFound} },
			code: tenant.CodeTenantNotFound, refused: true, attempts: 1,
		},
		"not to be told": {
			set:  func(cfg *temporalx.Config) { cfg.Store = otherStore{errStore} },
			code: tenant.CodeUnavailable, attempts: 3,
		},
		"another": {
			set:  func(cfg *temporalx.Config) { cfg.Store = otherStore{nil} },
			code: tenant.CodeUnavailable, attempts: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(cfg *temporalx.Config) {
				if c.set != nil {
					c.set(cfg)
				}
			})
			env := w.environment(w.as(w.acme), client.StartWorkflowOptions{})
			var ran atomic.Int32
			work := func(context.Context) error { ran.Add(1); return nil }
			env.RegisterActivity(work)
			if c.change != nil {
				c.change(w)
			}
			env.ExecuteWorkflow(func(ctx workflow.Context) error {
				return workflow.ExecuteActivity(brief(ctx), work).Get(ctx, nil)
			})
			err := env.GetWorkflowError()
			require.Error(t, err)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			for errors.As(app.Unwrap(), &app) { // the innermost
			}
			assert.Equal(t, string(c.code), app.Type())
			assert.NotContains(t, err.Error(), errStore.Error(), "what is wrong inside stands in the log, not in histories")
			code, refused := temporalx.Refused(err)
			assert.Equal(t, c.refused, refused)
			if refused {
				assert.Equal(t, c.code, code)
			}
			assert.Zero(t, ran.Load(), "the activity has not begun")
			assert.Len(t, w.refused, c.attempts)
		})
	}
}

// otherStore returns an error, or a tenant that was not asked for.
type otherStore struct{ err error }

func (s otherStore) Lookup(context.Context, tenant.Ref) (tenant.Tenant, error) {
	return tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive}, s.err
}

func TestTheSystemWorksForOneTenantAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.environment(temporalx.System(t.Context(), "bill all tenants"), client.StartWorkflowOptions{})
	env.RegisterWorkflow(child)
	env.RegisterActivity(look)
	env.ExecuteWorkflow(func(ctx workflow.Context, tenants []tenant.Tenant) (map[string][]seen, error) {
		all := make(map[string][]seen)
		ctx = brief(ctx)
		var own seen
		if err := workflow.ExecuteActivity(ctx, look).Get(ctx, &own); err != nil {
			return nil, err
		}
		all["system"] = []seen{own}
		for _, t := range tenants {
			within, err := temporalx.ForTenant(ctx, t)
			if err != nil {
				return nil, err
			}
			var a, b seen
			if err := workflow.ExecuteActivity(within, look).Get(ctx, &a); err != nil {
				return nil, err
			}
			if err := workflow.ExecuteChildWorkflow(within, child).Get(ctx, &b); err != nil {
				return nil, err
			}
			all[string(t.Slug)] = []seen{a, b}
		}
		_, err := temporalx.ForTenant(ctx, tenant.Tenant{})
		if !errors.Is(err, tenant.ErrRequired) {
			return nil, errors.New("a tenant that is none was taken")
		}
		return all, nil
	}, []tenant.Tenant{w.acme, w.beta})
	require.NoError(t, env.GetWorkflowError())

	var all map[string][]seen
	require.NoError(t, env.GetWorkflowResult(&all))
	assert.Equal(t, []seen{{System: "bill all tenants"}}, all["system"])
	for _, t2 := range []tenant.Tenant{w.acme, w.beta} {
		s := seen{Tenant: t2.ID, Status: tenant.StatusActive}
		assert.Equal(t, []seen{s, s}, all[string(t2.Slug)])
	}
}

func TestATenantsWorkflowStaysItsTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{})
	env.RegisterWorkflow(child)
	betas := temporalx.WorkflowID(w.beta.ID, "x")
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		_, err := temporalx.ForTenant(ctx, w.beta)
		assert.ErrorContains(t, err, "can't work for another tenant")
		for name, f := range map[string]workflow.Future{
			"a child":             workflow.ExecuteChildWorkflow(workflow.WithWorkflowID(ctx, betas), child),
			"a child of nobody's": workflow.ExecuteChildWorkflow(workflow.WithWorkflowID(ctx, "x"), child),
			"a child's beginning": workflow.ExecuteChildWorkflow(workflow.WithWorkflowID(ctx, betas), child).GetChildWorkflowExecution(),
			"a child's signal":    workflow.ExecuteChildWorkflow(workflow.WithWorkflowID(ctx, betas), child).SignalChildWorkflow(ctx, "x", nil),
			"a signal":            workflow.SignalExternalWorkflow(ctx, betas, "", "x", nil),
			"a cancellation":      workflow.RequestCancelExternalWorkflow(ctx, betas, ""),
			"one of the system's": workflow.SignalExternalWorkflow(ctx, temporalx.SystemWorkflowID("x"), "", "x", nil),
		} {
			code, refused := temporalx.Refused(f.Get(ctx, nil))
			assert.True(t, refused, name)
			assert.Equal(t, tenant.CodeTenantMismatch, code, name)
		}
		nexus := workflow.NewNexusClient("endpoint", "service").ExecuteOperation(ctx, "operation", nil, workflow.NexusOperationOptions{})
		assert.ErrorContains(t, nexus.Get(ctx, nil), "carry no tenant")
		assert.ErrorContains(t, nexus.GetNexusOperationExecution().Get(ctx, nil), "carry no tenant")
		return nil
	})
	require.NoError(t, env.GetWorkflowError())
}

func TestAWorkflowWithoutATenantFailsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{ID: temporalx.WorkflowID(w.acme.ID, "x")})
	env.SetHeader(nil)
	env.SetContextPropagators(propagators(t, w))
	ran := false
	env.ExecuteWorkflow(func(workflow.Context) error { ran = true; return nil })
	code, refused := temporalx.Refused(env.GetWorkflowError())
	assert.True(t, refused)
	assert.Equal(t, tenant.CodeTenantRequired, code)
	assert.False(t, ran)
	require.Len(t, w.refused, 1)
	assert.Equal(t, temporalx.KindWorkflow, w.refused[0].Kind)
	assert.Equal(t, temporalx.WorkflowID(w.acme.ID, "x"), w.refused[0].WorkflowID)
}

func propagators(t *testing.T, w *world) []workflow.ContextPropagator {
	t.Helper()
	var options client.Options
	require.NoError(t, w.plugin.ConfigureClient(t.Context(), client.PluginConfigureClientOptions{ClientOptions: &options}))
	return options.ContextPropagators
}

func TestMessagesOfATestComeFromItsTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow("go", "on") }, time.Second)
	env.RegisterDelayedCallback(func() {
		value, err := env.QueryWorkflow("whose")
		if assert.NoError(t, err) {
			var id tenant.ID
			assert.NoError(t, value.Get(&id))
			assert.Equal(t, w.acme.ID, id)
		}
	}, 500*time.Millisecond)
	env.ExecuteWorkflow(func(ctx workflow.Context) (string, error) {
		if err := workflow.SetQueryHandler(ctx, "whose", func() (tenant.ID, error) { return w.acme.ID, nil }); err != nil {
			return "", err
		}
		var said string
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, &said)
		return said, nil
	})
	require.NoError(t, env.GetWorkflowError())
	assert.Empty(t, w.refused)
}

func TestASignalWithoutATenantIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.environment(w.as(w.acme), client.StartWorkflowOptions{})
	env.SetContextPropagators(propagators(t, w)) // so that the test's own signals have no header
	env.RegisterDelayedCallback(func() { env.SignalWorkflow("go", "on") }, time.Second)
	env.RegisterDelayedCallback(func() {
		_, err := env.QueryWorkflow("whose")
		assert.ErrorContains(t, err, "carries no tenant")
	}, time.Second)
	env.ExecuteWorkflow(func(ctx workflow.Context) (bool, error) {
		if err := workflow.SetQueryHandler(ctx, "whose", func() (string, error) { return "", nil }); err != nil {
			return false, err
		}
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return false, err
		}
		return workflow.GetSignalChannel(ctx, "go").ReceiveAsync(new(string)), nil
	})
	require.NoError(t, env.GetWorkflowError())
	var received bool
	require.NoError(t, env.GetWorkflowResult(&received))
	assert.False(t, received)
	var kinds []temporalx.Kind
	for _, r := range w.refused {
		kinds = append(kinds, r.Kind)
	}
	assert.ElementsMatch(t, []temporalx.Kind{temporalx.KindSignal, temporalx.KindQuery}, kinds)
	assert.Equal(t, map[string]int64{"signal tenant_required": 1, "query tenant_required": 1}, w.counted.counts.by, "in the metrics")
}

func TestAnActivityOfATestHasItsTenantWithoutThePlugin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := suite().NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: w.as(w.acme)})
	env.RegisterActivity(look)
	value, err := env.ExecuteActivity(look)
	require.NoError(t, err)
	var s seen
	require.NoError(t, value.Get(&s))
	assert.Equal(t, w.acme.ID, s.Tenant)
}
