//go:build !notes_lean

package temporalxtests

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// house is a database for tenants, and a Lifecycle on a task queue of its own.
type house struct {
	*testing.T
	control *pgxpool.Pool
	catalog *tenantdb.Catalog
	db      *tenantdb.DB
	client  client.Client
	queue   string
	cfg     temporalx.LifecycleConfig
}

func newHouse(t *testing.T, server *temporalserver.Server) *house {
	t.Helper()
	made := sitetest.New(t)
	h := &house{T: t, control: made.Control(t), db: made.DB(t), queue: temporaltest.Name(t, "house")}
	h.catalog = made.Catalog(t, h.control, tenantdb.CatalogConfig{
		Migrations: fstest.MapFS{"0001_note.sql": {Data: []byte(`CREATE TABLE note (body text NOT NULL)`)}},
	})
	plugin, err := temporalx.Plugin(temporalx.Config{Store: h.catalog, Keys: []temporalx.Key{{ID: "test", Secret: make([]byte, 32)}}})
	require.NoError(t, err)
	h.client = temporaltest.Dial(t, server, client.Options{Plugins: []client.Plugin{plugin}})
	h.cfg = temporalx.LifecycleConfig{Catalog: h.catalog, Client: h.client, TaskQueue: h.queue, DrainTimeout: 10 * time.Second}
	return h
}

func (h *house) lifecycle() *temporalx.Lifecycle {
	h.Helper()
	l, err := temporalx.NewLifecycle(h.cfg)
	require.NoError(h, err)
	return l
}

// work runs a worker, until it is stopped.
func (h *house) work() worker.Worker {
	h.Helper()
	w := worker.New(h.client, h.queue, worker.Options{})
	h.lifecycle().Register(w)
	w.RegisterWorkflow(patient)
	w.RegisterWorkflow(stubborn)
	require.NoError(h, w.Start())
	h.Cleanup(w.Stop)
	return w
}

func (h *house) provision(slug tenant.Slug) temporalx.Provision {
	return temporalx.Provision{ID: tenant.NewID(), Slug: slug, Name: string(slug), Plan: "pro"}
}

func (h *house) status(id tenant.ID) (status string, schema bool) {
	h.Helper()
	require.NoError(h, h.control.QueryRow(h.Context(), `
		SELECT coalesce((SELECT status FROM tenantwall.tenant WHERE id = $1), 'none'),
		       EXISTS (SELECT FROM pg_namespace WHERE nspname = $2)`, id, tenantdb.SchemaName(id)).Scan(&status, &schema))
	return status, schema
}

// patient is a job that ends when it is told to, stubborn one that does not.
func patient(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }

func stubborn(ctx workflow.Context) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	return workflow.Sleep(ctx, time.Hour)
}

// record keeps a workflow's history for TestRecordedHistoriesAreReplayed of the library,
// when TENANTWALL_RECORD is set: after a change of the workflows that needs new ones.
func (h *house) record(name, workflowID string) {
	h.Helper()
	if os.Getenv("TENANTWALL_RECORD") == "" {
		return
	}
	recorded := &history.History{}
	for events := h.client.GetWorkflowHistory(h.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		require.NoError(h, err)
		recorded.Events = append(recorded.Events, e)
	}
	text, err := protojson.MarshalOptions{Multiline: true}.Marshal(recorded)
	require.NoError(h, err)
	require.NoError(h, os.WriteFile("../../../temporalx/testdata/histories/"+name+".json", text, 0o644))
}

func TestATenantIsProvisionedOnceByManyWhoAsk(t *testing.T) {
	t.Parallel()
	h := newHouse(t, temporaltest.Server(t))
	h.work()
	p := h.provision("acme-corp")
	answers := make(chan tenant.Tenant, 4)
	for range cap(answers) {
		go func() {
			it, err := h.lifecycle().Provision(t.Context(), p)
			assert.NoError(t, err)
			answers <- it
		}()
	}
	for range cap(answers) {
		it := <-answers
		assert.Equal(t, p.ID, it.ID)
		assert.Equal(t, tenant.StatusActive, it.Status)
	}
	_, err := h.lifecycle().Provision(t.Context(), h.provision("acme-corp"))
	require.ErrorIs(t, err, tenant.ErrSlugTaken)
	again, err := h.lifecycle().Provision(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, p.ID, again.ID)
	h.record("provision", temporalx.SystemWorkflowID("provision-"+p.ID.String()))
}

