package temporalx_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// deletion is what the workflow is started with.
type deletion struct {
	Tenant              tenant.ID
	Grace, DrainTimeout time.Duration
}

// newDeletion is a Lifecycle with a tenant that has a note.
func newDeletion(t *testing.T) (*life, tenant.Tenant) {
	t.Helper()
	l := newLife(newSite(t))
	it := l.tenant("acme-corp")
	_, err := l.db.As(it).Exec(t.Context(), `INSERT INTO note (body) VALUES ('kept')`)
	require.NoError(t, err)
	return l, it
}

// drained makes the environment, which has no jobs, tell of one that was cancelled.
func drained(env *testsuite.TestWorkflowEnvironment) {
	env.OnActivity("tenantwall.DrainTenant", mock.Anything, mock.Anything).Return(temporalx.DrainedJobs{Cancelled: 1}, nil)
}

func (l *life) delete(env *testsuite.TestWorkflowEnvironment, d deletion) (m temporalx.Manifest, err error) {
	l.Helper()
	drained(env)
	env.ExecuteWorkflow("tenantwall.DeleteTenant", d)
	require.True(l, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return m, err
	}
	require.NoError(l, env.GetWorkflowResult(&m))
	return m, nil
}

// Row 45.
func TestRow45_ADeletionGoesOnAfterACrashBehindEachStep(t *testing.T) {
	t.Parallel()
	for _, crash := range []string{"", "CloseTenant", "ExportTenant", "RemainsOfTenant", "PurgeTenant", "TellManifest"} {
		t.Run("crash behind "+crash, func(t *testing.T) {
			t.Parallel()
			l, it := newDeletion(t)
			l.losing = crash
			var told temporalx.Manifest
			l.cfg.Export = func(ctx context.Context, of tenant.Tenant) (string, error) {
				status, _ := l.status(of.ID)
				assert.Equal(t, "deleted", status, "nobody else is let in any more")
				var body string
				err := l.db.QueryRow(ctx, `SELECT body FROM note`).Scan(&body)
				return "export of " + string(of.Slug) + ": " + body, err
			}
			l.cfg.Deleted = func(_ context.Context, m temporalx.Manifest) error { told = m; return nil }
			m, err := l.delete(l.environment(), deletion{Tenant: it.ID})
			require.NoError(t, err)

			status, schema := l.status(it.ID)
			assert.Equal(t, "deleted", status, "a tombstone")
			assert.False(t, schema)
			assert.Equal(t, m, told)
			name := tenantdb.SchemaName(it.ID)
			assert.Equal(t, temporalx.Manifest{
				Tenant: it.ID, Slug: string(it.Slug), Plan: it.Plan, ClosedAt: m.ClosedAt, PurgedAt: m.PurgedAt,
				Jobs: temporalx.DrainedJobs{Cancelled: 1}, Export: "export of acme-corp: kept", Removed: m.Removed,
			}, m)
			assert.Equal(t, name, m.Removed.Schema)
			assert.Equal(t, name, m.Removed.Role)
			assert.Positive(t, m.Removed.Count)
			assert.False(t, m.ClosedAt.IsZero() || m.PurgedAt.Before(m.ClosedAt))
			_, err = l.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: it.Slug, Name: "x"})
			require.ErrorIs(t, err, tenant.ErrSlugTaken)
		})
	}
}

// Row 45.
func TestRow45_ADeletionWaitsForTheGracePeriod(t *testing.T) {
	t.Parallel()
	for name, now := range map[string]bool{"to its end": false, "until somebody ends it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var env *testsuite.TestWorkflowEnvironment
			l := newLife(newSite(t, func(c *tenantdb.CatalogConfig) {
				c.Now = func() time.Time {
					if env == nil {
						return time.Now()
					}
					return env.Now()
				}
			}))
			it := l.tenant("acme-corp")
			env = l.environment()
			grace := 30 * 24 * time.Hour
			env.RegisterDelayedCallback(func() {
				value, err := env.QueryWorkflow("deletion")
				require.NoError(t, err)
				var at temporalx.Deletion
				require.NoError(t, value.Get(&at))
				assert.Equal(t, temporalx.DeletionWaits, at.Step)
				assert.Equal(t, string(it.Slug), at.Manifest.Slug)
				status, schema := l.status(it.ID)
				assert.Equal(t, "deleted", status)
				assert.True(t, schema, "the data are kept")
				if now {
					env.SignalWorkflow("purge-now", nil)
				}
			}, grace/2)
			m, err := l.delete(env, deletion{Tenant: it.ID, Grace: grace})
			require.NoError(t, err)
			_, schema := l.status(it.ID)
			assert.False(t, schema)
			waited := m.PurgedAt.Sub(m.ClosedAt)
			if now {
				assert.Less(t, waited, grace)
			} else {
				assert.GreaterOrEqual(t, waited, grace)
			}
			assert.Equal(t, 2, m.Jobs.Cancelled, "jobs are ended again after it")
		})
	}
}

