//go:build !notes_lean

package temporalserver_test

import (
	"database/sql"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/internal/localserver"
)

func TestMain(m *testing.M) { temporaltest.Main(m) }

// sleeper waits for a signal, as long as need be.
func sleeper(ctx workflow.Context) (string, error) {
	var said string
	workflow.GetSignalChannel(ctx, "say").Receive(ctx, &said)
	return said, nil
}

func runSleepers(t *testing.T, c client.Client, queue string) {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(sleeper)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func TestTheServerHasTheSearchAttribute(t *testing.T) {
	t.Parallel()
	c := temporaltest.Client(t, client.Options{})
	got, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{
		Namespace: temporaltest.Server(t).Namespace(),
	})
	require.NoError(t, err)
	assert.Equal(t, enums.INDEXED_VALUE_TYPE_KEYWORD, got.GetCustomAttributes()[temporalserver.TenantID])
}

func TestARestartKeepsAddressAndWorkflows(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"in memory": "", "in a folder": filepath.Join(t.TempDir(), "made %20 if?", "missing")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := temporalserver.Start(t.Context(), temporalserver.Config{Dir: dir, Namespace: "of-the-test"})
			require.NoError(t, err)
			t.Cleanup(func() { temporaltest.Stop(t, server) })
			c := temporaltest.Dial(t, server, client.Options{})
			runSleepers(t, c, "sleep")
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "sleep"}, sleeper)
			require.NoError(t, err)

			before := server.Addr()
			require.NoError(t, server.Restart(t.Context()))
			assert.Equal(t, before, server.Addr())
			require.EventuallyWithT(t, func(collect *assert.CollectT) {
				assert.NoError(collect, c.SignalWorkflow(t.Context(), "kept", "", "say", "still here"))
			}, time.Minute, 50*time.Millisecond)
			var said string
			require.NoError(t, run.Get(t.Context(), &said))
			assert.Equal(t, "still here", said)
		})
	}
}

func TestAFolderIsFoundAgainByTheNextServer(t *testing.T) {
	t.Parallel()
	cfg := temporalserver.Config{Dir: t.TempDir()}
	first, err := temporalserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	_, err = temporaltest.Dial(t, first, client.Options{}).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "q"}, sleeper)
	require.NoError(t, err)
	require.NoError(t, first.Stop(t.Context()))
	require.NoError(t, first.Close(), "again")

	second, err := temporalserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { temporaltest.Stop(t, second) })
	found, err := temporaltest.Dial(t, second, client.Options{}).DescribeWorkflowExecution(t.Context(), "kept", "")
	require.NoError(t, err)
	assert.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, found.GetWorkflowExecutionInfo().GetStatus())
}

func TestAFolderInUseIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	cfg := temporalserver.Config{Dir: t.TempDir()}
	// Servers of one process share the database. Another process is who has its lock.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(cfg.Dir, "temporal.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	other, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = other.ExecContext(t.Context(), `CREATE TABLE of_another_process (id INTEGER)`)
	require.NoError(t, err)
	_, err = temporalserver.Start(t.Context(), cfg)
	require.ErrorIs(t, err, localserver.ErrInUse)
	require.ErrorContains(t, err, cfg.Dir)
	require.NoError(t, other.Rollback())
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(temporaltest.Server(t).Addr())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	_, err = temporalserver.Start(t.Context(), temporalserver.Config{Port: n})
	require.ErrorContains(t, err, port)
}