// Row 44.
func TestRow44_WhoeverWaitsNoLongerForATenantGetsNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, temporaltest.Server(t))
	begun := make(chan struct{}, 10)
	var undone atomic.Int64
	h.cfg.Before = func(context.Context, temporalx.Provision) error {
		begun <- struct{}{}
		return errors.New("the billing service is away")
	}
	h.cfg.Undo = func(context.Context, temporalx.Provision) error { undone.Add(1); return nil }
	h.work()
	p := h.provision("acme-corp")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := h.lifecycle().Provision(ctx, p)
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool {
		status, _ := h.status(p.ID)
		return status == "none"
	}, soon, 20*time.Millisecond)
	assert.Equal(t, int64(1), undone.Load())
	h.record("provision-undone", temporalx.SystemWorkflowID("provision-"+p.ID.String()))
}

// Row 44. The worker is stopped in the middle of each step, and the server restarted.
func TestRow44_AProvisioningOutlivesWorkersAndTheServer(t *testing.T) {
	t.Parallel()
	server, err := temporalserver.Start(t.Context(), temporalserver.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { temporaltest.Stop(t, server) })
	h := newHouse(t, server)
	begun, goOn := make(chan string, 10), make(chan struct{})
	h.cfg.Before = func(context.Context, temporalx.Provision) error {
		begun <- "before"
		<-goOn
		return nil
	}
	h.cfg.Undo = func(context.Context, temporalx.Provision) error { return nil }
	h.cfg.Seed = func(ctx context.Context, tx pgx.Tx, t tenant.Tenant, _ temporalx.Provision) error {
		_, err := tx.Exec(ctx, `INSERT INTO `+pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()+` (body) VALUES ('a seed')`)
		return err
	}
	w := h.work()
	p := h.provision("acme-corp")
	made := make(chan error, 1)
	go func() {
		_, err := h.lifecycle().Provision(t.Context(), p)
		made <- err
	}()
	require.Equal(t, "before", <-begun)
	require.NoError(t, server.Restart(t.Context()))
	stopped := make(chan struct{})
	go func() { w.Stop(); close(stopped) }()
	close(goOn)
	<-stopped
	h.work()
	select {
	case err := <-made:
		require.NoError(t, err)
	case <-time.After(soon):
		t.Fatal("the tenant was not made")
	}
	status, schema := h.status(p.ID)
	assert.Equal(t, "active", status)
	assert.True(t, schema)
	var seeds int
	require.NoError(t, h.control.QueryRow(t.Context(), `SELECT count(*) FROM `+pgx.Identifier{tenantdb.SchemaName(p.ID), "note"}.Sanitize()).Scan(&seeds))
	assert.Equal(t, 1, seeds, "whatever of it was begun twice")
}

