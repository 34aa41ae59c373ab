package temporalxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Prepare makes env run its workflow as if a client had started it in ctx with the options,
// of which an empty ID is replaced. It takes the place of env's SetWorkerOptions,
// SetContextPropagators, SetHeader and SetStartWorkflowOptions, and comes before
// ExecuteWorkflow.
//
// Signals, queries and updates that the test sends come from the same tenant. The error is
// what the client would be told, see [github.com/tenantwall/tenantwall/temporalx].
func Prepare(ctx context.Context, env *testsuite.TestWorkflowEnvironment, plugin *temporal.SimplePlugin, start client.StartWorkflowOptions) error {
	if env == nil || plugin == nil {
		return errors.New("temporalxtest: it needs an environment and a plugin")
	}
	var options client.Options
	if err := plugin.ConfigureClient(ctx, client.PluginConfigureClientOptions{ClientOptions: &options}); err != nil {
		return fmt.Errorf("temporalxtest: %w", err)
	}
	sent, err := send(ctx, options.Interceptors, start)
	if err != nil {
		return fmt.Errorf("temporalxtest: %w", err)
	}
	header := &commonpb.Header{Fields: make(map[string]*commonpb.Payload)}
	for _, p := range options.ContextPropagators {
		if err := p.Inject(sent.ctx, writer(header.Fields)); err != nil {
			return fmt.Errorf("temporalxtest: %w", err)
		}
	}
	var propagators []workflow.ContextPropagator
	for _, p := range options.ContextPropagators {
		propagators = append(propagators, sender{p, header.Fields})
	}
	env.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}})
	env.SetContextPropagators(propagators)
	env.SetHeader(header)
	env.SetStartWorkflowOptions(sent.options)
	return nil
}

// sent is a start of a workflow as it leaves the interceptors of a client.
type sent struct {
	interceptor.ClientOutboundInterceptorBase
	ctx     context.Context //nolint:containedctx // it is what the interceptors hand on
	options client.StartWorkflowOptions
}

func (s *sent) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	s.ctx, s.options = ctx, *in.Options
	return nil, nil
}

// send starts a workflow through the interceptors, and no further.
func send(ctx context.Context, interceptors []interceptor.ClientInterceptor, start client.StartWorkflowOptions) (*sent, error) {
	out := &sent{}
	var chain interceptor.ClientOutboundInterceptor = out
	for _, i := range slices.Backward(interceptors) {
		chain = i.InterceptClient(chain)
	}
	_, err := chain.ExecuteWorkflow(ctx, &interceptor.ClientExecuteWorkflowInput{Options: &start})
	return out, err
}

// writer lets a propagator write a header.
type writer map[string]*commonpb.Payload

func (w writer) Set(name string, value *commonpb.Payload) { w[name] = value }

// sender is a propagator that takes a message without a header for one of whoever started
// the workflow: the environment sends those of a test without any.
type sender struct {
	workflow.ContextPropagator
	header map[string]*commonpb.Payload
}

func (s sender) ExtractToWorkflow(ctx workflow.Context, r workflow.HeaderReader) (workflow.Context, error) {
	return s.ContextPropagator.ExtractToWorkflow(ctx, reader{r, s.header})
}

type reader struct {
	workflow.HeaderReader
	otherwise map[string]*commonpb.Payload
}

func (r reader) Get(name string) (*commonpb.Payload, bool) {
	if value, ok := r.HeaderReader.Get(name); ok {
		return value, true
	}
	value, ok := r.otherwise[name]
	return value, ok
}
