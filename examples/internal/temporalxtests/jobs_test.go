//go:build !notes_lean

package temporalxtests

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// site is a database of tenants.
type site struct {
	catalog *tenantdb.Catalog
	db      *tenantdb.DB
	tenants []tenant.Tenant
}

func newSite(t *testing.T, tenants int) site {
	t.Helper()
	made := sitetest.New(t)
	s := site{db: made.DB(t, small)}
	s.catalog = made.Catalog(t, made.Control(t, small), tenantdb.CatalogConfig{
		Migrations: fstest.MapFS{"0001_mark.sql": {Data: []byte(`CREATE TABLE mark (job text PRIMARY KEY, tenant uuid NOT NULL)`)}},
	})
	s.tenants = make([]tenant.Tenant, tenants)
	var creating errgroup.Group
	creating.SetLimit(4)
	for n := range s.tenants {
		creating.Go(func() (err error) {
			s.tenants[n], err = s.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: tenant.Slug(fmt.Sprintf("tenant-%d", n)), Name: "Tenant"})
			return err
		})
	}
	require.NoError(t, creating.Wait())
	return s
}

// small has callers wait for connections, and tenants take turns on each.
func small(cfg *pgxpool.Config) { cfg.MaxConns = 8 }

// job marks its tenant's table, in an activity that fails now and then.
func job(ctx workflow.Context, name string, meant tenant.ID) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Second, // what a worker that is stopped had begun
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond, BackoffCoefficient: 1},
	})
	return workflow.ExecuteActivity(ctx, (*marks).Mark, name, meant).Get(ctx, nil)
}

// marks are the activities of jobs.
type marks struct {
	db               *tenantdb.DB
	crossed, retried atomic.Int64
}

var errUnlucky = errors.New("bad luck")

// Mark writes the tenant that it finds in its context into the tenant's own table, and
// reads it back. Its input says whose it is meant to be.
func (m *marks) Mark(ctx context.Context, name string, meant tenant.ID) error {
	t, err := tenant.Require(ctx)
	if err != nil {
		return temporal.NewNonRetryableApplicationError("no tenant", "no_tenant", err)
	}
	if rand.N(10) < 3 {
		m.retried.Add(1)
		return errUnlucky
	}
	if _, err := m.db.Exec(ctx, `INSERT INTO mark (job, tenant) VALUES ($1, $2) ON CONFLICT (job) DO NOTHING`, name, t.ID); err != nil {
		return err
	}
	if rand.N(10) < 2 {
		m.retried.Add(1)
		return errUnlucky
	}
	var found tenant.ID
	if err := m.db.QueryRow(ctx, `SELECT tenant FROM mark WHERE job = $1`, name).Scan(&found); err != nil {
		return err
	}
	if found != t.ID || t.ID != meant {
		m.crossed.Add(1)
	}
	return nil
}

// envJobs is how many jobs run; the long form, "make torture", has 1000.
const envJobs = "TENANTWALL_TEMPORAL_JOBS"

func TestRow39_JobsOfFiftyTenantsNeverCross(t *testing.T) {
	t.Parallel()
	const tenants = 50
	jobs := 100
	if n, err := strconv.Atoi(os.Getenv(envJobs)); err == nil {
		jobs = n - n%tenants
	}
	s := newSite(t, tenants)
	plugin, err := temporalx.Plugin(temporalx.Config{Store: s.catalog, Keys: []temporalx.Key{key("k1")}})
	require.NoError(t, err)
	c := temporaltest.Client(t, client.Options{Plugins: []client.Plugin{plugin}})
	queue := temporaltest.Name(t, "jobs")
	m := &marks{db: s.db}

	done := make(chan struct{})
	var group errgroup.Group
	for range 2 {
		group.Go(func() error { return restartWorkers(c, queue, m, done) })
	}
	var starting errgroup.Group
	starting.SetLimit(25)
	for n := range jobs {
		starting.Go(func() error {
			in := s.tenants[n%tenants]
			name := fmt.Sprintf("job-%d", n)
			ctx := tenant.NewContext(t.Context(), in)
			options := client.StartWorkflowOptions{ID: temporalx.WorkflowID(in.ID, name), TaskQueue: queue, WorkflowTaskTimeout: 2 * time.Second}
			run, err := c.ExecuteWorkflow(ctx, options, job, name, in.ID)
			for tries := 0; errors.Is(err, context.DeadlineExceeded) && tries < 5; tries++ { // the id makes it the same job
				run, err = c.ExecuteWorkflow(ctx, options, job, name, in.ID)
			}
			if err != nil {
				return err
			}
			return run.Get(ctx, nil)
		})
	}
	err = starting.Wait()
	close(done)
	require.NoError(t, err)
	require.NoError(t, group.Wait())

	assert.Zero(t, m.crossed.Load(), "jobs that found another tenant than theirs")
	assert.Greater(t, m.retried.Load(), int64(jobs/10), "bad luck is part of the test")
	for n, in := range s.tenants {
		rows, err := s.db.As(in).Query(t.Context(), `SELECT tenant FROM mark`)
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowTo[tenant.ID])
		require.NoError(t, err)
		assert.Len(t, found, jobs/tenants, "tenant %d", n)
		for _, id := range found {
			assert.Equal(t, in.ID, id, "tenant %d", n)
		}
	}
}

// restartWorkers runs one worker after the other, none for long, and none that finishes
// what it has begun.
func restartWorkers(c client.Client, queue string, m *marks, done <-chan struct{}) error {
	for {
		w := worker.New(c, queue, worker.Options{
			StickyScheduleToStartTimeout: 100 * time.Millisecond, // what the last worker was to go on with
		})
		w.RegisterWorkflow(job)
		w.RegisterActivity(m)
		if err := w.Start(); err != nil {
			return err
		}
		select {
		case <-done:
			w.Stop()
			return nil
		case <-time.After(2*time.Second + rand.N(2*time.Second)):
			w.Stop()
		}
	}
}
