package temporalx_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/temporalx/temporalxtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// Greet is a workflow, and Hello its activity: the tenant is in its context.
func Greet(ctx workflow.Context) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var said string
	err := workflow.ExecuteActivity(ctx, Hello).Get(ctx, &said)
	return said, err
}

func Hello(ctx context.Context) (string, error) {
	t, err := tenant.Require(ctx)
	if err != nil {
		return "", err
	}
	return "hello " + string(t.Slug), nil
}

// A workflow and its activity run for the tenant in whose context they were started.
func ExamplePlugin() {
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	plugin, err := temporalx.Plugin(temporalx.Config{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	acme, _ := store.Lookup(context.Background(), tenant.BySlug("acme-corp"))

	// In a service: c, err := client.Dial(client.Options{Plugins: []client.Plugin{plugin}}),
	// worker.New(c, …) and c.ExecuteWorkflow(ctx, options, Greet).
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	ctx := tenant.NewContext(context.Background(), acme)
	options := client.StartWorkflowOptions{ID: temporalx.WorkflowID(acme.ID, "greet")}
	if err := temporalxtest.Prepare(ctx, env, plugin, options); err != nil {
		fmt.Println(err)
		return
	}
	env.RegisterActivity(Hello)
	env.ExecuteWorkflow(Greet)
	var said string
	fmt.Println(env.GetWorkflowResult(&said), said)

	// Without a tenant nothing is started.
	err = temporalxtest.Prepare(context.Background(), suite.NewTestWorkflowEnvironment(), plugin, client.StartWorkflowOptions{})
	fmt.Println(errors.Is(err, tenant.ErrRequired))
	// Output:
	// <nil> hello acme-corp
	// true
}

// Work that is no tenant's says why.
func ExampleSystem() {
	ctx := temporalx.System(context.Background(), "nightly bills")
	reason, system := temporalx.SystemReason(ctx)
	fmt.Println(reason, system)
	fmt.Println(temporalx.SystemWorkflowID("bills"))
	// Output:
	// nightly bills true
	// system/bills
}

// Who waits for a result is told why work was refused.
func ExampleRefused() {
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	acme, _ := store.Lookup(context.Background(), tenant.BySlug("acme-corp"))
	plugin, _ := temporalx.Plugin(temporalx.Config{Store: store})
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	if err := temporalxtest.Prepare(tenant.NewContext(context.Background(), acme), env, plugin, client.StartWorkflowOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	env.RegisterActivity(Hello)
	_, _ = store.SetStatus(acme.ID, tenant.StatusSuspended) // after it was started
	env.ExecuteWorkflow(Greet)
	code, refused := temporalx.Refused(env.GetWorkflowError())
	fmt.Println(code, refused)
	// Output: tenant_suspended true
}
