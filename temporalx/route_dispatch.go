package temporalx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
)

// Dispatch says where work goes, in which order, and how much of it runs at a time. The
// zero value leaves queues as they are named and gives each tenant the same share.
//
// All of it is decided by what the work carries, never by a look-up: whoever starts a
// workflow or an activity does nothing for it, and a replay decides as the first time.
type Dispatch struct {
	// Routing chooses the task queue.
	Routing Routing

	// Fairness is how the tenants of a plan stand towards others, by the plan's name; that
	// under "" is for the plans it does not name. The server has to have fairness turned on,
	// see [CheckServer].
	Fairness map[string]Fairness

	// Slots, when not nil, bounds how many activities of one tenant run at a time. See
	// [Slots] for what that costs.
	Slots Slots

	// SearchAttribute sets the search attribute [TenantAttribute] on each workflow that is
	// started, so that people find those of a tenant. It has to be registered before, see
	// [CheckServer] and [RegisterTenantAttribute]: the server refuses workflows with one that
	// it does not know.
	SearchAttribute bool
}

// TenantAttribute is the search attribute that holds the tenant's id, a keyword.
var TenantAttribute = temporal.NewSearchAttributeKeyKeyword("TenantID")

func (d Dispatch) check() error {
	return errors.Join(d.Routing.check(), checkFairness(d.Fairness))
}

// plug adds what dispatches to the plugin.
func (d Dispatch) plug(o *temporal.SimplePluginOptions) {
	o.ClientInterceptors = append(o.ClientInterceptors, &dispatchClient{dispatch: d})
	o.WorkerInterceptors = append(o.WorkerInterceptors, &dispatchWorker{dispatch: d})
	if d.Slots != nil {
		o.WorkerInterceptors = append(o.WorkerInterceptors, &capWorker{slots: d.Slots})
	}
	then := o.ConfigureClient
	o.ConfigureClient = func(ctx context.Context, c client.PluginConfigureClientOptions) error {
		dial := &c.ClientOptions.ConnectionOptions.DialOptions
		*dial = append(slices.Clip(*dial), grpc.WithChainUnaryInterceptor(d.onWire))
		if then != nil {
			return then(ctx, c)
		}
		return nil
	}
}

// queue is where work of an identity goes that names a queue, or none.
func (d Dispatch) queue(named string, of Identity) string {
	if named == "" && len(d.Routing.Queues) > 0 {
		named = d.Routing.Queues[0]
	}
	return d.Routing.Queue(named, of)
}

// attributes adds the tenant to those that a workflow is started with.
func (d Dispatch) attributes(given temporal.SearchAttributes, of Identity) temporal.SearchAttributes {
	if !d.SearchAttribute || of.IsSystem() {
		return given
	}
	return temporal.NewSearchAttributes(given.Copy(), TenantAttribute.ValueSet(of.Tenant.String()))
}

// start sets what a workflow's start says of where and how it runs.
func (d Dispatch) start(o *client.StartWorkflowOptions, of Identity) error {
	if d.SearchAttribute && len(o.SearchAttributes) > 0 { //nolint:staticcheck // the SDK takes either, not both
		return fmt.Errorf("the options have untyped SearchAttributes, with which %s can't be set: use TypedSearchAttributes", TenantAttribute.GetName())
	}
	o.TaskQueue = d.queue(o.TaskQueue, of)
	o.Priority = priority(d.Fairness, of, o.Priority)
	o.TypedSearchAttributes = d.attributes(o.TypedSearchAttributes, of)
	return nil
}

// schedule does the same for the runs of a schedule.
func (d Dispatch) schedule(a *client.ScheduleWorkflowAction, of Identity) {
	a.TaskQueue = d.queue(a.TaskQueue, of)
	a.Priority = priority(d.Fairness, of, a.Priority)
	a.TypedSearchAttributes = d.attributes(a.TypedSearchAttributes, of)
}
