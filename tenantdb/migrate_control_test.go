package tenantdb

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
)

func TestControlComponentsHaveVersionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	invite := map[string]string{"0001_invite.sql": "CREATE TABLE invite ();"}
	require.NoError(t, MigrateControl(t.Context(), y.pool, "invite", files(invite)))
	require.NoError(t, MigrateControl(t.Context(), y.pool, "apikey", files(map[string]string{"0001_key.sql": "CREATE TABLE tenantwall.apikey ();"})))
	require.NoError(t, MigrateControl(t.Context(), y.pool, "invite", files(invite)))
	require.NoError(t, MigrateControl(t.Context(), y.pool, "invite", files(with(invite, "0002_more.sql", "ALTER TABLE invite ADD COLUMN a int"))))
	require.NoError(t, MigrateControl(t.Context(), y.pool, "nothing", nil))

	rows, err := y.pool.Query(t.Context(), `SELECT component || ' ' || version || ' ' || name FROM tenantwall.migration ORDER BY component, version`)
	require.NoError(t, err)
	applied, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Equal(t, []string{"apikey 1 key", "invite 1 invite", "invite 2 more", "migrations 1 migrations"}, applied)
	y.noneInUse()

	err = MigrateControl(t.Context(), y.pool, "invite", files(invite))
	require.ErrorIs(t, err, ErrUnknownMigration)
	assert.ErrorContains(t, err, "tenantdb: migrate component invite: ")
	err = MigrateControl(t.Context(), y.pool, "invite", files(with(invite, "0001_invite.sql", "CREATE TABLE invite (b int)")))
	require.ErrorIs(t, err, ErrChecksum)
	err = MigrateControl(t.Context(), y.pool, "invite", files(with(map[string]string{}, "0001_invite.sql", "COMMIT")))
	require.ErrorIs(t, err, ErrMigrationTransaction)
}

func TestFailedControlMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	err := MigrateControl(t.Context(), y.pool, "invite", files(map[string]string{"1_a.sql": "CREATE TABLE a ()", "2_b.sql": "SELECT missing"}))
	var file *MigrationFileError
	require.ErrorAs(t, err, &file)
	assert.Equal(t, "2_b.sql", file.File)
	var there bool
	require.NoError(t, y.pool.QueryRow(t.Context(), `SELECT to_regclass('tenantwall.a') IS NOT NULL`).Scan(&there))
	assert.False(t, there)
}

func TestManyProcessesStartAtOnce(t *testing.T) {
	t.Parallel()
	url := controlURL(t, pgtest.Database(t))
	y := &yard{t: t, url: url}
	var processes sync.WaitGroup
	for i := range 8 {
		pool := y.poolOn(url, 2)
		component := []string{"invite", "apikey"}[i%2]
		fsys := files(map[string]string{"1_a.sql": "CREATE TABLE " + component + " ()", "2_b.sql": "SELECT pg_sleep(0.05)"})
		processes.Go(func() {
			assert.NoError(t, MigrateControl(context.Background(), pool, component, fsys))
		})
	}
	processes.Wait()
}

func TestControlSchemaThatMayNotBeMadeIsSetupsToMake(t *testing.T) {
	t.Parallel()
	owner := pgtest.Database(t)
	url := controlURL(t, owner)
	y := &yard{t: t, url: url}
	pool := y.poolOn(url, 2)
	conn, err := pgx.Connect(t.Context(), owner)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	control := pool.Config().ConnConfig.User
	_, err = conn.Exec(t.Context(), `REVOKE CREATE ON DATABASE `+quote(conn.Config().Database)+` FROM `+quote(control))
	require.NoError(t, err)
	fsys := files(map[string]string{"1_a.sql": "CREATE TABLE a ()"})

	err = MigrateControl(t.Context(), pool, "invite", fsys)
	require.ErrorContains(t, err, "call Setup first")

	_, err = conn.Exec(t.Context(), `CREATE SCHEMA tenantwall AUTHORIZATION `+quote(control))
	require.NoError(t, err)
	require.NoError(t, MigrateControl(t.Context(), pool, "invite", fsys))
}

func TestControlMigrationsThatAreRefused(t *testing.T) {
	t.Parallel()
	y := newYard(t, 1)
	for _, component := range []string{"", "Invite", "1st", "in vite", "migrations", "x'--", string(make([]byte, 64))} {
		require.ErrorContains(t, MigrateControl(t.Context(), y.pool, component, nil), "component", "%q", component)
	}
	require.ErrorContains(t, MigrateControl(t.Context(), nil, "invite", nil), "needs a pool")
	err := MigrateControl(t.Context(), y.pool, "invite", fstest.MapFS{})
	require.ErrorContains(t, err, "tenantdb: component invite: ")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, MigrateControl(ended, y.pool, "invite", nil), context.Canceled)
}
