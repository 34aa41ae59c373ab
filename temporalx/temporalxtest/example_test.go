package temporalxtest_test

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/temporalx/temporalxtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// A workflow runs in the SDK's test environment as it would for a tenant's request.
func ExamplePrepare() {
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp", Name: "Acme Corp", Plan: "pro"})
	plugin, err := temporalx.Plugin(temporalx.Config{Store: store})
	if err != nil {
		panic(err)
	}
	acme, err := store.Lookup(context.Background(), tenant.BySlug("acme-corp"))
	if err != nil {
		panic(err)
	}

	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	ctx := tenant.NewContext(context.Background(), acme)
	if err := temporalxtest.Prepare(ctx, env, plugin, client.StartWorkflowOptions{}); err != nil {
		panic(err)
	}
	env.ExecuteWorkflow(func(ctx workflow.Context) (string, error) {
		who, _ := temporalx.FromWorkflow(ctx)
		return who.Plan, nil
	})
	var plan string
	fmt.Println(env.GetWorkflowResult(&plan), plan)
	// Output:
	// <nil> pro
}
