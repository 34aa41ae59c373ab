package temporalx_test

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// A job of a tenant: a workflow, and an activity whose statements see that tenant's tables
// alone. Neither names the tenant.
func CountNotes(ctx context.Context, tx pgx.Tx, _ struct{}) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&n)
	return n, err
}

func Report(ctx workflow.Context) (n int, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	err = workflow.ExecuteActivity(ctx, "CountNotes", struct{}{}).Get(ctx, &n)
	return n, err
}

// The worker is made of a client with the plugin. A request's handler starts the job, in
// the context in which its tenant was found.
func Example_tenantJob() { //nolint:testableexamples // it needs a server
	var (
		c   client.Client   // dialled with Plugins: []client.Plugin{plugin}
		db  *tenantdb.DB    // as the gateway
		ctx context.Context // of a request
	)
	serve := func() error {
		w := worker.New(c, "reports", worker.Options{})
		w.RegisterWorkflow(Report)
		w.RegisterActivityWithOptions(temporalx.InTx(db, CountNotes), activity.RegisterOptions{Name: "CountNotes"})
		return w.Run(worker.InterruptCh())
	}
	start := func() error {
		t, err := tenant.Require(ctx)
		if err != nil {
			return err
		}
		_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: temporalx.WorkflowID(t.ID, "report"), TaskQueue: "reports"}, Report)
		return err
	}
	_, _ = serve, start
}

// Tenants are made, deleted and migrated by workflows, which go on after a crash.
func ExampleLifecycle() { //nolint:testableexamples // it needs a server
	var (
		c       client.Client // with the plugin
		catalog *tenantdb.Catalog
		ctx     context.Context
	)
	lives, err := temporalx.NewLifecycle(temporalx.LifecycleConfig{
		Catalog:   catalog,
		Client:    c,
		TaskQueue: "tenants",
		Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant, p temporalx.Provision) error {
			return nil // make p.Args, who asked for the tenant, its owner
		},
		Export: func(ctx context.Context, t tenant.Tenant) (string, error) {
			return "s3://exports/" + t.ID.String(), nil // what a session in ctx has read
		},
	})
	if err != nil {
		return // Catalog and Client are nil here
	}
	w := worker.New(c, "tenants", worker.Options{})
	lives.Register(w)

	acme, err := lives.Provision(ctx, temporalx.Provision{Slug: "acme-corp", Name: "Acme Corp"})
	if err != nil {
		return
	}
	_, _ = lives.Delete(ctx, acme.ID, temporalx.DeleteOptions{AtOnce: true})
}
