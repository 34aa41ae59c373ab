package temporalx

import (
	"context"
	"errors"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// ErrNexus is what a Nexus operation is refused with, on the side of who calls and of who
// handles it. Propagators have no part in Nexus, and an operation may end in a namespace
// with other keys and other tenants: its input is the place to name a tenant, and an HTTP
// request to the other service is the way to prove it.
var ErrNexus = errors.New("temporalx: nexus operations carry no tenant, and are refused")

func (c *clientOutbound) ExecuteNexusOperation(context.Context, *interceptor.ClientExecuteNexusOperationInput) (client.NexusOperationHandle, error) {
	return nil, ErrNexus
}

func (w *workflowOutbound) ExecuteNexusOperation(ctx workflow.Context, _ interceptor.ExecuteNexusOperationInput) workflow.NexusOperationFuture {
	return refusedFuture{failed(ctx, ErrNexus)}
}

func (i *workerInterceptor) InterceptNexusOperation(_ context.Context, next interceptor.NexusOperationInboundInterceptor) interceptor.NexusOperationInboundInterceptor {
	in := &nexusInbound{cfg: i.cfg}
	in.Next = next
	return in
}

type nexusInbound struct {
	interceptor.NexusOperationInboundInterceptorBase
	cfg Config
}

func (n *nexusInbound) StartOperation(ctx context.Context, _ interceptor.NexusStartOperationInput) (nexus.HandlerStartOperationResult[any], error) {
	info := nexus.ExtractHandlerInfo(ctx)
	n.cfg.OnRefused(Refusal{Kind: KindNexus, Name: info.Service + "." + info.Operation, Code: errMissing.Code, Detail: ErrNexus.Error()})
	return nil, nexus.NewHandlerErrorf(nexus.HandlerErrorTypeUnauthorized, "%w", ErrNexus)
}

func (n *nexusInbound) CancelOperation(context.Context, interceptor.NexusCancelOperationInput) error {
	return nexus.NewHandlerErrorf(nexus.HandlerErrorTypeUnauthorized, "%w", ErrNexus)
}
