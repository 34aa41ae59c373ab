package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/temporalx"
)

// plug makes a client's calls, and the workflows and activities of its workers, part of the
// trace in which they were started, and measures the activities. It is called when the
// client has the plugin of temporalx, which finds out for whom an activity runs.
func (t telemetry) plug(options *client.Options) error {
	if !t.on() {
		return nil
	}
	tracer, err := opentelemetry.NewTracer(opentelemetry.TracerOptions{
		Tracer:                  t.tracers.Tracer("go.temporal.io/sdk/contrib/opentelemetry"),
		TextMapPropagator:       otelx.Propagator(),
		DisableBaggage:          true,
		AllowInvalidParentSpans: true, // a trace is no reason to refuse a job
	})
	if err != nil {
		return err
	}
	jobs, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{
		Name:               "notes.jobs",
		WorkerInterceptors: []interceptor.WorkerInterceptor{&jobMeter{metrics: t.metrics}},
	})
	if err != nil {
		return err
	}
	options.Interceptors = append(options.Interceptors, interceptor.NewTracingInterceptor(tenantTracer{tracer}))
	options.Plugins = append(options.Plugins, jobs)
	return nil
}

// tenantTracer tells each span of Temporal of its tenant: such spans begin in no context, and
// the workflow's id, which temporalx holds to the tenant, is what they all know.
type tenantTracer struct{ interceptor.Tracer }

// StartSpan implements [interceptor.Tracer].
func (t tenantTracer) StartSpan(options *interceptor.TracerStartSpanOptions) (interceptor.TracerSpan, error) {
	if of, _, err := temporalx.ParseWorkflowID(options.Tags["temporalWorkflowID"]); err == nil && !of.IsZero() {
		options.Tags[otelx.DefaultTenantKey] = of.String()
	}
	return t.Tracer.StartSpan(options)
}

// jobMeter measures activities.
type jobMeter struct {
	interceptor.WorkerInterceptorBase
	metrics *otelx.Metrics
}

// InterceptActivity implements [interceptor.WorkerInterceptor].
func (m *jobMeter) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &measuredActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, m.metrics}
}

type measuredActivity struct {
	interceptor.ActivityInboundInterceptorBase
	metrics *otelx.Metrics
}

// ExecuteActivity implements [interceptor.ActivityInboundInterceptor].
func (a *measuredActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	at := time.Now()
	result, err := a.Next.ExecuteActivity(ctx, in)
	a.metrics.Job(ctx, activity.GetInfo(ctx).ActivityType.Name, at, err)
	return result, err
}
