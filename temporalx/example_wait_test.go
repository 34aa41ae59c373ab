package temporalx_test

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
)

// untilDone waits for the end of a workflow, and asks again each second, because the server
// can lose the notice of it.
func untilDone(ctx context.Context, run client.WorkflowRun, result any) error {
	for {
		asking, stop := context.WithCancel(ctx) // no deadline: near one the server does not wait at all
		again := time.AfterFunc(time.Second, stop)
		err := run.Get(asking, result)
		again.Stop()
		renew := asking.Err() != nil && ctx.Err() == nil
		stop()
		if err == nil || !renew {
			return err
		}
	}
}

// lostNotice is a workflow that has ended without a notice to the one who asked first.
type lostNotice struct {
	client.WorkflowRun
	asked int
}

func (r *lostNotice) Get(ctx context.Context, _ any) error {
	if r.asked++; r.asked > 1 {
		return nil
	}
	<-ctx.Done() // for 20 s, if nobody asked again
	return ctx.Err()
}

// A handler that waits for a workflow asks for its end again and again, as Lifecycle does.
func Example_waiting() {
	run := new(lostNotice) // of client.ExecuteWorkflow
	err := untilDone(context.Background(), run, nil)
	fmt.Println(err, run.asked)
	// Output: <nil> 2
}
