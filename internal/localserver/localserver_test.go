package localserver_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/internal/localserver"
)

// envParent makes the test binary the parent that TestServersEndWithTheirParent kills.
const envParent = "LOCALSERVER_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(envParent) != "" {
		parent()
	}
	goleak.VerifyTestMain(m)
}

func TestPostgresTakesPasswordsAlone(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, localserver.PostgresConfig{})

	assert.Equal(t, "on", queryRow[string](t, pg.SuperuserURL("postgres"), `SHOW fsync`))
	assert.Equal(t, "100", queryRow[string](t, pg.SuperuserURL("postgres"), `SHOW max_connections`))
	assert.Equal(t, "UTF8", queryRow[string](t, pg.SuperuserURL("postgres"), `SHOW server_encoding`))

	for _, host := range []string{"127.0.0.1", pg.SocketDir()} {
		config, err := pgx.ParseConfig(pg.SuperuserURL("postgres"))
		require.NoError(t, err)
		config.Host = host
		conn, err := pgx.ConnectConfig(t.Context(), config)
		require.NoError(t, err, "with the password at %s", host)
		require.NoError(t, conn.Close(t.Context()))

		config.Password = "wrong"
		_, err = pgx.ConnectConfig(t.Context(), config)
		require.ErrorContains(t, err, "28P01", "a wrong password at %s", host)
	}
}

func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, localserver.PostgresConfig{
		NoSync:         true,
		MaxConnections: 33,
		Settings:       map[string]string{"max_locks_per_transaction": "77", "timezone": "Europe/Paris"},
	})
	for name, want := range map[string]string{
		"fsync": "off", "max_connections": "33", "max_locks_per_transaction": "77", "TimeZone": "Europe/Paris",
	} {
		assert.Equal(t, want, queryRow[string](t, pg.SuperuserURL("postgres"), `SELECT current_setting($1)`, name), name)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	pg, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{NoSync: true})
	require.NoError(t, err)
	require.NoError(t, pg.Close())
	require.NoError(t, pg.Close(), "a second time")
	assert.NoDirExists(t, pg.SocketDir())
	assert.False(t, listening(pg.Port()))
}

func TestPostgresFindsItsDataAgain(t *testing.T) {
	t.Parallel()
	// A folder that does not exist yet, in one that only this process's user may enter.
	config := localserver.PostgresConfig{Dir: filepath.Join(t.TempDir(), "some", "where")}

	first := startPostgres(t, config)
	exec1(t, first.SuperuserURL("postgres"), `CREATE TABLE kept AS SELECT 'still here' AS word`)

	_, err := localserver.StartPostgres(t.Context(), config)
	require.ErrorIs(t, err, localserver.ErrInUse, "two servers on one folder")

	require.NoError(t, first.Close())
	second := startPostgres(t, config)
	assert.Equal(t, first.Password(), second.Password())
	assert.Equal(t, "still here", queryRow[string](t, second.SuperuserURL("postgres"), `SELECT word FROM kept`))
}

// A crash leaves postmaster.pid behind, and in a container the next process of the
// same user soon has the process id that stands in it.
func TestPostgresStartsAfterACrashWhoseProcessIDIsInUseAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := localserver.PostgresConfig{Dir: dir}
	first := startPostgres(t, config)
	exec1(t, first.SuperuserURL("postgres"), `CREATE TABLE kept AS SELECT 'still here' AS word`)
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	require.NoError(t, first.Close())

	other := startPostgres(t, localserver.PostgresConfig{NoSync: true}) // a live process of the same user
	left := strings.Replace(string(content), strconv.Itoa(first.PID()), strconv.Itoa(other.PID()), 1)
	require.NoError(t, os.WriteFile(pidFile, []byte(left), 0o600))
	owner, err := os.Stat(filepath.Dir(pidFile))
	require.NoError(t, err)
	require.NoError(t, os.Chown(pidFile, int(owner.Sys().(*syscall.Stat_t).Uid), -1))

	second := startPostgres(t, config)
	assert.Equal(t, "still here", queryRow[string](t, second.SuperuserURL("postgres"), `SELECT word FROM kept`))
	assert.True(t, listening(other.Port()), "the other process lives on")
}

