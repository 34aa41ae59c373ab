// Package sitetest gives a test a database that is set up for tenants, on the server of
// package pgtest:
//
//	s := sitetest.New(t)
//	control := s.Control(t)
//	catalog := s.Catalog(t, control, tenantdb.CatalogConfig{})
//	db := s.DB(t)
//
// All is closed when the test ends. All functions may be called from parallel tests.
package sitetest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Site is a database with the roles of [tenantdb.Setup].
type Site struct {
	URL   string // the owner's, who is a superuser
	Roles tenantdb.Roles
}

// New makes a database and sets it up, with roles that no other test has.
func New(t testing.TB) Site {
	t.Helper()
	s := Site{URL: pgtest.Database(t), Roles: tenantdb.Roles{
		Gateway: pgtest.Name(t, "gateway"), GatewayPassword: "gateway-secret",
		Control: pgtest.Name(t, "control"), ControlPassword: "control-secret",
	}}
	owner, err := pgx.Connect(t.Context(), s.URL)
	require.NoError(t, err)
	defer owner.Close(context.WithoutCancel(t.Context()))
	require.NoError(t, tenantdb.Setup(t.Context(), owner, s.Roles))
	return s
}

// Control is a pool of up to 16 connections as the control role, unless a change says
// something else.
func (s Site) Control(t testing.TB, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	return s.pool(t, s.Roles.Control, s.Roles.ControlPassword, change)
}

// Gateway is such a pool as the gateway, for [tenantdb.Open].
func (s Site) Gateway(t testing.TB, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	return s.pool(t, s.Roles.Gateway, s.Roles.GatewayPassword, change)
}

func (s Site) pool(t testing.TB, user, password string, change []func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(s.URL)
	require.NoError(t, err)
	cfg.MaxConns = 16
	cfg.ConnConfig.User, cfg.ConnConfig.Password = user, password
	for _, c := range change {
		c(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// Catalog opens the catalog on a pool of the control role. The site's gateway is that of
// all tenants, unless cfg has others.
func (s Site) Catalog(t testing.TB, control *pgxpool.Pool, cfg tenantdb.CatalogConfig) *tenantdb.Catalog {
	t.Helper()
	if cfg.Gateways == nil {
		cfg.Gateways = []string{s.Roles.Gateway}
	}
	catalog, err := tenantdb.OpenCatalog(t.Context(), control, cfg)
	require.NoError(t, err)
	return catalog
}

// DB opens sessions on a pool as the gateway.
func (s Site) DB(t testing.TB, change ...func(*pgxpool.Config)) *tenantdb.DB {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), s.Gateway(t, change...))
	require.NoError(t, err)
	return db
}
