package tenantdb_test

import (
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// withMigrations is a catalog of a later version of the program, on the same database.
func (s *site) withMigrations(fsys fs.FS) *tenantdb.Catalog {
	s.t.Helper()
	return s.catalog(func(cfg *tenantdb.CatalogConfig) { cfg.Migrations = fsys })
}

// laterNotes are notes and one more migration.
func laterNotes() fstest.MapFS {
	later := maps.Clone(notes)
	later["0002_title.sql"] = &fstest.MapFile{Data: []byte(`ALTER TABLE note ADD COLUMN title text NOT NULL DEFAULT 'untitled'; CREATE TABLE more (id int PRIMARY KEY)`)}
	return later
}

func TestCatalogMigratesSuspendedTenantsAndLeavesDeletedOnes(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	old := s.catalog()
	create := func(slug tenant.Slug) tenant.Tenant {
		t.Helper()
		created, err := old.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Some Tenant"})
		require.NoError(t, err)
		return created
	}
	active, suspended, deleted := create("active"), create("suspended"), create("deleted")
	_, err := old.Suspend(t.Context(), suspended.ID)
	require.NoError(t, err)
	_, err = old.Delete(t.Context(), deleted.ID)
	require.NoError(t, err)
	pool := s.pool(s.gatewayURL())
	db := openOn(t, pool)
	_, err = db.Exec(as(t, active), `INSERT INTO note (body) VALUES ('first')`)
	require.NoError(t, err)

	later := s.withMigrations(laterNotes())
	status, err := later.MigrationStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []tenantdb.MigrationStatus{
		{Tenant: active.ID, State: tenantdb.MigrationPending, Pending: []int64{2}},
		{Tenant: suspended.ID, State: tenantdb.MigrationPending, Pending: []int64{2}},
	}, status)

	report, err := later.Migrate(t.Context(), tenantdb.MigrateOptions{})
	require.NoError(t, err)
	require.Len(t, report.Tenants, 2)
	for _, done := range report.Tenants {
		assert.Equal(t, tenantdb.OutcomeMigrated, done.Outcome)
		assert.Equal(t, []int64{2}, done.Applied)
	}

	// The session that has used the table before sees its new column, and may use what is new.
	var title string
	require.NoError(t, db.QueryRow(as(t, active), `SELECT title FROM note WHERE body = 'first'`).Scan(&title))
	assert.Equal(t, "untitled", title)
	_, err = db.Exec(as(t, active), `INSERT INTO more VALUES (1)`)
	require.NoError(t, err)
	_, err = db.Exec(as(t, active), `SELECT FROM tenantwall_migration`)
	assertCode(t, "42501", err, "the ledger")

	status, err = later.MigrationStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []tenantdb.MigrationStatus{
		{Tenant: active.ID, State: tenantdb.MigrationCurrent},
		{Tenant: suspended.ID, State: tenantdb.MigrationCurrent},
	}, status)
	findings, err := tenantdb.Audit(t.Context(), pool)
	require.NoError(t, err)
	assert.Empty(t, findings)
}

func TestCreatedTenantIsCurrentAndLikeThoseThatWereMigrated(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	for _, slug := range []tenant.Slug{"first", "second"} {
		_, err := s.catalog().Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Some Tenant"})
		require.NoError(t, err)
	}
	later := s.withMigrations(laterNotes())
	_, err := later.Migrate(t.Context(), tenantdb.MigrateOptions{})
	require.NoError(t, err)
	_, err = later.Create(t.Context(), tenantdb.NewTenant{Slug: "third", Name: "Some Tenant"})
	require.NoError(t, err)

	report, err := later.Migrate(t.Context(), tenantdb.MigrateOptions{})
	require.NoError(t, err)
	assert.Equal(t, 3, report.Count(tenantdb.OutcomeUpToDate))
	status, err := later.MigrationStatus(t.Context())
	require.NoError(t, err)
	require.Len(t, status, 3)
	for _, one := range status {
		assert.Equal(t, tenantdb.MigrationCurrent, one.State, "%v", one.Drift)
	}
}

func TestRow43_ColumnDroppedByHandIsToldForItsTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	acme, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})
	require.NoError(t, err)
	s.exec(`ALTER TABLE "` + tenantdb.SchemaName(acme.ID) + `".note DROP COLUMN body`)
	status, err := catalog.MigrationStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []tenantdb.MigrationStatus{{Tenant: acme.ID, State: tenantdb.MigrationDrifted, Drift: []string{"column note.body: missing"}}}, status)
}

func TestRow42_ATenantBehindALockFailsAloneAndIsRemembered(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var ids []tenant.ID
	for _, slug := range []tenant.Slug{"acme-corp", "beta-industries"} {
		created, err := s.catalog().Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Some Tenant"})
		require.NoError(t, err)
		ids = append(ids, created.ID)
	}
	session := s.connect(s.url)
	tx, err := session.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM "`+tenantdb.SchemaName(ids[0])+`".note`)
	require.NoError(t, err)

	later := s.withMigrations(laterNotes())
	report, err := later.Migrate(t.Context(), tenantdb.MigrateOptions{LockTimeout: 20 * time.Millisecond, Attempts: 2})
	var failed *tenantdb.MigrateError
	require.ErrorAs(t, err, &failed)
	assertCode(t, "55P03", err, "a lock")
	assert.Equal(t, tenantdb.OutcomeFailed, report.Tenants[0].Outcome)
	assert.Equal(t, tenantdb.OutcomeMigrated, report.Tenants[1].Outcome)
	status, err := later.MigrationStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tenantdb.MigrationFailed, status[0].State)
	assert.Equal(t, tenantdb.MigrationCurrent, status[1].State)

	require.NoError(t, tx.Rollback(t.Context()))
	_, err = later.Migrate(t.Context(), tenantdb.MigrateOptions{})
	require.NoError(t, err)
	status, err = later.MigrationStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tenantdb.MigrationStatus{Tenant: ids[0], State: tenantdb.MigrationCurrent}, status[0])
}

func TestCatalogRefusesOptionsThatMeanNothing(t *testing.T) {
	t.Parallel()
	_, err := setUp(t).catalog().Migrate(t.Context(), tenantdb.MigrateOptions{Workers: -1})
	require.ErrorContains(t, err, "tenantdb: migrate: MigrateOptions.Workers is -1")
}
