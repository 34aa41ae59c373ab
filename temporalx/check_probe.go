package temporalx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The first key gets a backlog in each partition before any other comes.
const firstKey = "first"

const (
	maxProbePartitions = 32
	firstPerPartition  = 16 // at least so many of the first key wait in each partition …
	otherPerPartition  = 4  // … before so many of another
	probeRounds        = 2
	probePause         = 20 * time.Millisecond
	probeQuiet         = 2 * time.Second // a backlog that does not change for so long is complete
	probePoll          = 10 * time.Second
	leastPoll          = 2 * time.Second // servers refuse a poll that waits for less
	probeLife          = 5 * time.Minute // in case that nobody is left to terminate it
	cleanUpTimeout     = 5 * time.Second
)

// probe runs a workflow by hand, without a worker, over the bare service: the plugin has no
// part in it.
type probe struct {
	service    workflowservice.WorkflowServiceClient
	namespace  string
	queue      string
	partitions int
	run        *commonpb.WorkflowExecution
	scheduled  int // activities, to number them
}

// probeFairness reports whether the server gives out tasks fairly. A server that turns
// fairness on by itself (matching.autoEnableV2) does so for a queue in which it has seen a
// key, which is why an unfair round is followed by another, with another key.
func probeFairness(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace string) (fair bool, err error) {
	name := "check-" + rand.Text()
	p := &probe{service: service, namespace: namespace, queue: "tenantwall-" + name}
	if err := p.start(ctx, SystemWorkflowID(name)); err != nil {
		return false, fmt.Errorf("probe fairness: %w", err)
	}
	defer func() { err = errors.Join(err, p.end(ctx)) }()
	if err := p.count(ctx); err != nil {
		return false, fmt.Errorf("probe fairness: %w", err)
	}
	for round := 1; round <= probeRounds && !fair; round++ {
		if fair, err = p.judge(ctx, "other"+strconv.Itoa(round)); err != nil {
			return false, fmt.Errorf("probe fairness: %w", err)
		}
	}
	return fair, nil
}

func (p *probe) start(ctx context.Context, workflowID string) error {
	started, err := p.service.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                p.namespace,
		WorkflowId:               workflowID,
		WorkflowType:             &commonpb.WorkflowType{Name: "tenantwall-check"},
		TaskQueue:                p.taskQueue(p.queue),
		RequestId:                rand.Text(),
		Identity:                 p.queue,
		WorkflowExecutionTimeout: durationpb.New(probeLife),
	})
	if err != nil {
		return fmt.Errorf("start a workflow: %w", err)
	}
	p.run = &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: started.GetRunId()}
	return nil
}

// end takes the workflow away, whether or not ctx has ended.
func (p *probe) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	_, err := p.service.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace:         p.namespace,
		WorkflowExecution: p.run,
		Reason:            "the check of the server is over",
		Identity:          p.queue,
	})
	if err != nil {
		return fmt.Errorf("terminate the workflow: %w", err)
	}
	return nil
}

func (p *probe) count(ctx context.Context) error {
	found, err := p.service.ListTaskQueuePartitions(ctx, &workflowservice.ListTaskQueuePartitionsRequest{
		Namespace: p.namespace, TaskQueue: p.taskQueue(p.queue),
	})
	if err != nil {
		return fmt.Errorf("list partitions: %w", err)
	}
	p.partitions = max(1, len(found.GetActivityTaskQueuePartitions()))
	if p.partitions > maxProbePartitions {
		return fmt.Errorf("queues have %d partitions, more than the %d that can be probed", p.partitions, maxProbePartitions)
	}
	return nil
}

// fill schedules activities of a key until each partition has so many more of them: the
// server chooses the partition of each at random.
func (p *probe) fill(ctx context.Context, key string, each int) error {
	before, err := p.backlog(ctx)
	if err != nil {
		return err
	}
	now := before
	for short := each; short > 0; {
		if err := p.schedule(ctx, key, short*p.partitions); err != nil {
			return err
		}
		if now, err = p.settled(ctx, total(now)+int64(short*p.partitions)); err != nil {
			return err
		}
		short = 0
		for i := range now {
			short = max(short, each-int(now[i]-before[i]))
		}
	}
	return nil
}