// Where no signal tells a server of its parent's death, it is found by the next start.
func TestPostgresTakesOverFromAnAbandonedServer(t *testing.T) {
	t.Parallel()
	config := localserver.PostgresConfig{Dir: t.TempDir()}
	first := startPostgres(t, config)
	exec1(t, first.SuperuserURL("postgres"), `CREATE TABLE kept AS SELECT 'still here' AS word`)
	first.Abandon()
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(first.SocketDir(), old, old))
	require.NoError(t, localserver.Sweep(filepath.Dir(first.SocketDir())))

	second := startPostgres(t, config)
	assert.False(t, listening(first.Port()))
	assert.Equal(t, "still here", queryRow[string](t, second.SuperuserURL("postgres"), `SELECT word FROM kept`))
}

func TestSweepRemovesWhatNobodyHolds(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for name, file := range map[string]string{
		"tenantwall-pg-left":      "owner.lock",
		"tenantwall-pg-young":     "owner.lock",
		"tenantwall-not-ours":     "README",
		"something-tenantwall-pg": "owner.lock",
	} {
		dir := filepath.Join(base, name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
		if !strings.HasSuffix(name, "young") {
			require.NoError(t, os.Chtimes(dir, old, old))
		}
	}
	require.NoError(t, os.Symlink(base, filepath.Join(base, "tenantwall-link")))

	require.NoError(t, localserver.Sweep(base))
	left, err := os.ReadDir(base)
	require.NoError(t, err)
	var names []string
	for _, entry := range left {
		names = append(names, entry.Name())
	}
	assert.Equal(t, []string{"something-tenantwall-pg", "tenantwall-link", "tenantwall-not-ours", "tenantwall-pg-young"}, names)
}

func TestPostgresStartsAfterAHalfMadeFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data.unfinished", "base"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data.unfinished", "PG_VERSION"), []byte("15"), 0o600))
	startPostgres(t, localserver.PostgresConfig{Dir: dir, NoSync: true})
}

func TestRedisKeepsNothingAndWantsItsPassword(t *testing.T) {
	t.Parallel()
	r, err := localserver.StartRedis(t.Context(), localserver.RedisConfig{Settings: map[string]string{"maxmemory": "64mb"}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })

	u, err := url.Parse(r.URL())
	require.NoError(t, err)
	password, _ := u.User.Password()
	assert.Equal(t, r.Password(), password)
	assert.Equal(t, r.Addr(), u.Host)

	assert.Equal(t, []string{"-NOAUTH Authentication required."}, redis(t, r, "PING"))
	assert.Equal(t, []string{"+OK", "*2", "$4", "save", "$0", ""}, redis(t, r, "AUTH "+r.Password(), "CONFIG GET save"))
	assert.Equal(t, []string{"+OK", "*2", "$9", "maxmemory", "$8", "67108864"}, redis(t, r, "AUTH "+r.Password(), "CONFIG GET maxmemory"))

	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "a second time")
	assert.False(t, listening(r.Port()))
}

func TestRedisClusterServesAllSlotsWithItsPassword(t *testing.T) {
	t.Parallel()
	cluster, err := localserver.StartRedisCluster(t.Context(), 3)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, cluster.Close()) })
	require.Len(t, cluster.Addrs(), 3)

	served := 0
	for _, node := range cluster.Nodes {
		assert.Equal(t, cluster.Password(), node.Password())
		assert.Equal(t, []string{"-NOAUTH Authentication required."}, redis(t, node, "GET key"))
		answer := redis(t, node, "AUTH "+node.Password(), "GET key")
		if answer[1] == "$-1" {
			served++
			continue
		}
		assert.Contains(t, answer[1], "-MOVED 12539 ")
	}
	assert.Equal(t, 1, served, "one node has the slot of the key")

	_, err = localserver.StartRedisCluster(t.Context(), 2)
	require.ErrorContains(t, err, "less than 3")
}

