package temporalx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/tenant"
)

// activityInbound stands in front of activities: it finds out for whom one is, looks that
// tenant up again, and puts it into the context.
type activityInbound struct {
	interceptor.ActivityInboundInterceptorBase
	cfg Config
}

func (a *activityInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	within, err := a.enter(ctx)
	if err != nil {
		a.cfg.refusedActivity(ctx, err)
		return nil, a.failure(err)
	}
	return a.Next.ExecuteActivity(within, in)
}

// enter is the context in which an activity works, or why it may not.
func (a *activityInbound) enter(ctx context.Context) (context.Context, error) {
	info := activity.GetInfo(ctx)
	workflowID := cmp.Or(info.WorkflowExecution.ID, info.ActivityID) // see ExecuteActivity of the client
	arrived, _ := ctx.Value(arrivedKey{}).(carried)
	id, err := arrived.genuine(workflowID, a.cfg.Keys, a.cfg.Now())
	if err != nil {
		return nil, err
	}
	if err := agreeActivity(id, workflowID); err != nil {
		return nil, err
	}
	if id.IsSystem() {
		ctx = System(ctx, id.System)
	} else {
		t, err := a.lookup(ctx, id.Tenant)
		if err != nil {
			return nil, err
		}
		ctx = tenant.NewContext(ctx, t)
	}
	if id.Principal.Kind != "" {
		ctx = tenant.NewPrincipalContext(ctx, id.Principal)
	}
	if id.RequestID != "" {
		ctx = tenant.NewRequestIDContext(ctx, id.RequestID)
	}
	return ctx, nil
}

// lookup is the tenant as it is now. The errors are those of [tenant.Store], with what is
// unknown as [tenant.ErrUnavailable], and those of [tenant.Tenant.Usable].
func (a *activityInbound) lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, error) {
	t, err := a.cfg.lookup(ctx, id)
	switch {
	case errors.Is(err, tenant.ErrNotFound), errors.Is(err, tenant.ErrGone):
		return tenant.Tenant{}, err
	case err == nil && t.ID != id:
		err = fmt.Errorf("the store was asked for tenant %s and returned %s", id, t.ID)
	}
	if err != nil {
		activity.GetLogger(ctx).Error("tenantwall can't look a tenant up", "tenant", id.String(), "error", err)
		return tenant.Tenant{}, &tenant.Error{Code: tenant.CodeUnavailable, Detail: "the tenant can't be looked up at the moment", Err: err}
	}
	return t, t.Usable()
}

// failure is what Temporal is told: not to try again, unless it is known to help.
func (a *activityInbound) failure(err error) error {
	switch e := told(err); {
	case e.Code == tenant.CodeTenantSuspended && a.cfg.RetrySuspended > 0:
		return later(e, a.cfg.RetrySuspended)
	case e.Code == tenant.CodeUnavailable:
		return later(e, e.RetryAfter)
	}
	return refusal(err)
}

// refusal is what the history keeps of a refusal: it is not tried again. The cause of err
// is not in it.
func refusal(err error) error {
	e := told(err)
	return temporal.NewNonRetryableApplicationError(e.Detail, string(e.Code), nil)
}

// later is a failure that is tried again, after a time or, at 0, as the retry policy says.
func later(e *tenant.Error, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(e.Detail, string(e.Code), temporal.ApplicationErrorOptions{NextRetryDelay: after})
}
