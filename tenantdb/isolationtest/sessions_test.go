package isolationtest_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

const mark = `SELECT body FROM note WHERE id = 1`

// sessions is a check of three tenants with a note each, on a database of the test's own. exec
// runs SQL as its owner.
func sessions(t testing.TB) (cfg isolationtest.SessionConfig, exec func(sql string)) {
	t.Helper()
	owner, err := pgx.Connect(t.Context(), pgtest.Database(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	roles := tenantdb.Roles{
		Gateway: pgtest.Name(t, "gateway"), GatewayPassword: "gateway secret",
		Control: pgtest.Name(t, "control"), ControlPassword: "control secret",
	}
	require.NoError(t, tenantdb.Setup(t.Context(), owner, roles))
	as := func(user, password string) *pgxpool.Config {
		u, err := url.Parse(owner.Config().ConnString())
		require.NoError(t, err)
		u.User = url.UserPassword(user, password)
		config, err := pgxpool.ParseConfig(u.String())
		require.NoError(t, err)
		return config
	}
	control, err := pgxpool.NewWithConfig(t.Context(), as(roles.Control, roles.ControlPassword))
	require.NoError(t, err)
	t.Cleanup(control.Close)
	catalog, err := tenantdb.OpenCatalog(t.Context(), control, tenantdb.CatalogConfig{
		Gateways:   []string{roles.Gateway},
		Migrations: fstest.MapFS{"0001_note.sql": {Data: []byte(`CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)`)}},
	})
	require.NoError(t, err)
	cfg = isolationtest.SessionConfig{Pool: as(roles.Gateway, roles.GatewayPassword), Mark: mark, Rounds: 120, Timeout: 5 * time.Second}
	for _, slug := range []tenant.Slug{"acme-corp", "beta-industries", "third"} {
		made, err := catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: string(slug), Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
			_, err := tx.Exec(ctx, `INSERT INTO `+pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()+` (body) VALUES ($1)`, "of "+string(slug))
			return err
		}})
		require.NoError(t, err)
		cfg.Tenants = append(cfg.Tenants, made)
	}
	return cfg, func(sql string) {
		_, err := owner.Exec(context.Background(), sql)
		require.NoError(t, err)
	}
}

// Rows 1 and 3: what is left behind by work that is broken off.
func TestRow1_Row3_NothingIsFoundInSessionsOfTenantdb(t *testing.T) {
	t.Parallel()
	cfg, _ := sessions(t)
	cfg.Work = []func(context.Context, *tenantdb.DB) error{
		func(ctx context.Context, db *tenantdb.DB) error {
			_, err := db.Exec(ctx, `INSERT INTO note (body) VALUES ('more')`)
			return err
		},
		func(ctx context.Context, db *tenantdb.DB) error {
			_, err := db.Exec(ctx, `SET search_path = public`) // tenantdb closes the connection
			return err
		},
		func(context.Context, *tenantdb.DB) error { panic("a handler") },
	}
	report, err := isolationtest.CheckSessions(t.Context(), cfg)
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	assert.Equal(t, 240, report.Rounds)
	assert.Greater(t, report.Broken, 95, "90 end in an error or a panic, the others by their context")
	assert.Less(t, report.Broken, 240, "some work is done to its end")
	isolationtest.Sessions(t, cfg)
}

