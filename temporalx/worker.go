package temporalx

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// workerInterceptor refuses what arrives without a tenant or with the wrong one.
type workerInterceptor struct {
	interceptor.WorkerInterceptorBase
	cfg Config
}

func (i *workerInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &activityInbound{cfg: i.cfg}
	in.Next = next
	return in
}

func (i *workerInterceptor) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &workflowInbound{cfg: i.cfg}
	in.Next = next
	return in
}

// refusedMetric counts what is refused, by kind and code, in the SDK's metrics.
const refusedMetric = "tenantwall_refused"

func (r Refusal) tags() map[string]string {
	return map[string]string{"kind": string(r.Kind), "code": string(r.Code)}
}

func (r Refusal) keyvals() []any {
	return []any{"kind", string(r.Kind), "name", r.Name, "workflow_id", r.WorkflowID, "code", string(r.Code), "detail", r.Detail}
}

const refusedLog = "tenantwall refused work"

// refusedIn tells of what a workflow refuses, once: the SDK's metrics and logger are silent
// in a replay.
func (cfg Config) refusedIn(ctx workflow.Context, kind Kind, name string, err error) {
	e := told(err)
	r := Refusal{Kind: kind, Name: name, WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID, Code: e.Code, Detail: e.Detail}
	workflow.GetMetricsHandler(ctx).WithTags(r.tags()).Counter(refusedMetric).Inc(1)
	workflow.GetLogger(ctx).Warn(refusedLog, r.keyvals()...)
	if !workflow.IsReplaying(ctx) {
		cfg.OnRefused(r)
	}
}

func (cfg Config) refusedActivity(ctx context.Context, err error) {
	e := told(err)
	info := activity.GetInfo(ctx)
	r := Refusal{Kind: KindActivity, Name: info.ActivityType.Name, WorkflowID: info.WorkflowExecution.ID, Code: e.Code, Detail: e.Detail}
	activity.GetMetricsHandler(ctx).WithTags(r.tags()).Counter(refusedMetric).Inc(1)
	activity.GetLogger(ctx).Warn(refusedLog, r.keyvals()...)
	cfg.OnRefused(r)
}
