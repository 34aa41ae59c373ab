package tenantdb_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// notes are migrations that make a table, with a sequence and a function.
var notes = fstest.MapFS{"0001_note.sql": {Data: []byte(`
	CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);
	CREATE SEQUENCE number;
	CREATE FUNCTION notes() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM note';`)}}

// catalog opens the catalog of a site that is set up.
func (s *site) catalog(change ...func(*tenantdb.CatalogConfig)) *tenantdb.Catalog {
	s.t.Helper()
	return s.catalogOn(s.pool(s.controlURL()), change...)
}

func (s *site) catalogOn(control *pgxpool.Pool, change ...func(*tenantdb.CatalogConfig)) *tenantdb.Catalog {
	s.t.Helper()
	cfg := tenantdb.CatalogConfig{Migrations: notes, Gateways: []string{s.roles.Gateway}}
	for _, f := range change {
		f(&cfg)
	}
	catalog, err := tenantdb.OpenCatalog(context.Background(), control, cfg)
	require.NoError(s.t, err)
	return catalog
}

func TestCreatedTenantCanBeWorkedFor(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	acme, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp", Plan: "pro"})
	require.NoError(t, err)
	assert.Equal(t, tenant.StatusActive, acme.Status)

	pool := s.pool(s.gatewayURL())
	db := openOn(t, pool)
	_, err = db.Exec(as(t, acme), `INSERT INTO note (body) VALUES ('hello')`)
	require.NoError(t, err)
	var n int
	require.NoError(t, db.QueryRow(as(t, acme), `SELECT notes() + nextval('number')`).Scan(&n))
	assert.Equal(t, 2, n)
	_, err = db.Exec(as(t, acme), `CREATE TABLE other ()`)
	require.Error(t, err)

	findings, err := tenantdb.Audit(t.Context(), pool)
	require.NoError(t, err)
	assert.Empty(t, findings)

	for _, ref := range []tenant.Ref{tenant.ByID(acme.ID), tenant.BySlug("acme-corp")} {
		found, err := catalog.Lookup(t.Context(), ref)
		require.NoError(t, err)
		assert.Equal(t, acme, found)
	}
}

// Row 10, for tenants as the catalog makes them.
func TestRow10_TenantsOfTheCatalogReachNothingOfEachOther(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	acme, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})
	require.NoError(t, err)
	beta, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "beta-industries", Name: "Beta Industries"})
	require.NoError(t, err)
	db := openOn(t, s.pool(s.gatewayURL()))
	schema := `"` + tenantdb.SchemaName(beta.ID) + `".`
	for _, sql := range []string{
		`SELECT body FROM ` + schema + `note`,
		`INSERT INTO ` + schema + `note (body) VALUES ('x')`,
		`UPDATE ` + schema + `note SET body = 'x'`,
		`DELETE FROM ` + schema + `note`,
		`SELECT nextval('` + schema + `number')`,
		`SELECT ` + schema + `notes()`,
	} {
		_, err := db.Exec(as(t, acme), sql)
		assertCode(t, "42501", err, sql)
		_, err = db.Exec(as(t, beta), sql)
		require.NoError(t, err, "the control: its own by the same statement")
	}
}
