// Package docs_test holds the guides to the code: what they show is compiled here, and run.
package docs_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// shards spreads tenants over pools, each signed in as a gateway of its own. A tenant stays
// where it is, because its id never changes.
func shards(pools []*pgxpool.Pool) tenantdb.Option {
	return tenantdb.WithPools(func(t tenant.Tenant) *pgxpool.Pool {
		h := fnv.New32a()
		h.Write(t.ID[:])
		return pools[h.Sum32()%uint32(len(pools))]
	})
}

// behindPgBouncer is a pool through a pooler in transaction mode that knows no prepared
// statements.
func behindPgBouncer(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return pgxpool.NewWithConfig(ctx, cfg)
}

// migrate brings all tenants up to date, and tells which ones are not.
func migrate(ctx context.Context, catalog *tenantdb.Catalog, log *slog.Logger) error {
	report, err := catalog.Migrate(ctx, tenantdb.MigrateOptions{
		Workers:     8,
		LockTimeout: 2 * time.Second, // rather fail than have a tenant's requests queue behind us
	})
	log.InfoContext(ctx, "migrated", "migrated", report.Count(tenantdb.OutcomeMigrated),
		"up_to_date", report.Count(tenantdb.OutcomeUpToDate), "failed", report.Count(tenantdb.OutcomeFailed))
	return err // names the first failures; the report has each tenant
}

// behind lists the tenants that are not as the migrations have left them.
func behind(ctx context.Context, catalog *tenantdb.Catalog) ([]string, error) {
	all, err := catalog.MigrationStatus(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, s := range all {
		switch {
		case s.Failure != nil:
			lines = append(lines, fmt.Sprintf("%s: version %d: %s", s.Tenant, s.Failure.Version, s.Failure.Message))
		case len(s.Pending) > 0 || len(s.Drift) > 0:
			lines = append(lines, fmt.Sprintf("%s: pending %v, drift %q", s.Tenant, s.Pending, s.Drift))
		}
	}
	return lines, nil
}

// moveIn makes a tenant of the rows that a customer has in the shared table.
func moveIn(ctx context.Context, catalog *tenantdb.Catalog, customer int64, slug tenant.Slug, name string) (tenant.Tenant, error) {
	return catalog.Create(ctx, tenantdb.NewTenant{
		Slug: slug,
		Name: name,
		Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
			table := pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()
			_, err := tx.Exec(ctx, `
				INSERT INTO `+table+` (id, title) OVERRIDING SYSTEM VALUE
				SELECT id, title FROM public.note WHERE tenant_id = $1`, customer)
			if err != nil {
				return err
			}
			// The next id is above those that came along.
			_, err = tx.Exec(ctx, `
				SELECT setval(pg_get_serial_sequence($1, 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM `+table, table)
			return err
		},
	})
}

// querier is what both a pool and a confined database are.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

var (
	_ querier = (*pgxpool.Pool)(nil)
	_ querier = (*tenantdb.DB)(nil)
)

// snippets are the blocks of a language in a guide.
func snippets(t *testing.T, guide, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	for i, rest := range strings.Split(string(text), "```"+language+"\n") {
		if i == 0 {
			continue
		}
		block, _, closed := strings.Cut(rest, "```")
		require.True(t, closed, "%s: a block of %s has no end", guide, language)
		blocks = append(blocks, block)
	}
	return blocks
}

var migrations = fstest.MapFS{"0001_note.sql": {Data: []byte(`
	CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL);`)}}

// house is a database in which Setup has run.
type house struct {
	owner   *pgx.Conn
	url     string
	catalog *tenantdb.Catalog
	roles   tenantdb.Roles
}

func open(t *testing.T, files fs.FS) house {
	t.Helper()
	h := house{url: pgtest.Database(t)}
	var err error
	h.owner, err = pgx.Connect(t.Context(), h.url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.owner.Close(context.Background()) })
	h.roles = tenantdb.Roles{
		Gateway: pgtest.Name(t, "gateway"), GatewayPassword: "secret",
		Control: pgtest.Name(t, "control"), ControlPassword: "secret",
	}
	require.NoError(t, tenantdb.Setup(t.Context(), h.owner, h.roles))
	h.catalog, err = tenantdb.OpenCatalog(t.Context(), h.pool(t, h.roles.Control),
		tenantdb.CatalogConfig{Migrations: files, Gateways: []string{h.roles.Gateway}})
	require.NoError(t, err)
	return h
}

