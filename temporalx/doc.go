// Package temporalx keeps the tenant in Temporal: whatever is started for a tenant runs
// for that tenant and no other, in workflows, in activities, and in all that they start.
//
// One plugin does it, for the client and for the workers that are made of it:
//
//	plugin, err := temporalx.Plugin(temporalx.Config{
//		Store: catalog,                            // who the tenants are, asked by each activity
//		Keys:  []temporalx.Key{{ID: "2026-11", Secret: secret}}, // optional: signs what is carried
//	})
//	c, err := client.Dial(client.Options{Plugins: []client.Plugin{plugin}})
//
// A request's handler starts work as always. The tenant is taken from the context, and the
// workflow id says it once more:
//
//	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
//		ID:        temporalx.WorkflowID(t.ID, "export-"+id),
//		TaskQueue: "exports",
//	}, Export, in)
//
// The worker is one of the same client. An activity finds its tenant in its context, as a
// handler does, so that sessions of tenantdb are the tenant's; [InTx] makes one of a function
// that has a transaction of it:
//
//	func (a *Activities) ReadNotes(ctx context.Context, in In) (Out, error) {
//		rows, err := a.DB.Query(ctx, "SELECT … FROM note")
//
// A workflow, should it need to know, asks [FromWorkflow].
//
// # What is carried
//
// The tenant's id and plan, the request's id, and who acts ([Identity]) go with start,
// signal-with-start, update-with-start, signal, query and update, and from a workflow to
// its activities, local activities, children, signals to others, its next run
// (continue-as-new, cron, retry) and the runs of a schedule.
//
// # What is refused
//
//   - Work that is started without a tenant, or with the workflow id of another, by the
//     client: nothing is sent.
//   - A workflow or activity whose header is missing, malformed, forged, or of another tenant
//     than the workflow id: it fails at its first attempt, without a retry.
//   - An activity whose tenant is suspended, deleted or unknown by then, as the store says.
//   - A query or update of another tenant, by an error; a signal of another tenant is dropped
//     and counted, and its workflow is none the worse.
//   - Nexus operations, which carry no tenant: [ErrNexus].
//
// What a refusal looks like to those who wait for the result, [Refused] tells. It is a code
// of package tenant, or [CodeTenantForged]. An activity whose tenant the store could not look
// up is no refusal: it is tried again. [Config.OnRefused] is told of all, for a metric.
//
// # Work of no tenant
//
// Work for the product itself, such as making a tenant, says why there is none:
//
//	ctx = temporalx.System(ctx, "provision a tenant")
//	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: temporalx.SystemWorkflowID("provision-"+slug)}, …)
//
// Its workflow takes one tenant after the other by [ForTenant].
//
// # How tenants share
//
// Whoever starts work names a queue as ever; [Config.Dispatch] decides where it goes
// ([Routing]: one queue for all, shards, tiers by plan, or one for each tenant), in which
// order ([Fairness]), and how much of it runs at a time ([Slots], by [NewCap] in one process).
// A [Pool] runs the workers of all the queues. Servers ignore fairness keys without a word
// unless fairness is turned on, so have [CheckServer] look when a service starts.
//
// # Lives of tenants
//
// A [Lifecycle] makes, deletes and migrates tenants by workflows that go on after a crash.
// Its tenants are those of a [tenantdb.Catalog].
//
// # Schedules, payloads, tests
//
// [Schedules] is the client of schedules to use, for the SDK's own drops the tenant of one
// that is updated. [Encryption] seals payloads with a key of each tenant. Package temporalxtest
// is for workflows in the SDK's test environment, and [RegisterForReplay] for a replayer that
// checks the histories of this package's workflows.
//
// # Waiting for the end
//
// The SDK's run.Get asks the server for the end of a workflow, and the server can lose the
// notice of it: then Get waits for as long as the server holds a question open, 20 seconds
// unless it is told otherwise, though the workflow has ended. [Lifecycle.Provision] asks again
// each second. A handler that waits for a short workflow does well to do the same.
//
// # Limits
//
// Without [Config.Keys] whoever may write to the namespace is trusted; with them, inputs are
// still not signed. Local activities are not counted by Slots. A worker costs about 1.75 MB
// and 114 goroutines. What this package returns is safe for concurrent use; a [Pool] is to be
// closed, before its client.
package temporalx
