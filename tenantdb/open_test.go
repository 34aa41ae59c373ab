package tenantdb_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestOpenRefusesWhatDoesNotConfine(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	_, err := tenantdb.Open(t.Context(), nil)
	require.ErrorContains(t, err, "Open needs a pool")

	simple, err := pgxpool.ParseConfig(s.gatewayURL())
	require.NoError(t, err)
	simple.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	pool, err := pgxpool.NewWithConfig(t.Context(), simple)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = tenantdb.Open(t.Context(), pool)
	require.ErrorIs(t, err, tenantdb.ErrSimpleProtocol)

	for name, url := range map[string]string{"a superuser": s.url, "the control role": s.controlURL()} {
		_, err = tenantdb.Open(t.Context(), s.pool(url))
		var audit *tenantdb.AuditError
		require.ErrorAs(t, err, &audit, name)
		assert.NotEmpty(t, audit.Findings, name)
	}
}

// On managed PostgreSQL nobody can take set_config from PUBLIC.
func TestOpenWithUnrevokedSetConfigLogsWhatItAccepts(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	_, err := s.connect(s.url).Exec(t.Context(), `GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC`)
	require.NoError(t, err)
	pool := s.pool(s.gatewayURL())
	_, err = tenantdb.Open(t.Context(), pool)
	var audit *tenantdb.AuditError
	require.ErrorAs(t, err, &audit)

	var log bytes.Buffer
	_, err = tenantdb.Open(t.Context(), pool, tenantdb.WithUnrevokedSetConfig(), tenantdb.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	assert.Contains(t, log.String(), "set_config")
}

func TestWithPoolsChoosesThePoolOfEachTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	create := func(slug tenant.Slug) tenant.Tenant {
		made, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Some"})
		require.NoError(t, err)
		return made
	}
	shared, alone := create("shared-one"), create("alone-one")
	require.NoError(t, catalog.GiveLogin(t.Context(), alone.ID, "own secret"))
	own := s.pool(s.as(tenantdb.LoginName(alone.ID), "own secret"))
	db := openOn(t, s.pool(s.gatewayURL()), tenantdb.WithPools(func(who tenant.Tenant) *pgxpool.Pool {
		if who.ID == alone.ID {
			return own
		}
		return nil
	}))
	for _, who := range []tenant.Tenant{shared, alone} {
		_, err := db.Exec(as(t, who), `INSERT INTO note (body) VALUES ('mine')`)
		require.NoError(t, err, who.Slug)
	}
	_, err := tenantdb.Audit(t.Context(), own)
	require.NoError(t, err, "the tenant's own login confines as a gateway does")

	// Whatever a session of the shared gateway runs, it can't become the one that is alone.
	_, err = db.Exec(as(t, shared), `SET ROLE "`+tenantdb.SchemaName(alone.ID)+`"`)
	assertCode(t, "42501", err, "SET ROLE to a tenant with a login of its own")
	_, err = openOn(t, s.pool(s.gatewayURL())).Exec(as(t, alone), `SELECT 1`)
	require.ErrorContains(t, err, "the gateway is not a member of it")
}

func TestWithoutRolesConfinesByThePathAlone(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := &site{t: t, url: url}
	_, err := s.connect(url).Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %L', current_user, current_database(), ''); END $$`)
	require.NoError(t, err)
	catalog, err := tenantdb.OpenCatalog(t.Context(), s.pool(url), tenantdb.CatalogConfig{Migrations: notes, WithoutRoles: true})
	require.NoError(t, err)
	db := openOn(t, s.pool(url), tenantdb.WithoutRoles())
	var tenants []tenant.Tenant
	for _, slug := range []tenant.Slug{"first-one", "second-one"} {
		made, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Some"})
		require.NoError(t, err)
		tenants = append(tenants, made)
	}
	for range 2 {
		for _, who := range tenants {
			_, err := db.Exec(as(t, who), `INSERT INTO note (body) VALUES ($1)`, who.Slug)
			require.NoError(t, err)
			require.NoError(t, db.InTx(as(t, who), insertSlug(who)))
		}
	}
	for _, who := range tenants {
		rows, err := db.Query(as(t, who), `SELECT DISTINCT body FROM note`)
		require.NoError(t, err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.Equal(t, []string{string(who.Slug)}, got)
	}
	_, err = db.Exec(as(t, tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive}), `SELECT * FROM note`)
	assertCode(t, "42P01", err, "a tenant without a schema")
}

// insertSlug writes the tenant's slug in a transaction.
func insertSlug(who tenant.Tenant) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO note (body) VALUES ($1)`, who.Slug)
		return err
	}
}