func TestRedisSentinelKnowsItsMasterAndTheReplica(t *testing.T) {
	t.Parallel()
	s, err := localserver.StartRedisSentinel(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })

	// A sentinel knows no QUIT, so its lines are counted.
	conn, err := net.Dial("tcp", s.Sentinel.Addr())
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(conn, "SENTINEL MASTERS\r\nAUTH %s\r\nSENTINEL GET-MASTER-ADDR-BY-NAME %s\r\n", s.Password(), s.MasterName())
	require.NoError(t, err)
	port := strconv.Itoa(s.Master.Port())
	lines := bufio.NewScanner(conn)
	for _, want := range []string{"-NOAUTH Authentication required.", "+OK", "*2", "$9", "127.0.0.1", "$" + strconv.Itoa(len(port)), port} {
		require.True(t, lines.Scan(), "%v", lines.Err())
		assert.Equal(t, want, lines.Text())
	}
	assert.Equal(t, []string{"+OK", "+OK"}, redis(t, s.Master, "AUTH "+s.Password(), "SET key value"))
	refused := redis(t, s.Replica, "AUTH "+s.Password(), "SET key value")
	assert.Contains(t, refused[1], "-READONLY ")
}

func TestPgBouncerSharesOneConnectionAmongUsersClients(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, localserver.PostgresConfig{NoSync: true})
	pooler, err := localserver.StartPgBouncer(t.Context(), localserver.PgBouncerConfig{Postgres: pg, PoolSize: 1})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pooler.Close()) })

	// Both users are younger than the pooler.
	for _, user := range []string{"ada", "ben"} {
		exec1(t, pg.SuperuserURL("postgres"), fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '%s-secret'`, user, user))
	}
	clients := make(map[string][2]*pgx.Conn)
	for _, user := range []string{"ada", "ben"} {
		var pair [2]*pgx.Conn
		for i := range pair {
			pair[i] = connect(t, pooler.URL(user, user+"-secret", "postgres"))
		}
		clients[user] = pair
	}
	backend := func(c *pgx.Conn) (pid int) {
		require.NoError(t, c.QueryRow(t.Context(), `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&pid))
		return pid
	}
	ada, ben := clients["ada"], clients["ben"]
	assert.Equal(t, backend(ada[0]), backend(ada[1]), "two clients, one server connection")
	assert.Equal(t, backend(ben[0]), backend(ben[1]), "two clients, one server connection")
	assert.NotEqual(t, backend(ada[0]), backend(ben[0]), "two users, two server connections")

	_, err = pgx.Connect(t.Context(), pooler.URL("ada", "wrong", "postgres"))
	require.Error(t, err)
	_, err = pgx.Connect(t.Context(), pooler.URL("nobody-here", "wrong", "postgres"))
	require.Error(t, err)

	require.NoError(t, pooler.Close())
	require.NoError(t, pooler.Close(), "a second time")
	assert.False(t, listening(pooler.Port()))
}

func TestPgBouncerNeedsAServer(t *testing.T) {
	t.Parallel()
	_, err := localserver.StartPgBouncer(t.Context(), localserver.PgBouncerConfig{})
	require.ErrorContains(t, err, "Postgres is nil")
}

func TestFailureToStartQuotesTheServer(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, localserver.PostgresConfig{NoSync: true})
	nonsense := map[string]string{"no_such_setting": "7"}

	_, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{NoSync: true, Settings: nonsense})
	require.ErrorContains(t, err, `unrecognized configuration parameter "no_such_setting"`)
	_, err = localserver.StartRedis(t.Context(), localserver.RedisConfig{Settings: nonsense})
	require.ErrorContains(t, err, "no_such_setting")
	_, err = localserver.StartPgBouncer(t.Context(), localserver.PgBouncerConfig{Postgres: pg, Settings: nonsense})
	require.ErrorContains(t, err, "unknown parameter: pgbouncer/no_such_setting")
}