func (h house) pool(t *testing.T, user string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(h.url)
	require.NoError(t, err)
	cfg.ConnConfig.User, cfg.ConnConfig.Password = user, "secret"
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func titles(t *testing.T, db querier, ctx context.Context) []string {
	t.Helper()
	rows, err := db.Query(ctx, `SELECT title FROM note ORDER BY id`)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

func TestCustomersMoveInWithTheirRows(t *testing.T) {
	t.Parallel()
	h := open(t, migrations)
	ctx := t.Context()
	_, err := h.owner.Exec(ctx, `
		CREATE TABLE public.note (id bigserial PRIMARY KEY, tenant_id bigint NOT NULL, title text NOT NULL);
		INSERT INTO public.note (tenant_id, title) VALUES (1, 'of one'), (2, 'of two'), (1, 'of one, too')`)
	require.NoError(t, err)
	app := pgtest.Name(t, "app")
	_, err = h.owner.Exec(ctx, `CREATE ROLE `+pgx.Identifier{app}.Sanitize()+` LOGIN PASSWORD 'secret'`)
	require.NoError(t, err)
	names := strings.NewReplacer("TO app", "TO "+app, "TO tenantwall_control", "TO "+h.roles.Control)
	for _, sql := range snippets(t, "moving-in.md", "sql") {
		_, err := h.owner.Exec(ctx, names.Replace(sql))
		require.NoError(t, err, "%s", sql)
	}
	var of []int64
	require.NoError(t, h.pool(t, app).QueryRow(ctx, `SELECT array_agg(DISTINCT tenant_id) FROM public.note`).Scan(&of), "the old service goes on")
	assert.Len(t, of, 2)

	one, err := moveIn(ctx, h.catalog, 1, "one", "One")
	require.NoError(t, err)
	two, err := moveIn(ctx, h.catalog, 2, "two", "Two")
	require.NoError(t, err)
	db, err := tenantdb.Open(ctx, h.pool(t, h.roles.Gateway), shards([]*pgxpool.Pool{h.pool(t, h.roles.Gateway), h.pool(t, h.roles.Gateway)}))
	require.NoError(t, err)
	inOne, inTwo := tenant.NewContext(ctx, one), tenant.NewContext(ctx, two)
	assert.Equal(t, []string{"of one", "of one, too"}, titles(t, db, inOne))
	assert.Equal(t, []string{"of two"}, titles(t, db, inTwo))
	_, err = db.Exec(inOne, `INSERT INTO note (title) VALUES ('new')`)
	require.NoError(t, err, "its id is above those that came along")
	empty, err := moveIn(ctx, h.catalog, 3, "three", "Three")
	require.NoError(t, err, "a customer without rows")
	assert.Empty(t, titles(t, db, tenant.NewContext(ctx, empty)))
}

func TestGuideRollsOutAndTellsWhoIsBehind(t *testing.T) {
	t.Parallel()
	h := open(t, migrations)
	ctx := t.Context()
	acme, err := h.catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme", Name: "Acme"})
	require.NoError(t, err)
	lines, err := behind(ctx, h.catalog)
	require.NoError(t, err)
	assert.Empty(t, lines)

	next := fstest.MapFS{"0001_note.sql": migrations["0001_note.sql"], "0002_bad.sql": {Data: []byte(`ALTER TABLE note ADD COLUMN x int DEFAULT 1/0`)}}
	catalog, err := tenantdb.OpenCatalog(ctx, h.pool(t, h.roles.Control), tenantdb.CatalogConfig{Migrations: next, Gateways: []string{h.roles.Gateway}})
	require.NoError(t, err)
	var said strings.Builder
	err = migrate(ctx, catalog, slog.New(slog.NewTextHandler(&said, nil)))
	require.ErrorContains(t, err, "division by zero")
	assert.Contains(t, said.String(), "failed=1")
	lines, err = behind(ctx, catalog)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], acme.ID.String()+": version 2: ")
}

func TestPoolThroughPgBouncerKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	h := open(t, migrations)
	ctx := t.Context()
	pooler, err := localserver.StartPgBouncer(ctx, localserver.PgBouncerConfig{Postgres: pgtest.Server(t), PoolSize: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pooler.Close() })
	cfg, err := pgx.ParseConfig(h.url)
	require.NoError(t, err)
	pool, err := behindPgBouncer(ctx, pooler.URL(h.roles.Gateway, "secret", cfg.Database))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db, err := tenantdb.Open(ctx, pool)
	require.NoError(t, err)
	for _, slug := range []tenant.Slug{"acme", "beta"} {
		made, err := h.catalog.Create(ctx, tenantdb.NewTenant{Slug: slug, Name: string(slug)})
		require.NoError(t, err)
		in := tenant.NewContext(ctx, made)
		_, err = db.Exec(in, `INSERT INTO note (title) VALUES ($1)`, string(slug))
		require.NoError(t, err)
		assert.Equal(t, []string{string(slug)}, titles(t, db, in))
	}
}
