// Package pgtest gives the tests of a package one private PostgreSQL server, and each
// test an empty database of its own on it.
//
// A package's TestMain is
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// and a test asks for what it needs:
//
//	url := pgtest.Database(t)
//
// The server is started by the first test that asks, so a run that needs none pays for
// none. It is thrown away at the end. The environment variable TENANTWALL_PG_BIN chooses
// another PostgreSQL, see [localserver.EnvPostgresBin].
//
// All functions may be called from parallel tests.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/internal/localserver"
)

// shared is the state of one test binary: one server, set by Main.
var shared struct {
	server  func() (*localserver.Postgres, error) // nil outside Main
	started atomic.Bool
	names   atomic.Int64
}

// Main runs the package's tests, stops the server, and exits. A run whose tests pass
// fails nevertheless when goroutines are left over then; leaks are exceptions from
// that, and should carry their reason.
func Main(m *testing.M, leaks ...goleak.Option) {
	os.Exit(Run(m.Run, leaks...))
}

// Run is Main for who has more to do between the tests and the exit, whose code it
// returns: what tests starts, it has to stop.
func Run(tests func() int, leaks ...goleak.Option) int {
	shared.server = sync.OnceValues(func() (*localserver.Postgres, error) {
		shared.started.Store(true)
		return localserver.StartPostgres(context.Background(), localserver.PostgresConfig{
			NoSync:         true,
			MaxConnections: 300,
			// Room for a transaction that makes or drops a schema of many tables, several at once.
			Settings: map[string]string{"max_locks_per_transaction": "256"},
		})
	})
	code := tests()
	if shared.started.Load() {
		// A server that failed to start has failed the tests that asked for it.
		if server, err := shared.server(); err == nil {
			if err := server.Close(); err != nil {
				fmt.Fprintln(os.Stderr, "pgtest:", err)
				code = max(code, 1)
			}
		}
	}
	if code == 0 {
		if err := goleak.Find(leaks...); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: goroutines left over after all tests:", err)
			code = 1
		}
	}
	return code
}

// Server is the server that all tests of the package share. Its roles are shared too,
// see [Name]. It is Main's to close; a test that stops or breaks a server starts its
// own with [localserver.StartPostgres].
func Server(t testing.TB) *localserver.Postgres {
	t.Helper()
	if shared.server == nil {
		t.Fatal("pgtest: no server; the package needs func TestMain(m *testing.M) { pgtest.Main(m) }")
	}
	server, err := shared.server()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return server
}

// Database creates an empty database and returns the superuser's URL of it. When the
// test ends the database is dropped, with whatever is still connected to it.
func Database(t testing.TB) string {
	t.Helper()
	server := Server(t)
	name := pgx.Identifier{Name(t, "db")}
	admin(t, server, `CREATE DATABASE `+name.Sanitize()+` TEMPLATE template0`)
	t.Cleanup(func() { admin(t, server, `DROP DATABASE `+name.Sanitize()+` WITH (FORCE)`) })
	return server.SuperuserURL(name[0])
}

// Name makes a name that no other test of the package gets: the prefix, a number, and
// some of the test's own name for whoever looks into the server. It is meant for what
// all databases of a server share, roles above all. Prefixes have up to 20 bytes; the
// name keeps within PostgreSQL's 63 and to a-z, 0-9 and _.
func Name(t testing.TB, prefix string) string {
	t.Helper()
	if len(prefix) > 20 {
		t.Fatalf("pgtest: the prefix %q is longer than 20 bytes", prefix)
	}
	test := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, strings.TrimPrefix(t.Name(), "Test"))
	return fmt.Sprintf("%s_%d_%.30s", prefix, shared.names.Add(1), test)
}

// admin runs one statement as the superuser. Its time limit is its own: at clean-up the
// test's context is done already.
func admin(t testing.TB, server *localserver.Postgres, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.SuperuserURL("postgres"))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("pgtest: %s: %v", sql, err)
	}
}
