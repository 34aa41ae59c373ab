package temporalx

import (
	"context"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
)

// Activities that a client starts without a workflow. Their ids take the place of the
// workflow's: they carry the tenant, and what is signed is signed for them.

func (c *clientOutbound) ExecuteActivity(ctx context.Context, in *interceptor.ClientExecuteActivityInput) (client.ActivityHandle, error) {
	ctx, err := c.begin(ctx, "start an activity", &in.Options.ID, false)
	if err != nil {
		return nil, err
	}
	return c.Next.ExecuteActivity(ctx, in)
}

func (c *clientOutbound) CancelActivity(ctx context.Context, in *interceptor.ClientCancelActivityInput) error {
	ctx, err := c.reach(ctx, "cancel an activity", in.ActivityID)
	if err != nil {
		return err
	}
	return c.Next.CancelActivity(ctx, in)
}

func (c *clientOutbound) TerminateActivity(ctx context.Context, in *interceptor.ClientTerminateActivityInput) error {
	ctx, err := c.reach(ctx, "terminate an activity", in.ActivityID)
	if err != nil {
		return err
	}
	return c.Next.TerminateActivity(ctx, in)
}

func (c *clientOutbound) PauseActivity(ctx context.Context, in *interceptor.ClientPauseActivityInput) error {
	ctx, err := c.reach(ctx, "pause an activity", in.ActivityID)
	if err != nil {
		return err
	}
	return c.Next.PauseActivity(ctx, in)
}

func (c *clientOutbound) UnpauseActivity(ctx context.Context, in *interceptor.ClientUnpauseActivityInput) error {
	ctx, err := c.reach(ctx, "unpause an activity", in.ActivityID)
	if err != nil {
		return err
	}
	return c.Next.UnpauseActivity(ctx, in)
}

func (c *clientOutbound) UpdateActivityOptions(ctx context.Context, in *interceptor.ClientUpdateActivityOptionsInput) (*interceptor.ClientUpdateActivityOptionsOutput, error) {
	ctx, err := c.reach(ctx, "change an activity", in.ActivityID)
	if err != nil {
		return nil, err
	}
	return c.Next.UpdateActivityOptions(ctx, in)
}

func (c *clientOutbound) DescribeActivity(ctx context.Context, in *interceptor.ClientDescribeActivityInput) (*interceptor.ClientDescribeActivityOutput, error) {
	ctx, err := c.reach(ctx, "describe an activity", in.ActivityID)
	if err != nil {
		return nil, err
	}
	return c.Next.DescribeActivity(ctx, in)
}

func (c *clientOutbound) PollActivityResult(ctx context.Context, in *interceptor.ClientPollActivityResultInput) (*interceptor.ClientPollActivityResultOutput, error) {
	ctx, err := c.reach(ctx, "wait for an activity", in.ActivityID)
	if err != nil {
		return nil, err
	}
	return c.Next.PollActivityResult(ctx, in)
}