// schedule has the workflow schedule activities, in one workflow task.
func (p *probe) schedule(ctx context.Context, key string, n int) error {
	var task *workflowservice.PollWorkflowTaskQueueResponse
	err := poll(ctx, func(ctx context.Context) (came bool, err error) {
		task, err = p.service.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: p.namespace, TaskQueue: p.taskQueue(p.queue), Identity: p.queue,
		})
		return len(task.GetTaskToken()) > 0, err
	})
	if err != nil {
		return fmt.Errorf("poll for a workflow task: %w", err)
	}
	commands := make([]*commandpb.Command, n)
	for i := range commands {
		p.scheduled++
		commands[i] = p.command(key, p.scheduled)
	}
	_, err = p.service.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: p.namespace, TaskToken: task.GetTaskToken(), Identity: p.queue, Commands: commands,
		ForceCreateNewWorkflowTask: true,
	})
	if err != nil {
		return fmt.Errorf("schedule activities: %w", err)
	}
	return nil
}

func (p *probe) command(key string, n int) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
			ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
				ActivityId:             key + "-" + strconv.Itoa(n),
				ActivityType:           &commonpb.ActivityType{Name: "tenantwall-check"},
				TaskQueue:              p.taskQueue(p.queue),
				ScheduleToCloseTimeout: durationpb.New(probeLife),
				Priority:               &commonpb.Priority{FairnessKey: key, FairnessWeight: 1},
			},
		},
	}
}

// settled is the backlog once it has so many activities, or grows no more: counts are
// approximate where tasks are given out.
func (p *probe) settled(ctx context.Context, want int64) ([]int64, error) {
	tick := time.NewTicker(probePause)
	defer tick.Stop()
	last, since := int64(-1), time.Now()
	for {
		counts, err := p.backlog(ctx)
		if err != nil {
			return nil, err
		}
		sum := total(counts)
		if sum != last {
			last, since = sum, time.Now()
		}
		if sum >= want || time.Since(since) > probeQuiet {
			return counts, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %d activities to be queued, of which %d are: %w", want, sum, ctx.Err())
		case <-tick.C:
		}
	}
}

func total(counts []int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// backlog is how many activities wait in each partition.
func (p *probe) backlog(ctx context.Context) ([]int64, error) {
	counts := make([]int64, p.partitions)
	for i := range counts {
		name := p.queue
		if i > 0 {
			name = "/_sys/" + p.queue + "/" + strconv.Itoa(i)
		}
		found, err := p.service.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: p.namespace, TaskQueue: p.taskQueue(name), TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
			IncludeTaskQueueStatus: true, //nolint:staticcheck // what came in its place has no numbers of a partition
		})
		if err != nil {
			return nil, fmt.Errorf("describe partition %d: %w", i, err)
		}
		counts[i] = found.GetTaskQueueStatus().GetBacklogCountHint() //nolint:staticcheck // see above
	}
	return counts, nil
}

// judge takes a few tasks and looks whose they are. Where fairness is off, each of the p
// partitions has firstPerPartition tasks to give out before one of the other key: of 4p+2
// polls that key gets next to none, however they are spread. Where it is on, the keys, two
// or in a second round three, take turns in each partition, and the other gets (2p+2)/3 of
// the polls at least. The line between the two leaves room for tasks that the server
// forwards between partitions.
func (p *probe) judge(ctx context.Context, other string) (bool, error) {
	if err := p.fill(ctx, firstKey, firstPerPartition); err != nil {
		return false, err
	}
	if err := p.fill(ctx, other, otherPerPartition); err != nil {
		return false, err
	}
	got := 0
	for range 4*p.partitions + 2 {
		key, err := p.take(ctx)
		if err != nil {
			return false, err
		}
		if key == other {
			got++
		}
	}
	return 2*got > p.partitions, nil
}

func (p *probe) take(ctx context.Context) (key string, err error) {
	err = poll(ctx, func(ctx context.Context) (came bool, err error) {
		task, err := p.service.PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
			Namespace: p.namespace, TaskQueue: p.taskQueue(p.queue), Identity: p.queue,
		})
		key, _, came = strings.Cut(task.GetActivityId(), "-")
		return came, err
	})
	if err != nil {
		return "", fmt.Errorf("poll for an activity: %w", err)
	}
	return key, nil
}

// poll asks for a task again and again, as workers do, because a busy server lets a question
// expire now and then. When too little of ctx is left for another, which the server would
// call a bad request, the error is that of a context which has ended.
func poll(ctx context.Context, ask func(context.Context) (came bool, err error)) error {
	for {
		if end, ends := ctx.Deadline(); ends && time.Until(end) < leastPoll {
			return context.DeadlineExceeded
		}
		asking, cancel := context.WithTimeout(ctx, probePoll)
		came, err := ask(asking)
		expired := asking.Err() != nil && ctx.Err() == nil
		cancel()
		if came || err != nil && !expired {
			return err
		}
	}
}

func (p *probe) taskQueue(name string) *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: name, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
}
