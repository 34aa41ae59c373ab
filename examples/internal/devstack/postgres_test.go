package devstack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func start(t *testing.T, cfg PostgresConfig) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func whoIs(t *testing.T, pool *pgxpool.Pool) (user, database string) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT session_user, current_database()`).Scan(&user, &database))
	return user, database
}

func TestAnEmbeddedServerIsSetUpForTenants(t *testing.T) {
	t.Parallel()
	p := start(t, PostgresConfig{})
	user, database := whoIs(t, p.Gateway())
	assert.Equal(t, tenantdb.DefaultGateway, user)
	assert.Equal(t, embeddedDatabase, database)
	user, _ = whoIs(t, p.Control())
	assert.Equal(t, tenantdb.DefaultControl, user)
	_, err := tenantdb.Open(t.Context(), p.Gateway())
	require.NoError(t, err, "the audit finds nothing")
	assert.Contains(t, p.String(), "thrown away")
}

func TestDataAreKeptInAFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "if", "missing")
	p, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	require.NoError(t, err)
	assert.Contains(t, p.String(), dir)
	_, err = p.Control().Exec(t.Context(), `CREATE TABLE tenantwall.kept (n int)`)
	require.NoError(t, err)
	_, err = StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	require.ErrorIs(t, err, localserver.ErrInUse, "one at a time")
	require.NoError(t, p.Close())

	again := start(t, PostgresConfig{Dir: dir})
	_, err = again.Control().Exec(t.Context(), `SELECT n FROM tenantwall.kept`)
	require.NoError(t, err)
}

func TestAServerThatExistsIsUsed(t *testing.T) {
	t.Parallel()
	server, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })

	url := server.SuperuserURL("postgres")
	first, second := start(t, PostgresConfig{URL: url}), start(t, PostgresConfig{URL: url, Dir: "/does/not/matter"})
	for _, p := range []*Postgres{first, second, first} { // the second has not locked the first out
		p.Gateway().Reset()
		user, database := whoIs(t, p.Gateway())
		assert.Equal(t, tenantdb.DefaultGateway, user)
		assert.Equal(t, "postgres", database)
		assert.NotContains(t, p.String(), server.Password())
	}
	require.NoError(t, first.Close())
	whoIs(t, second.Gateway()) // the server is not ours to stop
}

func TestAServerThatIsAwayIsToldWithoutItsPassword(t *testing.T) {
	t.Parallel()
	_, err := StartPostgres(t.Context(), PostgresConfig{URL: "postgres://owner:secret-word@127.0.0.1:1/x?sslmode=disable"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret-word")
	_, err = StartPostgres(t.Context(), PostgresConfig{URL: "postgres://owner:secret-word@127.0.0.1:none/x"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret-word")
}

func TestAMissingServerSaysWhatToInstall(t *testing.T) {
	t.Setenv(localserver.EnvPostgresBin, t.TempDir())
	_, err := StartPostgres(t.Context(), PostgresConfig{})
	require.ErrorIs(t, err, localserver.ErrMissing)
	assert.ErrorContains(t, err, "apt-get install postgresql")
}

func TestPasswordsAreDerivedFromTheOwners(t *testing.T) {
	t.Parallel()
	gateway, again := rolePassword("a", "gateway"), rolePassword("a", "gateway")
	assert.Equal(t, gateway, again)
	assert.NotEqual(t, gateway, rolePassword("a", "control"))
	assert.NotEqual(t, gateway, rolePassword("b", "gateway"))
	drawn, anew := rolePassword("", "gateway"), rolePassword("", "gateway")
	assert.NotEqual(t, drawn, anew, "nothing to derive from")
}

func TestMain(m *testing.M) {
	// What libpq looks at would stand in for what a test leaves out.
	for _, name := range []string{"PGPASSWORD", "PGHOST", "PGUSER"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}
