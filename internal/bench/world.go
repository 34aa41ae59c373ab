package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

const (
	rowsPerTenant = 100
	database      = "postgres"
	password      = "bench"
	rlsLogin      = "bench_rls"
)

// world is the server with all tenants: a schema and a role each, and a row security
// policy's share of one table.
type world struct {
	server  *localserver.Postgres
	tenants []tenant.Tenant
	pool    int // connections of each contender
}

func newWorld(ctx context.Context, s settings) (_ *world, err error) {
	most := slices.Max(s.tenants)
	start := time.Now()
	server, err := localserver.StartPostgres(ctx, localserver.PostgresConfig{
		NoSync:         true,
		MaxConnections: 20 + 8*s.pool,
		Settings: map[string]string{
			"max_locks_per_transaction": "1024", // a transaction makes many schemas
			"autovacuum":                "off",  // it would run in somebody's slice
			"max_wal_size":              "4GB",  // a checkpoint too
		},
	})
	if err != nil {
		return nil, err
	}
	w := &world{server: server, pool: s.pool}
	for range most {
		w.tenants = append(w.tenants, tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive})
	}
	if err := w.fill(ctx, s.tenants); err != nil {
		return nil, errors.Join(err, w.close())
	}
	fmt.Printf("%d tenants of %d rows each, made in %s\n", most, rowsPerTenant, time.Since(start).Round(time.Millisecond))
	return w, nil
}

func (w *world) close() error { return w.server.Close() }

// gateway is the login that n tenants have. Each number has one of its own, for its
// memberships cost something.
func gateway(n int) string { return fmt.Sprintf("bench_gateway_%d", n) }

// makeTenants makes tenants in bulk; a tenant's schema and role have the same name.
const makeTenants = `CREATE FUNCTION public.make_tenants(names text[], ids uuid[], size int) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE name text;
BEGIN
	FOREACH name IN ARRAY names LOOP
		EXECUTE format('CREATE ROLE %1$I NOLOGIN;
			CREATE SCHEMA %1$I; GRANT USAGE ON SCHEMA %1$I TO %1$I;
			CREATE TABLE %1$I.note (id bigint PRIMARY KEY, body text NOT NULL) WITH (fillfactor = 50);
			INSERT INTO %1$I.note SELECT i, repeat(''x'', 100) FROM generate_series(1, %2$s) i;
			GRANT SELECT, INSERT, UPDATE, DELETE ON %1$I.note TO %1$I', name, size);
	END LOOP;
	INSERT INTO rls.note SELECT id, i, repeat('x', 100) FROM unnest(ids) id, generate_series(1, size) i;
END $f$`

// shared is the table of all tenants that row security parts.
const shared = `CREATE ROLE ` + rlsLogin + ` LOGIN PASSWORD '` + password + `';
	CREATE SCHEMA rls; GRANT USAGE ON SCHEMA rls TO ` + rlsLogin + `;
	CREATE TABLE rls.note (tenant uuid, id bigint, body text NOT NULL, PRIMARY KEY (tenant, id)) WITH (fillfactor = 50);
	GRANT SELECT, INSERT, UPDATE, DELETE ON rls.note TO ` + rlsLogin + `;
	ALTER TABLE rls.note ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON rls.note USING (tenant = current_setting('bench.tenant')::uuid)`

func (w *world) fill(ctx context.Context, numbers []int) error {
	conn, err := pgx.Connect(ctx, w.server.SuperuserURL(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range []string{shared, makeTenants} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(w.tenants, 200) {
		var names []string
		var ids []tenant.ID
		for _, t := range some {
			names, ids = append(names, tenantdb.SchemaName(t.ID)), append(ids, t.ID)
		}
		if _, err := conn.Exec(ctx, `SELECT public.make_tenants($1, $2, $3)`, names, ids, rowsPerTenant); err != nil {
			return fmt.Errorf("make tenants: %w", err)
		}
	}
	// The tables are so small that they would be read whole; what is compared is a row by its
	// primary key.
	if _, err := conn.Exec(ctx, `DROP FUNCTION public.make_tenants; GRANT EXECUTE ON FUNCTION pg_catalog.set_config TO `+rlsLogin+`;
		ALTER DATABASE `+database+` SET enable_seqscan = off; ANALYZE; CHECKPOINT`); err != nil {
		return err
	}
	for _, n := range numbers {
		if err := w.admit(ctx, conn, n); err != nil {
			return err
		}
	}
	return nil
}

// admit makes the gateway of the first n tenants.
func (w *world) admit(ctx context.Context, conn *pgx.Conn, n int) error {
	if err := tenantdb.Setup(ctx, conn, tenantdb.Roles{Gateway: gateway(n), GatewayPassword: password}); err != nil {
		return err
	}
	for some := range slices.Chunk(w.tenants[:n], 500) {
		roles := make([]string, len(some))
		for i, t := range some {
			roles[i] = `"` + tenantdb.SchemaName(t.ID) + `"`
		}
		if _, err := conn.Exec(ctx, "GRANT "+strings.Join(roles, ", ")+" TO "+gateway(n)); err != nil {
			return err
		}
	}
	return nil
}

// connect makes a pool with all its connections open.
func (w *world) connect(ctx context.Context, url string, path string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if path != "" {
		config.ConnConfig.RuntimeParams["search_path"] = path
	}
	config.MaxConns, config.MinConns = int32(w.pool), int32(w.pool)
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // after each pause between slices
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	leases := make([]*pgxpool.Conn, 0, w.pool)
	defer func() {
		for _, lease := range leases {
			lease.Release()
		}
	}()
	for range w.pool {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			pool.Close()
			return nil, err
		}
		leases = append(leases, lease)
	}
	return pool, nil
}

// asOwner is a pool of the superuser, for contenders that are not confined by roles.
func (w *world) asOwner(ctx context.Context, path string) (*pgxpool.Pool, error) {
	return w.connect(ctx, w.server.SuperuserURL(database), path)
}
