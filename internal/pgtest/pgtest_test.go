package pgtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
)

// envLeak makes the test binary leave a goroutine behind.
const envLeak = "PGTEST_TEST_LEAK"

func TestMain(m *testing.M) {
	if os.Getenv(envLeak) != "" {
		go func() { select {} }()
	}
	pgtest.Main(m)
}

func TestLeftOverGoroutineFailsTheRun(t *testing.T) {
	t.Parallel()
	for leak, want := range map[string]int{"": 0, "yes": 1} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestEachTestHasAnEmptyDatabase$")
		cmd.Env = append(os.Environ(), envLeak+"="+leak)
		out, _ := cmd.CombinedOutput() // the exit code below tells how it ended
		assert.Equal(t, want, cmd.ProcessState.ExitCode(), "leak %q: %s", leak, out)
		assert.Equal(t, leak != "", strings.Contains(string(out), "goroutines left over"), "leak %q: %s", leak, out)
	}
}

func TestEachTestHasAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			conn := connect(t, pgtest.Database(t))
			_, err := conn.Exec(t.Context(), `CREATE TABLE alone ()`)
			require.NoError(t, err)
		})
	}
}

// As CONTRIBUTING.md shows it.
func TestANewDatabaseHasNoTables(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t)) // an empty one, dropped when the test ends
	require.NoError(t, err)
	defer conn.Close(t.Context())

	var tables int
	err = conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables)
	require.NoError(t, err)
	assert.Zero(t, tables)
}

func TestDatabaseIsDroppedWithItsConnections(t *testing.T) {
	t.Parallel()
	var name string
	var left *pgx.Conn
	t.Run("the test that leaves a connection behind", func(t *testing.T) {
		left = connect(t, pgtest.Database(t))
		name = left.Config().Database
	})
	require.Error(t, left.Ping(t.Context()))

	var there bool
	conn := connect(t, pgtest.Server(t).SuperuserURL("postgres"))
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there))
	assert.False(t, there, "database %s", name)
}

func TestNameFitsAnIdentifier(t *testing.T) {
	t.Parallel()
	t.Run("with a long name, ünïcode and Spaces "+strings.Repeat("x", 99), func(t *testing.T) {
		t.Parallel()
		first, second := pgtest.Name(t, "twenty_bytes_exactly"), pgtest.Name(t, "twenty_bytes_exactly")
		assert.NotEqual(t, first, second)
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9_]{1,63}$`), first)
	})
}

func BenchmarkDatabase(b *testing.B) {
	for i := range b.N {
		b.Run(fmt.Sprint(i), func(b *testing.B) { pgtest.Database(b) })
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	return conn
}
