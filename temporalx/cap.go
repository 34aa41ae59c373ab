package temporalx

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/tenant"
)

// Slots bound how many activities of one tenant run at a time, for work that takes so long
// that fairness can't help: it decides who is next, not who is running. [NewCap] counts in
// this process; a product may count over all of them, with slots that a quota lends.
//
// Acquire takes a slot for one activity. It must not wait. It returns
//
//   - a release, which is called exactly once, as the activity ends, whether it returns, fails
//     or panics,
//   - no release and a time after which to try again, when the tenant has all its slots,
//   - an error when it can't tell. The activity is then tried again as its retry policy says.
//
// The context is that of the activity, and carries its tenant; what a slot needs to stay
// alive, such as the renewal of a lease, is for Acquire to start and for release to end.
//
// # What a refused activity costs
//
// It is dispatched, holds one of the worker's slots for the time that Acquire takes, and is
// given back to the server as an attempt that failed, in no log and no metric of failures,
// to come again after the time that Acquire has named. So a refused activity runs later
// than its turn, a slot that becomes free may stay unused until somebody comes for it, and
// the tenant's throughput is below what its slots could do. What a backlog of n refused
// activities costs the server is n attempts in each such time.
//
// The attempt counts towards the retry policy's MaximumAttempts, and the time towards
// ScheduleToCloseTimeout. So that no activity fails for want of a slot, the last attempt
// that is allowed runs above the bound, and so does one that would come back when more than
// half of the time that it has left is over. One with a MaximumAttempts of 1 is never
// refused at all. Local activities are not counted, and neither is what an activity does
// after it returned [activity.ErrResultPending].
type Slots interface {
	Acquire(ctx context.Context, of tenant.Tenant, activityType string) (release func(), retryAfter time.Duration, err error)
}

// BusyErrorType is the type of the error with which an attempt ends that found its tenant
// at its bound. No workflow sees it, for there is a next attempt.
const BusyErrorType = "TenantBusy"

const (
	minRetryAfter = 10 * time.Millisecond
	maxRetryAfter = time.Hour
)

// capWorker asks Slots before an activity runs.
type capWorker struct {
	interceptor.WorkerInterceptorBase
	slots Slots
}

func (w *capWorker) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &capActivity{slots: w.slots}
	in.Next = next
	return in
}

type capActivity struct {
	interceptor.ActivityInboundInterceptorBase
	slots Slots
}

// ExecuteActivity stands behind the interceptor that puts the tenant into the context.
func (a *capActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	of, tenants := tenant.FromContext(ctx)
	info := activity.GetInfo(ctx)
	if !tenants || info.IsLocalActivity || isSessionActivity(info) {
		return a.Next.ExecuteActivity(ctx, in)
	}
	release, after, err := a.slots.Acquire(ctx, of, info.ActivityType.Name)
	switch {
	case release != nil:
		defer release()
	case err != nil && !isLast(info, 0):
		return nil, fmt.Errorf("acquire a slot of the tenant: %w", err)
	case err == nil && !isLast(info, after):
		return nil, busy(after)
	}
	return a.Next.ExecuteActivity(ctx, in)
}

// busy ends an attempt without counting as a failure for people.
func busy(after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("the tenant runs as many activities as it may", BusyErrorType, temporal.ApplicationErrorOptions{
		NextRetryDelay: min(max(after, minRetryAfter), maxRetryAfter),
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

// isLast reports whether an activity that fails now may not come back after so long, by its
// attempts or by its time.
func isLast(info activity.Info, after time.Duration) bool {
	if p := info.RetryPolicy; p != nil && p.MaximumAttempts > 0 && info.Attempt >= p.MaximumAttempts {
		return true
	}
	if info.ScheduleToCloseTimeout <= 0 {
		return false
	}
	return after > time.Until(info.ScheduledTime.Add(info.ScheduleToCloseTimeout))/2
}

// isSessionActivity reports whether it is one with which the SDK holds a session's place on
// a worker, for as long as the session lives.
func isSessionActivity(info activity.Info) bool {
	return strings.HasPrefix(info.ActivityType.Name, "internalSession")
}
