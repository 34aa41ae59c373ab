//go:build !notes_lean

package temporalxtests

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/temporalx"
)

// Row 39.
func TestRow39_EachWayOfStartingWorkKeepsTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.client, w.queue)
	ctx := w.as(w.acme)
	for name, way := range map[string]func(t *testing.T) []seen{
		"start": func(t *testing.T) []seen {
			var s seen
			require.NoError(t, w.result(w.start(ctx, w.id(w.acme, "start"), single), &s))
			return []seen{s}
		},
		"all that a workflow starts": func(t *testing.T) []seen {
			var all map[string]seen
			require.NoError(t, w.result(w.start(ctx, w.id(w.acme, "everything"), everything), &all))
			require.Len(t, all, 4)
			var found []seen
			for _, s := range all {
				found = append(found, s)
			}
			return found
		},
		"signal with start": func(t *testing.T) []seen {
			id := w.id(w.acme, "signal-start")
			run, err := w.client.SignalWithStartWorkflow(ctx, id, "say", "look", w.options(id), obedient)
			require.NoError(t, err)
			require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "end"))
			var all []seen
			require.NoError(t, w.result(run, &all))
			return all
		},
		"update with start, and a signal": func(t *testing.T) []seen {
			options := w.options(w.id(w.acme, "update-start"))
			options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL
			start := w.client.NewWithStartWorkflowOperation(options, obedient)
			update, err := w.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
				StartWorkflowOperation: start,
				UpdateOptions:          client.UpdateWorkflowOptions{WorkflowID: options.ID, UpdateName: "look", WaitForStage: client.WorkflowUpdateStageCompleted},
			})
			require.NoError(t, err)
			var s seen
			require.NoError(t, update.Get(t.Context(), &s))
			require.NoError(t, w.client.SignalWorkflow(ctx, options.ID, "", "say", "look"))
			require.NoError(t, w.client.SignalWorkflow(ctx, options.ID, "", "say", "end"))
			run, err := start.Get(t.Context())
			require.NoError(t, err)
			var all []seen
			require.NoError(t, w.result(run, &all))
			return append(all, s)
		},
		"update and query": func(t *testing.T) []seen {
			id := w.id(w.acme, "update")
			w.start(ctx, id, obedient)
			value, err := w.client.QueryWorkflow(ctx, id, "", "how many")
			require.NoError(t, err)
			var n int
			require.NoError(t, value.Get(&n))
			assert.Zero(t, n)
			update, err := w.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "look", WaitForStage: client.WorkflowUpdateStageCompleted})
			require.NoError(t, err)
			var s seen
			require.NoError(t, update.Get(t.Context(), &s))
			require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "say", "end"))
			return []seen{s}
		},
		"continue as new": func(t *testing.T) []seen {
			var s seen
			require.NoError(t, w.result(w.start(ctx, w.id(w.acme, "again"), again, 1), &s))
			return []seen{s}
		},
		"a retried workflow": func(t *testing.T) []seen {
			options := w.options(w.id(w.acme, "failing"))
			options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Millisecond, MaximumAttempts: 2}
			run, err := w.client.ExecuteWorkflow(ctx, options, failing)
			require.NoError(t, err)
			var s seen
			require.NoError(t, w.result(run, &s))
			return []seen{s}
		},
		"cron": func(t *testing.T) []seen {
			options := w.options(w.id(w.acme, "cron"))
			options.CronSchedule = "@every 1s"
			run, err := w.client.ExecuteWorkflow(ctx, options, single)
			require.NoError(t, err)
			defer func() { assert.NoError(t, w.client.TerminateWorkflow(ctx, options.ID, "", "seen")) }()
			return w.runs(t, run.GetID(), 2)
		},
		"a schedule": func(t *testing.T) []seen {
			schedule := w.schedule(t, ctx, w.id(w.acme, "schedule"))
			defer func() { assert.NoError(t, schedule.Delete(ctx)) }()
			return []seen{w.ran(t, ctx, schedule, 1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := way(t)
			assert.NotEmpty(t, all)
			for _, s := range all {
				want := w.ofAcme()
				if name == "cron" { // whose results nobody waits for: it is told by its activities
					want.Workflow = temporalx.Identity{}
				}
				assert.Equal(t, want, s)
			}
		})
	}
}

// runs waits for what the activities of so many runs of a workflow have found.
func (w *world) runs(t *testing.T, id string, n int) []seen {
	t.Helper()
	require.Eventually(t, func() bool { return len(w.found(id)) >= n }, soon, 50*time.Millisecond)
	return w.found(id)
}

func TestTheSystemHasNoTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.client, w.queue)
	var all map[string]seen
	ctx := temporalx.System(w.as(w.acme), "look around")
	require.NoError(t, w.result(w.start(ctx, temporalx.SystemWorkflowID(w.queue), everything), &all))
	assert.Len(t, all, 4)
	for name, s := range all {
		assert.Equal(t, "look around", s.System, name)
		assert.True(t, s.Tenant.IsZero(), name)
		assert.Equal(t, "ada", s.Principal.ID, name)
	}
}
