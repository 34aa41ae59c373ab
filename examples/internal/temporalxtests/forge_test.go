//go:build !notes_lean

package temporalxtests

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
	"github.com/tenantwall/tenantwall/tenant"
)

// headerName is the field in which package temporalx carries.
const headerName = "tenantwall"

// forger is a propagator that puts what it likes into the header.
type forger struct{ payload *commonpb.Payload }

func (f forger) Inject(_ context.Context, w workflow.HeaderWriter) error {
	if f.payload != nil {
		w.Set(headerName, f.payload)
	}
	return nil
}

func (f forger) InjectFromWorkflow(_ workflow.Context, w workflow.HeaderWriter) error {
	return f.Inject(nil, w) //nolint:staticcheck // it looks at no context
}

func (f forger) Extract(ctx context.Context, _ workflow.HeaderReader) (context.Context, error) {
	return ctx, nil
}

func (f forger) ExtractToWorkflow(ctx workflow.Context, _ workflow.HeaderReader) (workflow.Context, error) {
	return ctx, nil
}

// forged is a client without the plugin whose headers hold a payload, or none.
func (w *world) forged(t testing.TB, payload *commonpb.Payload) client.Client {
	t.Helper()
	return temporaltest.Client(t, client.Options{ContextPropagators: []workflow.ContextPropagator{forger{payload}}})
}

func plain(body string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(body)}
}

func naming(t tenant.Tenant) *commonpb.Payload {
	return plain(`{"v":1,"tenant":"` + t.ID.String() + `"}`)
}

// copied is the header of a workflow, as whoever may read its history sees it.
func (w *world) copied(t testing.TB, workflowID string) *commonpb.Payload {
	t.Helper()
	history := w.client.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	require.True(t, history.HasNext())
	event, err := history.Next()
	require.NoError(t, err)
	payload := event.GetWorkflowExecutionStartedEventAttributes().GetHeader().GetFields()[headerName]
	require.NotNil(t, payload)
	return payload
}