func TestPortInUseIsNeverTakenForOurs(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	pg := startPostgres(t, localserver.PostgresConfig{NoSync: true})

	_, err = localserver.StartPostgres(t.Context(), localserver.PostgresConfig{NoSync: true, Settings: map[string]string{"port": taken}})
	require.ErrorContains(t, err, "port taken by another process")
	_, err = localserver.StartRedis(t.Context(), localserver.RedisConfig{Settings: map[string]string{"port": taken}})
	require.ErrorContains(t, err, "port taken by another process")
	_, err = localserver.StartPgBouncer(t.Context(), localserver.PgBouncerConfig{Postgres: pg, Settings: map[string]string{"listen_port": taken}})
	require.ErrorContains(t, err, "port taken by another process")
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := localserver.StartPostgres(ctx, localserver.PostgresConfig{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestMissingProgramsSayWhatToInstall(t *testing.T) {
	t.Setenv(localserver.EnvPostgresBin, t.TempDir())
	_, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{})
	require.ErrorIs(t, err, localserver.ErrMissing)
	var missing *localserver.MissingError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "initdb and postgres", missing.Program)
	assert.ErrorContains(t, err, "apt-get install postgresql")
	assert.ErrorContains(t, err, localserver.EnvPostgresBin)
}

// The thread that starts a child owns it in the kernel's eyes. Here it ends at once.
func TestServerOutlivesTheThreadThatStartedIt(t *testing.T) {
	t.Parallel()
	started := make(chan *localserver.Redis)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		r, err := localserver.StartRedis(context.Background(), localserver.RedisConfig{})
		assert.NoError(t, err)
		started <- r
	}()
	r := <-started
	require.NotNil(t, r)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	time.Sleep(300 * time.Millisecond)
	assert.True(t, listening(r.Port()))
}

func TestServersEndWithTheirParent(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("no other system tells a child that its parent died")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), envParent+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	var ports []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		port, err := strconv.Atoi(lines.Text())
		require.NoError(t, err)
		ports = append(ports, port)
	}
	require.NoError(t, lines.Err())
	require.Len(t, ports, 3)
	for _, port := range ports {
		require.True(t, listening(port))
	}

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	for _, port := range ports {
		assert.Eventually(t, func() bool { return !listening(port) }, 10*time.Second, 50*time.Millisecond, "port %d", port)
	}

	again := startPostgres(t, localserver.PostgresConfig{Dir: dir})
	assert.Equal(t, "committed", queryRow[string](t, again.SuperuserURL("postgres"), `SELECT word FROM kept`))
}

// parent starts one of each server, says where they listen, and waits to be killed.
func parent() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	pg, err := localserver.StartPostgres(ctx, localserver.PostgresConfig{Dir: os.Getenv(envParent)})
	check(err)
	pooler, err := localserver.StartPgBouncer(ctx, localserver.PgBouncerConfig{Postgres: pg})
	check(err)
	redis, err := localserver.StartRedis(ctx, localserver.RedisConfig{})
	check(err)
	conn, err := pgx.Connect(ctx, pg.SuperuserURL("postgres"))
	check(err)
	_, err = conn.Exec(ctx, `CREATE TABLE kept AS SELECT 'committed' AS word`)
	check(err)
	fmt.Printf("%d\n%d\n%d\nready\n", pg.Port(), pooler.Port(), redis.Port())
	time.Sleep(5 * time.Minute)
	os.Exit(1)
}

func startPostgres(t *testing.T, config localserver.PostgresConfig) *localserver.Postgres {
	t.Helper()
	pg, err := localserver.StartPostgres(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Close()) })
	return pg
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // its server may be gone by then
	return conn
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	_, err := connect(t, url).Exec(t.Context(), sql)
	require.NoError(t, err)
}

func queryRow[T any](t *testing.T, url, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, connect(t, url).QueryRow(t.Context(), sql, args...).Scan(&v))
	return v
}

// redis sends commands and returns the lines of all answers.
func redis(t *testing.T, r *localserver.Redis, commands ...string) (lines []string) {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr())
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	_, err = fmt.Fprintf(conn, "%s\r\nQUIT\r\n", strings.Join(commands, "\r\n"))
	require.NoError(t, err)
	for s := bufio.NewScanner(conn); s.Scan(); {
		lines = append(lines, s.Text())
	}
	require.NotEmpty(t, lines)
	return lines[:len(lines)-1] // QUIT's own
}

// listening reports whether something takes connections on the port.
func listening(port int) bool {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