// A table that all tenants share, and of which one forgot to say whose the rows are.
func TestAMarkOfAnotherTenantIsFound(t *testing.T) {
	t.Parallel()
	cfg, exec := sessions(t)
	exec(`CREATE SCHEMA shared; CREATE TABLE shared.last (body text); GRANT USAGE ON SCHEMA shared TO PUBLIC; GRANT ALL ON shared.last TO PUBLIC`)
	cfg.Mark = `SELECT coalesce((SELECT body FROM shared.last LIMIT 1), (SELECT body FROM note WHERE id = 1))`
	cfg.Work = []func(context.Context, *tenantdb.DB) error{func(ctx context.Context, db *tenantdb.DB) error {
		_, err := db.Exec(ctx, `INSERT INTO shared.last SELECT body FROM note WHERE id = 1`)
		return err
	}}
	watch := &watched{ctx: t.Context()}
	isolationtest.Sessions(watch, cfg)
	assert.Empty(t, watch.fatal)
	require.NotEmpty(t, watch.errors)
	found := strings.Join(watch.errors, "\n")
	assert.Regexp(t, `after .* of tenant .*: the mark of tenant .* is "of .*", and should be "of `, found)
	assert.Regexp(t, `a tenant with the mark "of .*" has read "of `, found)
}

func TestAConnectionThatComesBackOtherwiseIsFound(t *testing.T) {
	t.Parallel()
	cfg, _ := sessions(t)
	var borrowed atomic.Int64
	cfg.Pool.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		if borrowed.Add(1) == 20 {
			_, err := conn.Exec(ctx, `SET search_path = elsewhere`)
			return true, err
		}
		return true, nil
	}
	report, err := isolationtest.CheckSessions(t.Context(), cfg)
	require.NoError(t, err)
	require.NotEmpty(t, report.Findings)
	assert.Contains(t, report.String(), `search_path elsewhere", and a new one in`)
	assert.LessOrEqual(t, len(report.Findings), 100)
}

func TestAConnectionThatIsNeverGivenBackIsFound(t *testing.T) {
	t.Parallel()
	cfg, _ := sessions(t)
	cfg.Rounds, cfg.Connections, cfg.Timeout = 6, 2, 300*time.Millisecond
	var once sync.Once
	var kept pgx.Tx
	cfg.Work = []func(context.Context, *tenantdb.DB) error{func(_ context.Context, db *tenantdb.DB) (err error) {
		once.Do(func() { kept, err = db.Begin(tenant.NewContext(context.Background(), cfg.Tenants[0])) })
		return err
	}}
	report, err := isolationtest.CheckSessions(t.Context(), cfg)
	require.NotNil(t, kept)
	require.NoError(t, kept.Rollback(context.Background()))
	require.NoError(t, err)
	assert.Contains(t, report.String(), "can't be read")
	assert.Contains(t, report.String(), "no connection can be had")
	assert.Contains(t, report.String(), "1 connections were never given back")
}

func TestSessionSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	whole, _ := sessions(t)
	for want, change := range map[string]func(*isolationtest.SessionConfig){
		"Pool is nil":                      func(c *isolationtest.SessionConfig) { c.Pool = nil },
		"fewer than two":                   func(c *isolationtest.SessionConfig) { c.Tenants = c.Tenants[:1] },
		"Mark is empty":                    func(c *isolationtest.SessionConfig) { c.Mark = "" },
		"Rounds is -1":                     func(c *isolationtest.SessionConfig) { c.Rounds = -1 },
		"Connections is 1":                 func(c *isolationtest.SessionConfig) { c.Connections = 1 },
		"Timeout is -1ns":                  func(c *isolationtest.SessionConfig) { c.Timeout = -1 },
		"read the mark of tenant":          func(c *isolationtest.SessionConfig) { c.Mark = `SELECT nothing FROM note` },
		`have the same mark "x"`:           func(c *isolationtest.SessionConfig) { c.Mark = `SELECT 'x'` },
		"with 1 connections: failed to co": func(c *isolationtest.SessionConfig) { c.Pool = c.Pool.Copy(); c.Pool.ConnConfig.Port = 1 },
	} {
		cfg := whole
		change(&cfg)
		_, err := isolationtest.CheckSessions(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		watch := &watched{ctx: t.Context()}
		isolationtest.Sessions(watch, cfg)
		assert.Len(t, watch.fatal, 1)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := isolationtest.CheckSessions(over, whole)
	require.ErrorIs(t, err, context.Canceled)
}
