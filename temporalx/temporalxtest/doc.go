// Package temporalxtest lets the SDK's test environment run workflows as a client and a
// worker with the plugin of package temporalx would: for a tenant, and with all refusals.
//
//	var suite testsuite.WorkflowTestSuite
//	env := suite.NewTestWorkflowEnvironment()
//	ctx := tenant.NewContext(t.Context(), acme)
//	err := temporalxtest.Prepare(ctx, env, plugin, client.StartWorkflowOptions{})
//	env.RegisterActivity(activities)
//	env.ExecuteWorkflow(Export, in)
//
// The environment for single activities has a workflow id of its own that can't be changed,
// so the plugin is not for it. What an activity needs is in its context, with or without it:
//
//	env := suite.NewTestActivityEnvironment()
//	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: tenant.NewContext(t.Context(), acme)})
package temporalxtest
