package temporalx_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// migration is what the workflow is started with.
type migration struct {
	Options temporalx.MigrateAllOptions
	Before  *temporalx.Migration
}

// Row 42.
func TestRow42_AllTenantsAreMigratedPageByPage(t *testing.T) {
	t.Parallel()
	for _, crash := range []string{"", "CountTenants", "MigratePage"} {
		t.Run("crash behind "+crash, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var ids []tenant.ID
			for i := range 5 {
				ids = append(ids, s.tenant(tenant.Slug(fmt.Sprintf("tenant-%d", i))).ID)
			}
			_, err := s.control.Exec(t.Context(), `CREATE TABLE `+tenantdb.SchemaName(ids[3])+`.tag ()`)
			require.NoError(t, err)
			files := maps.Clone(noteTable)
			files["0002_tag.sql"] = &fstest.MapFile{Data: []byte(`CREATE TABLE tag (name text NOT NULL)`)}
			later, err := tenantdb.OpenCatalog(t.Context(), s.control, tenantdb.CatalogConfig{Migrations: files, Gateways: s.gateways})
			require.NoError(t, err)
			l := newLife(s)
			l.cfg.Catalog, l.losing = later, crash

			env := l.environment()
			env.ExecuteWorkflow("tenantwall.MigrateTenants", migration{Options: temporalx.MigrateAllOptions{Page: 2, Attempts: 1}})
			require.NoError(t, env.GetWorkflowError())
			var done temporalx.Migration
			require.NoError(t, env.GetWorkflowResult(&done))
			assert.Equal(t, 5, done.Total)
			assert.Equal(t, 5, done.Done())
			assert.Equal(t, 1, done.Failed)
			assert.Equal(t, ids[4], done.Last)
			require.Len(t, done.Failures, 1)
			assert.Equal(t, ids[3], done.Failures[0].Tenant)
			assert.Contains(t, done.Failures[0].Error, "already exists")
			if crash == "" {
				assert.Equal(t, 4, done.Migrated)
			}
			value, err := env.QueryWorkflow("progress")
			require.NoError(t, err)
			var progress temporalx.Migration
			require.NoError(t, value.Get(&progress))
			assert.Equal(t, done, progress)
		})
	}
}

// A history has room for some thousand events.
func TestAMigrationOfVeryManyTenantsGoesOnInANewRun(t *testing.T) {
	t.Parallel()
	l := newLife(newSite(t))
	env := l.environment()
	pages := 0
	env.OnActivity("tenantwall.MigratePage", mock.Anything, mock.Anything, mock.Anything).Return(
		func(context.Context, temporalx.MigrateAllOptions, tenant.ID) (temporalx.Migration, error) {
			pages++
			return temporalx.Migration{Migrated: 1, Failed: 1, Failures: []temporalx.MigrationFailure{{Error: strings.Repeat("x", 500)}}, Last: tenant.NewID()}, nil
		})
	env.ExecuteWorkflow("tenantwall.MigrateTenants", migration{Before: &temporalx.Migration{Total: 5000, Migrated: 10}})
	err := env.GetWorkflowError()
	require.True(t, workflow.IsContinueAsNewError(err), "%v", err)
	assert.Equal(t, 500, pages)
	assert.Empty(t, l.steps(), "the tenants are counted once, by the first run")
}

func TestAMigrationChecksItsOptions(t *testing.T) {
	t.Parallel()
	made, err := temporalx.NewLifecycle(newLife(newSite(t)).cfg)
	require.NoError(t, err)
	for _, wrong := range []struct {
		name    string
		options temporalx.MigrateAllOptions
	}{
		{"Page", temporalx.MigrateAllOptions{Page: -1}},
		{"Page", temporalx.MigrateAllOptions{Page: 10_001}},
		{"Workers", temporalx.MigrateAllOptions{Workers: -1}},
		{"LockTimeout", temporalx.MigrateAllOptions{LockTimeout: -1}},
		{"Attempts", temporalx.MigrateAllOptions{Attempts: -1}},
		{"Attempts", temporalx.MigrateAllOptions{Attempts: 101}},
	} {
		_, err := made.MigrateAll(t.Context(), wrong.options)
		require.ErrorContains(t, err, "MigrateAllOptions."+wrong.name)
	}
}
