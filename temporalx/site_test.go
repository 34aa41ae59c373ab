package temporalx_test

import (
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// noteTable are migrations that make one table.
var noteTable = fstest.MapFS{"0001_note.sql": {Data: []byte(`CREATE TABLE note (body text NOT NULL)`)}}

// site is a database that is set up for tenants.
type site struct {
	*testing.T
	control *pgxpool.Pool
	catalog *tenantdb.Catalog
	db      *tenantdb.DB

	gateways []string
}

func newSite(t *testing.T, change ...func(*tenantdb.CatalogConfig)) *site {
	t.Helper()
	made := sitetest.New(t)
	s := &site{T: t, control: made.Control(t), db: made.DB(t), gateways: []string{made.Roles.Gateway}}
	cfg := tenantdb.CatalogConfig{Migrations: noteTable, Gateways: s.gateways}
	for _, f := range change {
		f(&cfg)
	}
	s.catalog = made.Catalog(t, s.control, cfg)
	return s
}

func (s *site) tenant(slug tenant.Slug) tenant.Tenant {
	s.Helper()
	t, err := s.catalog.Create(s.Context(), tenantdb.NewTenant{Slug: slug, Name: string(slug), Plan: "pro"})
	require.NoError(s, err)
	return t
}

// status is that of a tenant's row, or none; schema whether its schema is there.
func (s *site) status(id tenant.ID) (status string, schema bool) {
	s.Helper()
	require.NoError(s, s.control.QueryRow(s.Context(), `
		SELECT coalesce((SELECT status FROM tenantwall.tenant WHERE id = $1), 'none'),
		       EXISTS (SELECT FROM pg_namespace WHERE nspname = $2)`, id, tenantdb.SchemaName(id)).Scan(&status, &schema))
	return status, schema
}

func (s *site) events(id tenant.ID) (kinds []tenantdb.EventKind) {
	s.Helper()
	for e, err := range s.catalog.Events(s.Context(), tenantdb.EventOptions{Tenant: id}) {
		require.NoError(s, err)
		kinds = append(kinds, e.Kind)
	}
	return kinds
}
