package temporaldispatch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/temporalx"
)

// server starts a server that is not the shared one.
func server(t *testing.T, cfg temporalserver.Config) client.Client {
	t.Helper()
	s, err := temporalserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() }) // what is left of it on a busy machine ends with the process
	return temporaltest.Dial(t, s, client.Options{})
}

// Row 41.
func TestTheCheckTellsWhetherTheServerIsFairWhateverItsPartitions(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 4} {
		for _, unfair := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d partitions, unfair %v", partitions, unfair), func(t *testing.T) {
				c := server(t, temporalserver.Config{Partitions: partitions, WithoutFairness: unfair})
				routing := temporalx.Routing{Queues: []string{"work"}}
				for range 2 {
					began := time.Now()
					report, err := temporalx.CheckServer(t.Context(), c, temporalx.CheckConfig{
						Dispatch: temporalx.Dispatch{Routing: routing, SearchAttribute: true},
						Timeout:  3 * time.Minute, // this machine may be busy with other tests
					})
					require.NoError(t, err)
					t.Log(time.Since(began), report)
					assert.Equal(t, !unfair, report.Fairness)
					assert.Equal(t, map[string]int{"work": partitions, "work/system": partitions}, report.Partitions)
					assert.True(t, report.Attribute)
					assert.NotEmpty(t, report.Version)
				}
				assertNothingRuns(t, c)
			})
		}
	}
}

// A server takes no poll of less than two seconds, and would call it a bad request.
func TestTheCheckSaysThatItsTimeIsOver(t *testing.T) {
	t.Parallel()
	c := server(t, temporalserver.Config{})
	_, err := temporalx.CheckServer(t.Context(), c, temporalx.CheckConfig{Timeout: time.Second})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assertNothingRuns(t, c)
}

func assertNothingRuns(t *testing.T, c client.Client) {
	t.Helper()
	assert.EventuallyWithT(t, func(t *assert.CollectT) {
		found, err := c.CountWorkflow(context.Background(), &workflowservice.CountWorkflowExecutionsRequest{Query: `ExecutionStatus = "Running"`})
		require.NoError(t, err)
		assert.Zero(t, found.GetCount())
	}, 30*time.Second, 100*time.Millisecond)
}
