package temporalx_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Whoever starts work names a queue as ever; where it goes, plan and tenant decide.
func ExampleRouting() {
	routing := temporalx.Routing{
		Queues:  []string{"exports"},
		Default: temporalx.Tier{Shards: 4},
		Plans: map[string]temporalx.Tier{
			"pro":        {Name: "fast"},
			"enterprise": {PerTenant: true},
		},
	}
	acme, _ := tenant.ParseID("01890a5d-ac96-774b-bcce-b302099a8057")
	for _, of := range []temporalx.Identity{
		{Tenant: acme, Plan: "free"},
		{Tenant: acme, Plan: "pro"},
		{Tenant: acme, Plan: "enterprise"},
		{System: "close the month"},
	} {
		fmt.Println(routing.Queue("exports", of))
	}
	// Output:
	// exports/3
	// exports/tier/fast
	// exports/t/01890a5d-ac96-774b-bcce-b302099a8057
	// exports/system
}

// A service says once how tenants share, checks that the server plays along, and serves the
// queues.
func ExampleDispatch() {
	run := func(ctx context.Context, tenants tenant.Store, log *slog.Logger, register func(worker.Registry, string)) error {
		// No tenant has more than three exports running in this process.
		slots, err := temporalx.NewCap(temporalx.CapConfig{PerTenant: 3, Activities: []string{"Export"}})
		if err != nil {
			return err
		}
		dispatch := temporalx.Dispatch{
			Routing:  temporalx.Routing{Queues: []string{"exports"}},
			Fairness: map[string]temporalx.Fairness{"pro": {Weight: 5}, "free": {Weight: 1}},
			Slots:    slots,
		}
		plugin, err := temporalx.Plugin(temporalx.Config{Store: tenants, Dispatch: dispatch})
		if err != nil {
			return err
		}
		c, err := client.DialContext(ctx, client.Options{Plugins: []client.Plugin{plugin}})
		if err != nil {
			return err
		}
		defer c.Close()

		report, err := temporalx.CheckServer(ctx, c, temporalx.CheckConfig{Dispatch: dispatch})
		if err != nil {
			return err
		}
		if err := report.Err(); err != nil {
			log.WarnContext(ctx, "tenants do not share Temporal as they should", "error", err)
		}

		pool, err := temporalx.NewPool(c, temporalx.PoolConfig{
			Routing: dispatch.Routing, Register: register,
			Options: func(string) worker.Options {
				return worker.Options{MaxConcurrentActivityExecutionSize: 8, WorkerStopTimeout: 10 * time.Second}
			},
		})
		if err != nil {
			return err
		}
		defer pool.Close()
		if err := pool.Start(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	_ = run // it needs a server
	// Output:
}

// No tenant has more than two exports running in this process, but those on one plan. What is
// refused comes back by itself.
func ExampleCap() {
	ctx := context.Background()
	slots, err := temporalx.NewCap(temporalx.CapConfig{
		PerTenant:  2,
		Plans:      map[string]int{"enterprise": 5},
		Activities: []string{"Export"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a service: Dispatch.Slots, and the worker asks.
	acme := tenant.Tenant{ID: tenant.NewID(), Plan: "pro"}
	for range 3 {
		release, retryAfter, err := slots.Acquire(ctx, acme, "Export")
		fmt.Println(release != nil, retryAfter > 0, err)
	}
	beta := tenant.Tenant{ID: tenant.NewID(), Plan: "free"}
	release, _, _ := slots.Acquire(ctx, beta, "Export")
	fmt.Println(release != nil, slots.Running(acme.ID), slots.Running(beta.ID))
	// Output:
	// true false <nil>
	// true false <nil>
	// false true <nil>
	// true 2 1
}

// One process serves the queues that tenants share, and those of the tenants that have their
// own as they are found.
func ExamplePool() { //nolint:testableexamples // it needs a server
	var (
		c       client.Client // with the plugin
		tenants interface {   // a tenantdb.Catalog
			List(ctx context.Context, o tenantdb.ListOptions) iter.Seq2[tenant.Tenant, error]
		}
		routing = temporalx.Routing{ // the plugin's
			Queues: []string{"exports"},
			Plans:  map[string]temporalx.Tier{"enterprise": {PerTenant: true}},
		}
	)
	serve := func(ctx context.Context) error {
		pool, err := temporalx.NewPool(c, temporalx.PoolConfig{
			Routing: routing,
			Register: func(w worker.Registry, queue string) {
				w.RegisterWorkflow(Report) // on each queue, for all of them are of exports
			},
		})
		if err != nil {
			return err
		}
		defer pool.Close()
		if err := pool.Start(); err != nil {
			return err
		}
		for t, err := range tenants.List(ctx, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusActive}}) {
			if err != nil {
				return err
			}
			if err := pool.Serve(t); err != nil { // nothing to do for those who share
				return err
			}
		}
		<-ctx.Done() // and Serve, Leave as tenants come, go, and change their plans
		return nil
	}
	_ = serve
}

// A tenant's schedule, which only that tenant sees and changes.
func ExampleSchedules() { //nolint:testableexamples // it needs a server
	var (
		c   client.Client   // with the plugin
		ctx context.Context // of a request
	)
	nightly := func() error {
		t, err := tenant.Require(ctx)
		if err != nil {
			return err
		}
		_, err = temporalx.Schedules(c, "").Create(ctx, client.ScheduleOptions{
			ID:   temporalx.WorkflowID(t.ID, "nightly-report"),
			Spec: client.ScheduleSpec{CronExpressions: []string{"0 3 * * *"}},
			Action: &client.ScheduleWorkflowAction{
				ID: temporalx.WorkflowID(t.ID, "report"), TaskQueue: "reports", Workflow: Report,
			},
		})
		return err
	}
	_ = nightly
}

// A key for each tenant, out of master keys that are rotated.
func ExampleDerivedKeys() {
	masters := []temporalx.PayloadKey{
		{ID: "2026-11", Secret: make([]byte, temporalx.PayloadKeySize)}, // in truth from a secret store
		{ID: "2026-05", Secret: make([]byte, temporalx.PayloadKeySize)}, // reads what it has sealed
	}
	keys, err := temporalx.DerivedKeys(masters...)
	if err != nil {
		panic(err)
	}
	config := temporalx.Config{Encryption: &temporalx.Encryption{Keys: keys}}
	current, err := config.Encryption.Keys.Current(tenant.NewID())
	fmt.Println(current, err)
	// Output: payload key 2026-11 <nil>
}
