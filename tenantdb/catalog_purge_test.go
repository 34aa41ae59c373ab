package tenantdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Now()} }

func (c *clock) in(cfg *tenantdb.CatalogConfig) {
	cfg.Now = func() time.Time { return c.now }
	cfg.GracePeriod = time.Hour
}

func deleted(t testing.TB, catalog *tenantdb.Catalog, slug tenant.Slug) tenant.Tenant {
	t.Helper()
	it, err := catalog.Delete(t.Context(), created(t, catalog, slug).ID)
	require.NoError(t, err)
	return it
}

func TestRow45_PurgeWaitsForTheGracePeriod(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	var forgotten []tenant.ID
	catalog := s.catalog(clock.in, func(c *tenantdb.CatalogConfig) {
		c.OnPurge = func(_ context.Context, _ pgx.Tx, id tenant.ID) error {
			forgotten = append(forgotten, id)
			return nil
		}
	})
	gone, kept := deleted(t, catalog, "gone"), created(t, catalog, "kept")

	clock.now = clock.now.Add(59 * time.Minute)
	purged, err := catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	assert.Empty(t, purged)
	assert.Equal(t, remains{"deleted", 1, 1, 1}, s.left(gone.ID))

	clock.now = clock.now.Add(2 * time.Minute)
	purged, err = catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{gone.ID}, purged)
	assert.Equal(t, []tenant.ID{gone.ID}, forgotten)
	assert.Equal(t, remains{"deleted", 1, 0, 0}, s.left(gone.ID))
	assert.Equal(t, remains{"active", 1, 1, 1}, s.left(kept.ID))
	_, err = catalog.Lookup(t.Context(), tenant.ByID(gone.ID))
	require.ErrorIs(t, err, tenant.ErrGone)
	row := list(t, catalog, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusDeleted}})[0]
	assert.Empty(t, row.Name, "a name may be a person's")
	assert.Equal(t, gone.Version+1, row.Version)
	assert.Equal(t, tenantdb.EventPurged, kinds(t, catalog, gone.ID)[3])

	purged, err = catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	assert.Empty(t, purged)
	_, err = catalog.Purge(t.Context(), 0)
	require.ErrorContains(t, err, "limit is 0")
}

// A session on a tenant without a schema fails; it never reads elsewhere.
func TestRow8_SessionOfAPurgedTenantFails(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	catalog := s.catalog(clock.in)
	made := created(t, catalog, "gone")
	s.exec(`CREATE TABLE public.note (body text); INSERT INTO public.note VALUES ('nobody''s'); GRANT SELECT ON public.note TO PUBLIC`)
	db := openOn(t, s.pool(s.gatewayURL()))
	_, err := body(as(t, made), db)
	require.ErrorIs(t, err, pgx.ErrNoRows)

	deletedNow, err := catalog.Delete(t.Context(), made.ID)
	require.NoError(t, err)
	_, err = body(as(t, deletedNow), db)
	require.ErrorIs(t, err, tenant.ErrGone)
	clock.now = clock.now.Add(2 * time.Hour)
	_, err = catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	_, err = body(as(t, made), db) // by one who has not heard of it
	require.Error(t, err)
	require.NotErrorIs(t, err, pgx.ErrNoRows)
}

func TestRow45_PurgeLeavesALockedTenantAndGoesOn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	catalog := s.catalog(clock.in, func(c *tenantdb.CatalogConfig) { c.LockTimeout = 50 * time.Millisecond })
	first, locked, last := deleted(t, catalog, "first"), deleted(t, catalog, "locked"), deleted(t, catalog, "last")
	reader, err := s.connect(s.url).Begin(t.Context())
	require.NoError(t, err)
	_, err = reader.Exec(t.Context(), `LOCK TABLE `+tenantdb.SchemaName(locked.ID)+`.note IN ACCESS SHARE MODE`)
	require.NoError(t, err)

	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 10)
	require.ErrorContains(t, err, locked.ID.String())
	require.ErrorContains(t, err, "lock timeout")
	assert.ElementsMatch(t, []tenant.ID{first.ID, last.ID}, purged)
	assert.Equal(t, remains{"deleted", 1, 1, 1}, s.left(locked.ID))

	require.NoError(t, reader.Rollback(t.Context()))
	purged, err = catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{locked.ID}, purged)
}