// Row 45.
func TestRow45_NothingIsRemovedThatCouldNotBeExported(t *testing.T) {
	t.Parallel()
	l, it := newDeletion(t)
	l.cfg.Export = func(context.Context, tenant.Tenant) (string, error) {
		return "", &tenant.Error{Code: tenant.CodeForbidden, Detail: "the bucket is locked"}
	}
	_, err := l.delete(l.environment(), deletion{Tenant: it.ID})
	require.ErrorContains(t, err, "the bucket is locked")
	status, schema := l.status(it.ID)
	assert.Equal(t, "deleted", status)
	assert.True(t, schema)

	l.cfg.Export = func(context.Context, tenant.Tenant) (string, error) { return "elsewhere", nil }
	m, err := l.delete(l.environment(), deletion{Tenant: it.ID})
	require.NoError(t, err)
	assert.Equal(t, "elsewhere", m.Export)
	m, err = l.delete(l.environment(), deletion{Tenant: it.ID})
	require.NoError(t, err)
	assert.Empty(t, m.Export, "there is nothing left to export")
	assert.Empty(t, m.Removed.Schema)
}

// Row 45.
func TestRow45_ADeletionTriesAgainWhileSomebodyHoldsATable(t *testing.T) {
	t.Parallel()
	l := newLife(newSite(t, func(c *tenantdb.CatalogConfig) { c.LockTimeout = 20 * time.Millisecond }))
	it := l.tenant("acme-corp")
	tx, err := l.control.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE `+pgx.Identifier{tenantdb.SchemaName(it.ID), "note"}.Sanitize())
	require.NoError(t, err)
	env := l.environment()
	env.RegisterDelayedCallback(func() { assert.NoError(t, tx.Rollback(context.Background())) }, time.Second)
	_, err = l.delete(env, deletion{Tenant: it.ID})
	require.NoError(t, err)
	_, schema := l.status(it.ID)
	assert.False(t, schema)
}

func TestADeletionOfATenantThatIsNoneEnds(t *testing.T) {
	t.Parallel()
	l := newLife(newSite(t))
	_, err := l.delete(l.environment(), deletion{Tenant: tenant.NewID()})
	code, _ := temporalx.Refused(err)
	assert.Equal(t, tenant.CodeTenantNotFound, code)

	p := newProvision()
	_, _, err = l.catalog.Reserve(t.Context(), tenantdb.NewTenant{ID: p.ID, Slug: p.Slug, Name: p.Name})
	require.NoError(t, err)
	_, err = l.delete(l.environment(), deletion{Tenant: p.ID})
	require.ErrorContains(t, err, tenant.ErrUnavailable.Detail)
	status, _ := l.status(p.ID)
	assert.Equal(t, "provisioning", status)
}

// Row 45.
func TestRow45_ADeletionThatCanNotEndTheJobsRemovesNothing(t *testing.T) {
	t.Parallel()
	l, it := newDeletion(t)
	env := l.environment()
	env.OnActivity("tenantwall.DrainTenant", mock.Anything, mock.Anything).Return(temporalx.DrainedJobs{}, temporal.NewNonRetryableApplicationError("no list", "test", nil))
	env.ExecuteWorkflow("tenantwall.DeleteTenant", deletion{Tenant: it.ID})
	require.Error(t, env.GetWorkflowError())
	_, schema := l.status(it.ID)
	assert.True(t, schema)
}
