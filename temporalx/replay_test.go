package temporalx_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// Workflows of an earlier version run on with this one. Histories are recorded by the tests
// in examples/internal/temporalxtests, with TENANTWALL_RECORD=1; an old one stays beside those that a
// changed workflow writes, for as long as it has to be replayed.
func TestRecordedHistoriesAreReplayed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	plugin, err := temporalx.Plugin(temporalx.Config{
		Store: tenanttest.NewStore(),
		Keys:  []temporalx.Key{{ID: "test", Secret: make([]byte, 32)}},
	})
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Plugins: []worker.Plugin{plugin}})
			require.NoError(t, err)
			temporalx.RegisterForReplay(replayer)
			assert.NoError(t, replay(t, replayer, file))
		})
	}
}

// replay replays a history under the workflow's own id: a header is worth nothing under
// another, which is what the replayer would take.
func replay(t *testing.T, replayer worker.WorkflowReplayer, file string) error {
	t.Helper()
	text, err := os.Open(file)
	require.NoError(t, err)
	defer text.Close()
	history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
	require.NoError(t, err)
	started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}
