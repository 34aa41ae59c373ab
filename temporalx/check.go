package temporalx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// CheckConfig says what [CheckServer] looks at.
type CheckConfig struct {
	// Namespace is the client's; empty means [client.DefaultNamespace].
	Namespace string

	// Dispatch is that of the plugin.
	Dispatch Dispatch

	// Timeout bounds the whole check, up to 5 minutes; 0 means 30 seconds. On a quiet server
	// it takes about a second, on a busy one that cuts queues into many partitions more.
	Timeout time.Duration
}

const (
	defaultCheckTimeout = 30 * time.Second
	maxCheckTimeout     = 5 * time.Minute
)

// ServerReport is what [CheckServer] found.
type ServerReport struct {
	// Version is the server's, such as 1.32.1.
	Version string

	// Fairness reports whether the server obeys fairness keys, as seen.
	Fairness bool

	// Partitions is into how many parts the server cuts each queue of the routing, but for
	// those of single tenants: the larger number of its workflows and its activities. Each
	// part is fair by itself alone.
	Partitions map[string]int

	// Attribute reports whether [TenantAttribute] is registered in the namespace.
	Attribute bool

	wanted bool // the attribute
}

// What [ServerReport.Err] finds amiss, for [errors.Is].
var (
	ErrFairnessIgnored  = errors.New("the server ignores fairness keys, so that a busy tenant keeps the others waiting")
	ErrPartitioned      = errors.New("a queue has several partitions, each of which is fair by itself alone")
	ErrAttributeMissing = errors.New("the search attribute TenantID is not registered, so that the server refuses workflows that have it")
)

// howFairness tells how each is mended.
const (
	howFairness = "set matching.enableFairness to true in the dynamic configuration of a server of version 1.29 or later (or matching.autoEnableV2), " +
		"for the namespace at least, or turn fairness on for the namespace in Temporal Cloud"
	howPartitions = "set matching.numTaskqueueReadPartitions and matching.numTaskqueueWritePartitions to 1 for it in the dynamic configuration, " +
		"or accept that a small tenant waits longer while a partition that has none of its tasks is served"
	howAttribute = "register it with temporalx.RegisterTenantAttribute, or: temporal operator search-attribute create --name TenantID --type Keyword"
)

// Err is nil when all is well, and otherwise the joined [ErrFairnessIgnored],
// [ErrPartitioned] and [ErrAttributeMissing] that apply, each with what to do about it. It
// is for the log of a service that starts; nothing of it keeps tenants from being kept
// apart, but for ErrAttributeMissing nothing of it fails work.
func (r ServerReport) Err() error {
	var problems []error
	if !r.Fairness {
		problems = append(problems, fmt.Errorf("%w: %s (the server is %s)", ErrFairnessIgnored, howFairness, r.Version))
	}
	for _, queue := range slices.Sorted(maps.Keys(r.Partitions)) {
		if n := r.Partitions[queue]; n > 1 && r.Fairness {
			problems = append(problems, fmt.Errorf("%w: %s has %d; %s", ErrPartitioned, queue, n, howPartitions))
		}
	}
	if r.wanted && !r.Attribute {
		problems = append(problems, fmt.Errorf("%w: %s", ErrAttributeMissing, howAttribute))
	}
	return errors.Join(problems...)
}

// CheckServer finds out whether the server does what [Dispatch] counts on: call it once as
// a service starts, and log what [ServerReport.Err] says.
//
// Servers up to 1.32 have fairness off unless they are told otherwise, take fairness keys
// all the same, and say so nowhere. So the check tries it: it runs one workflow, in a queue
// of its own without a worker, that schedules activities for one key and then for another,
// and looks whether the second has to wait for all of the first. The workflow is
// terminated afterwards; its id is that of a system's workflow and begins with
// system/check-. A server on which fairness is on for some queues only, by their names,
// can't be found out in this way.
//
// The error means that nothing was found out: ctx or the timeout has ended, which is
// [context.DeadlineExceeded], the server could not be reached, or the client may not do this.
func CheckServer(ctx context.Context, c client.Client, cfg CheckConfig) (ServerReport, error) {
	switch {
	case cfg.Timeout == 0:
		cfg.Timeout = defaultCheckTimeout
	case cfg.Timeout < 0 || cfg.Timeout > maxCheckTimeout:
		return ServerReport{}, fmt.Errorf("temporalx: CheckServer: the setting Timeout is %s, and must be from 0 to %s", cfg.Timeout, maxCheckTimeout)
	}
	if cfg.Namespace == "" {
		cfg.Namespace = client.DefaultNamespace
	}
	if err := cfg.Dispatch.check(); err != nil {
		return ServerReport{}, fmt.Errorf("temporalx: CheckServer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	report, err := checkServer(ctx, c, cfg)
	if err != nil {
		if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err) // the SDK has an error of its own for it
		}
		return ServerReport{}, fmt.Errorf("temporalx: CheckServer: %w", err)
	}
	return report, nil
}

func checkServer(ctx context.Context, c client.Client, cfg CheckConfig) (ServerReport, error) {
	r := ServerReport{Partitions: make(map[string]int), wanted: cfg.Dispatch.SearchAttribute}
	info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return r, fmt.Errorf("ask for the server's version: %w", err)
	}
	r.Version = info.GetServerVersion()
	if r.Attribute, err = hasTenantAttribute(ctx, c, cfg.Namespace); err != nil {
		return r, err
	}
	for _, queue := range cfg.Dispatch.Routing.Names() {
		if r.Partitions[queue], err = partitions(ctx, c, cfg.Namespace, queue); err != nil {
			return r, err
		}
	}
	r.Fairness, err = probeFairness(ctx, c.WorkflowService(), cfg.Namespace)
	return r, err
}

// partitions is the number of a queue's.
func partitions(ctx context.Context, c client.Client, namespace, queue string) (int, error) {
	found, err := c.WorkflowService().ListTaskQueuePartitions(ctx, &workflowservice.ListTaskQueuePartitionsRequest{
		Namespace: namespace,
		TaskQueue: &taskqueuepb.TaskQueue{Name: queue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	})
	if err != nil {
		return 0, fmt.Errorf("list the partitions of the queue %s: %w", queue, err)
	}
	return max(len(found.GetActivityTaskQueuePartitions()), len(found.GetWorkflowTaskQueuePartitions())), nil
}

func hasTenantAttribute(ctx context.Context, c client.Client, namespace string) (bool, error) {
	found, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return false, fmt.Errorf("list the search attributes: %w", err)
	}
	kind, ok := found.GetCustomAttributes()[TenantAttribute.GetName()]
	return ok && kind == TenantAttribute.GetValueType(), nil
}

// RegisterTenantAttribute registers [TenantAttribute] in a namespace, unless that has it
// already; an empty namespace means [client.DefaultNamespace]. Servers may take some
// seconds until they know it everywhere. The error is the server's: the client may not do
// so, or there is an attribute of that name and of another type.
func RegisterTenantAttribute(ctx context.Context, c client.Client, namespace string) error {
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	if known, err := hasTenantAttribute(ctx, c, namespace); err != nil || known {
		return err
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        namespace,
		SearchAttributes: map[string]enumspb.IndexedValueType{TenantAttribute.GetName(): TenantAttribute.GetValueType()},
	})
	if errors.As(err, new(*serviceerror.AlreadyExists)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("temporalx: register the search attribute %s: %w", TenantAttribute.GetName(), err)
	}
	return nil
}
