// Package temporaltest gives the tests of a package one Temporal server, beside the
// PostgreSQL of [pgtest].
//
// A package's TestMain is
//
//	func TestMain(m *testing.M) { temporaltest.Main(m) }
//
// and a test asks for what it needs:
//
//	c := temporaltest.Client(t, client.Options{})
//
// The server is started by the first test that asks. Tests share its namespace, so each
// has task queues and workflow ids of its own, see [Name]. To link the server into a test
// binary takes as long as many tests do, with the race detector above all: few packages
// should.
//
// All functions may be called from parallel tests.
package temporaltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/internal/pgtest"
)

// shared is the state of one test binary: one server, set by Main.
var shared struct {
	server  func() (*temporalserver.Server, error) // nil outside Main
	started atomic.Bool
	names   atomic.Int64
}

// Main runs the package's tests as [pgtest.Main] does, stops the servers, and exits.
func Main(m *testing.M, leaks ...goleak.Option) {
	shared.server = sync.OnceValues(func() (*temporalserver.Server, error) {
		shared.started.Store(true)
		return temporalserver.Start(context.Background(), temporalserver.Config{})
	})
	os.Exit(pgtest.Run(func() int { return run(m.Run) }, append(leaks, Leftovers()...)...))
}

func run(tests func() int) int {
	code := tests()
	worker.PurgeStickyWorkflowCache() // workflows that tests have left running
	if !shared.started.Load() {
		return code
	}
	// A server that failed to start has failed the tests that asked for it.
	if server, err := shared.server(); err == nil {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "temporaltest:", err)
			if !errors.Is(err, temporalserver.ErrNotStopped) { // which this process is about to mend
				code = max(code, 1)
			}
		}
	}
	return code
}

// Server is the server that all tests of the package share. It is Main's to close; a test
// that stops or breaks a server starts its own with [temporalserver.Start].
func Server(t testing.TB) *temporalserver.Server {
	t.Helper()
	require.NotNil(t, shared.server, "temporaltest: the package needs func TestMain(m *testing.M) { temporaltest.Main(m) }")
	server, err := shared.server()
	require.NoError(t, err)
	return server
}

// Stop stops a server of the test's own. That a busy machine does not get it to end in time
// fails no test: what is left of it ends with the process.
func Stop(t testing.TB, server *temporalserver.Server) {
	t.Helper()
	if err := server.Close(); err != nil && !errors.Is(err, temporalserver.ErrNotStopped) {
		t.Errorf("temporaltest: %v", err)
	}
}

// Client connects to the shared server, with the plugins, interceptors and converters of
// the options; the address is set, and the namespace and the log where they are not. It
// is closed when the test ends.
func Client(t testing.TB, options client.Options) client.Client {
	t.Helper()
	return Dial(t, Server(t), options)
}

// Dial is [Client] for a server of the test's own.
func Dial(t testing.TB, server *temporalserver.Server, options client.Options) client.Client {
	t.Helper()
	defaults := server.ClientOptions()
	options.HostPort = defaults.HostPort
	options.Namespace = cmp.Or(options.Namespace, defaults.Namespace)
	if options.Logger == nil {
		options.Logger = defaults.Logger
	}
	unhurried, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{Name: "temporaltest", ConfigureWorker: unhurry})
	require.NoError(t, err)
	options.Plugins = append(slices.Clone(options.Plugins), unhurried)
	c, err := client.DialContext(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// unhurry gives the workflows of workers that set no limit a minute to get on with each task,
// where the SDK takes those for dead that have not done so in a second: on a busy machine they
// are not.
func unhurry(_ context.Context, w worker.PluginConfigureWorkerOptions) error {
	w.WorkerOptions.DeadlockDetectionTimeout = cmp.Or(w.WorkerOptions.DeadlockDetectionTimeout, time.Minute)
	return nil
}

// Name makes a name that no other test of the package gets, for task queues, workflows
// and schedules.
func Name(t testing.TB, prefix string) string {
	t.Helper()
	return fmt.Sprintf("%s-%d-%s", prefix, shared.names.Add(1), t.Name())
}

// Leftovers are the goroutines that a stopped server leaves behind.
func Leftovers() []goleak.Option {
	return []goleak.Option{
		// The server's own worker service stops the workers of its system workflows without
		// waiting for all of their goroutines. They look like those of any worker, so a worker
		// that a test forgets to stop is not found.
		goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*baseWorker).Start.func2"),
		goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*baseWorker).runTaskDispatcher"),
		goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*baseWorker).runEagerTaskDispatcher"),
		goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*baseWorker).runPoller"),
		goleak.IgnoreTopFunction("go.temporal.io/sdk/internal/common/backoff.(*ConcurrentRetrier).throttleInternal"),
		goleak.IgnoreTopFunction("go.temporal.io/sdk/internal.(*localActivityTunnel).getTask"),
		goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*sharedNamespaceWorker).run"),
		// Its services' connections to one another are never closed.
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"),
		// How they know of one another: it ends with the process.
		goleak.IgnoreAnyFunction("go.temporal.io/server/common/membership/ringpop.(*monitor).startHeartbeatUpsertLoop.func1"),
		goleak.IgnoreAnyFunction("github.com/temporalio/ringpop-go.(*Ringpop).startTimers.func1"),
		goleak.IgnoreAnyFunction("github.com/temporalio/ringpop-go.(*Ringpop).startTimers.func2"),
		goleak.IgnoreAnyFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		// SQLite, which it keeps open for the next server of this process.
		goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"),
	}
}