// Row 45.
func TestRow45_ATenantIsDeletedWhileItsJobsRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t, temporaltest.Server(t))
	var exported atomic.Value
	h.cfg.Export = func(ctx context.Context, of tenant.Tenant) (string, error) {
		var n int
		err := h.db.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&n)
		exported.Store(n)
		return "s3://exports/" + of.ID.String(), err
	}
	h.work()
	l := h.lifecycle()
	gone, err := l.Provision(t.Context(), h.provision("gone-corp"))
	require.NoError(t, err)
	kept, err := l.Provision(t.Context(), h.provision("kept-corp"))
	require.NoError(t, err)
	_, err = h.db.As(gone).Exec(t.Context(), `INSERT INTO note (body) VALUES ('x')`)
	require.NoError(t, err)

	start := func(of tenant.Tenant, name string, job any) client.WorkflowRun {
		run, err := h.client.ExecuteWorkflow(tenant.NewContext(t.Context(), of), client.StartWorkflowOptions{
			ID: temporalx.WorkflowID(of.ID, name), TaskQueue: h.queue,
		}, job)
		require.NoError(t, err)
		return run
	}
	var theirs []client.WorkflowRun
	for _, name := range []string{"a", "b", "c"} {
		theirs = append(theirs, start(gone, name, patient))
	}
	deaf := start(gone, "deaf", stubborn)
	other := start(kept, "a", patient)
	for _, of := range []tenant.Tenant{gone, kept} {
		_, err = temporalx.Schedules(h.client, "").Create(tenant.NewContext(t.Context(), of), client.ScheduleOptions{
			ID:     temporalx.WorkflowID(of.ID, "nightly"),
			Spec:   client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
			Action: &client.ScheduleWorkflowAction{Workflow: patient, TaskQueue: h.queue},
		})
		require.NoError(t, err)
	}

	run, err := l.Delete(t.Context(), gone.ID, temporalx.DeleteOptions{AtOnce: true})
	require.NoError(t, err)
	again, err := l.Delete(t.Context(), gone.ID, temporalx.DeleteOptions{AtOnce: true})
	require.NoError(t, err)
	assert.Equal(t, run.GetRunID(), again.GetRunID(), "one at a time")
	var m temporalx.Manifest
	require.NoError(t, run.Get(t.Context(), &m))
	assert.Equal(t, temporalx.DrainedJobs{Cancelled: 4, Terminated: 1, Schedules: 1}, m.Jobs)
	assert.Equal(t, "s3://exports/"+gone.ID.String(), m.Export)
	assert.Equal(t, 1, exported.Load())
	status, schema := h.status(gone.ID)
	assert.Equal(t, "deleted", status)
	assert.False(t, schema)
	at, err := l.Deletion(t.Context(), gone.ID)
	require.NoError(t, err)
	assert.Equal(t, temporalx.Deletion{Step: temporalx.DeletionDone, Manifest: m}, at)
	for _, job := range theirs {
		err := job.Get(t.Context(), nil)
		assert.True(t, temporal.IsCanceledError(err), "%v", err)
	}
	require.ErrorContains(t, deaf.Get(t.Context(), nil), "terminated")
	h.record("delete", run.GetID())

	still, err := h.client.DescribeWorkflow(tenant.NewContext(t.Context(), kept), other.GetID(), "")
	require.NoError(t, err)
	assert.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, still.Status, "another tenant's job")
	_, err = temporalx.Schedules(h.client, "").GetHandle(t.Context(), temporalx.WorkflowID(kept.ID, "nightly")).Describe(tenant.NewContext(t.Context(), kept))
	require.NoError(t, err)
	require.NoError(t, h.client.TerminateWorkflow(tenant.NewContext(t.Context(), kept), other.GetID(), "", "the test is over"))
	require.NoError(t, temporalx.Schedules(h.client, "").GetHandle(t.Context(), temporalx.WorkflowID(kept.ID, "nightly")).Delete(tenant.NewContext(t.Context(), kept)))
}

// Row 45.
func TestRow45_TheGracePeriodCanBeEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, temporaltest.Server(t))
	h.work()
	l := h.lifecycle()
	it, err := l.Provision(t.Context(), h.provision("acme-corp"))
	require.NoError(t, err)
	require.Error(t, l.PurgeNow(t.Context(), it.ID), "nothing is deleted")
	_, err = l.Deletion(t.Context(), it.ID)
	require.Error(t, err)
	run, err := l.Delete(t.Context(), it.ID, temporalx.DeleteOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		at, err := l.Deletion(t.Context(), it.ID)
		return err == nil && at.Step == temporalx.DeletionWaits
	}, soon, 50*time.Millisecond)
	_, schema := h.status(it.ID)
	require.True(t, schema)
	require.NoError(t, l.PurgeNow(t.Context(), it.ID))
	require.NoError(t, run.Get(t.Context(), nil))
	_, schema = h.status(it.ID)
	assert.False(t, schema)
	h.record("delete-after-grace", run.GetID())
}

// Row 42.
func TestRow42_AllTenantsAreMigratedByAWorkflow(t *testing.T) {
	t.Parallel()
	server, err := temporalserver.Start(t.Context(), temporalserver.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { temporaltest.Stop(t, server) })
	h := newHouse(t, server) // there is one such workflow in a namespace
	h.work()
	l := h.lifecycle()
	_, err = l.Migration(t.Context())
	require.Error(t, err, "there was none")
	for _, slug := range []tenant.Slug{"aa", "bb", "cc"} {
		_, err := h.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "x"})
		require.NoError(t, err)
	}
	run, err := l.MigrateAll(t.Context(), temporalx.MigrateAllOptions{Page: 2})
	require.NoError(t, err)
	var done temporalx.Migration
	require.NoError(t, run.Get(t.Context(), &done))
	assert.Equal(t, 3, done.UpToDate)
	assert.Equal(t, 3, done.Total)
	progress, err := l.Migration(t.Context())
	require.NoError(t, err)
	assert.Equal(t, done, progress)
	h.record("migrate", run.GetID())
}