func TestRow45_PurgesAtOnceShareTheTenants(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	catalog := s.catalog(clock.in)
	var want []tenant.ID
	for i := range 12 {
		want = append(want, deleted(t, catalog, tenant.Slug(fmt.Sprintf("tenant-%d", i))).ID)
	}
	clock.now = clock.now.Add(2 * time.Hour)
	purged := make([][]tenant.ID, 4)
	var all sync.WaitGroup
	for i := range purged {
		all.Go(func() {
			var err error
			purged[i], err = catalog.Purge(t.Context(), 100)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.ElementsMatch(t, want, slices.Concat(purged...), "each once")
}

// More tables than a transaction has locks for: the schema is emptied first, in several.
func TestRow45_PurgeOfASchemaWithManyTables(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	catalog := s.catalog(clock.in)
	it := created(t, catalog, "huge")
	schema := tenantdb.SchemaName(it.ID)
	s.exec(fmt.Sprintf(`SET ROLE %s;
		CREATE TABLE %s.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
		CREATE VIEW %[2]s.seen AS SELECT * FROM %[2]s.parted;
		CREATE MATERIALIZED VIEW %[2]s.kept AS SELECT * FROM %[2]s.seen;
		CREATE TYPE %[2]s.mood AS ENUM ('well')`, s.roles.Control, schema))
	for chunk := range 6 {
		s.exec(fmt.Sprintf(`SET ROLE %s; DO $$ BEGIN FOR i IN 1..100 LOOP
			EXECUTE format('CREATE TABLE %s.%%I (id serial PRIMARY KEY, note bigint REFERENCES %[2]s.note, body text)', 'table_' || i + %d);
			EXECUTE format('CREATE TABLE %[2]s.%%I PARTITION OF %[2]s.parted FOR VALUES FROM (%%s) TO (%%s)', 'part_' || i + %[3]d, i + %[3]d, i + %[3]d + 1);
			END LOOP; END $$`, s.roles.Control, schema, chunk*100))
	}
	_, err := catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{it.ID}, purged)
	assert.Equal(t, remains{"deleted", 1, 0, 0}, s.left(it.ID))
}

// Where the server has room for fewer locks than one step needs, steps get smaller.
func TestRow45_PurgeOnAServerShortOfLocks(t *testing.T) {
	t.Parallel()
	server, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{
		NoSync: true, MaxConnections: 20,
		Settings: map[string]string{"max_locks_per_transaction": "10", "max_prepared_transactions": "0", "max_wal_senders": "0", "autovacuum_max_workers": "1", "max_worker_processes": "1"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	s := &site{t: t, url: server.SuperuserURL("postgres"), roles: tenantdb.Roles{GatewayPassword: "g", ControlPassword: "c"}}
	s.roles.Gateway, s.roles.Control = tenantdb.DefaultGateway, tenantdb.DefaultControl
	require.NoError(t, tenantdb.Setup(t.Context(), s.connect(s.url), s.roles))
	clock := newClock()
	catalog := s.catalog(clock.in)
	it := created(t, catalog, "huge")
	for chunk := range 10 {
		s.exec(fmt.Sprintf(`SET ROLE %s; DO $$ BEGIN FOR i IN 1..25 LOOP
			EXECUTE format('CREATE TABLE %s.%%I (id serial PRIMARY KEY, a int UNIQUE, b int UNIQUE, c int UNIQUE, body text)', 'table_' || i + %d); END LOOP; END $$`,
			s.roles.Control, tenantdb.SchemaName(it.ID), chunk*25))
	}
	_, err = s.connect(s.url).Exec(t.Context(), `DROP SCHEMA `+tenantdb.SchemaName(it.ID)+` CASCADE`)
	require.ErrorContains(t, err, "out of shared memory", "the control: it can't be dropped at once")

	_, err = catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{it.ID}, purged)
}

func TestPurgeKeepsATenantWhoseHookFails(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	fail := true
	catalog := s.catalog(clock.in, func(c *tenantdb.CatalogConfig) {
		c.OnPurge = func(context.Context, pgx.Tx, tenant.ID) error {
			if fail {
				return errors.New("members are left")
			}
			return nil
		}
	})
	it := deleted(t, catalog, "gone")
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 1)
	require.ErrorContains(t, err, "members are left")
	assert.Empty(t, purged)
	assert.Equal(t, remains{"deleted", 1, 1, 1}, s.left(it.ID))
	fail = false
	purged, err = catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{it.ID}, purged)
}

// Roles belong to the whole server. Where a copy of the database has the same tenants, a
// purge here must not take the role from there.
func TestPurgeKeepsARoleThatAnotherDatabaseNeeds(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	var log bytes.Buffer
	catalog := s.catalog(clock.in, func(c *tenantdb.CatalogConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	it := deleted(t, catalog, "copied")
	role := tenantdb.SchemaName(it.ID)
	other := newSite(t)
	other.exec(`CREATE SCHEMA copy; GRANT USAGE ON SCHEMA copy TO ` + role)
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{it.ID}, purged)
	assert.Equal(t, remains{"deleted", 1, 1, 0}, s.left(it.ID))
	assert.Contains(t, log.String(), role)
	other.exec(`DROP SCHEMA copy; DROP ROLE ` + role)
}

func TestPurgeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	ctx, cancel := context.WithCancel(t.Context())
	catalog := s.catalog(clock.in, func(c *tenantdb.CatalogConfig) {
		c.OnPurge = func(context.Context, pgx.Tx, tenant.ID) error { cancel(); return ctx.Err() }
	})
	deleted(t, catalog, "first")
	deleted(t, catalog, "second")
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(ctx, 10)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, purged)
	assert.Equal(t, 1, strings.Count(err.Error(), "purge tenant"), "%v", err)
}
