package temporalx

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
)

// sealing is a data converter that seals what its parent makes, for the tenant of the
// workflow or activity that it is used in. The SDK tells it where that is: nearly
// everywhere by the workflow's id, which names the tenant, and by a context elsewhere.
// Where neither names one, nothing is sealed or opened.
type sealing struct {
	parent converter.DataConverter
	enc    *Encryption
	byID   claim // what the workflow's id says
	byCtx  claim // what the context says
	byHead claim // what the header of an activity says that has no workflow, not verified yet
}

// plug gives the plugin's clients, workers and replayers converters that seal. They wrap
// those that the client has already.
func (e Encryption) plug(o *temporal.SimplePluginOptions) {
	forClient, forReplayer := o.ConfigureClient, o.ConfigureWorkflowReplayer
	o.ConfigureClient = func(ctx context.Context, c client.PluginConfigureClientOptions) error {
		e.wrap(&c.ClientOptions.DataConverter, &c.ClientOptions.FailureConverter)
		if forClient != nil {
			return forClient(ctx, c)
		}
		return nil
	}
	o.ConfigureWorkflowReplayer = func(ctx context.Context, r worker.PluginConfigureWorkflowReplayerOptions) error {
		e.wrap(&r.WorkflowReplayerOptions.DataConverter, &r.WorkflowReplayerOptions.FailureConverter)
		if forReplayer != nil {
			return forReplayer(ctx, r)
		}
		return nil
	}
}

func (e Encryption) wrap(data *converter.DataConverter, failures *converter.FailureConverter) {
	parent := *data
	if parent == nil {
		parent = converter.GetDefaultDataConverter()
	}
	*data = sealing{parent: parent, enc: &e}
	// The text of an error is not refused for its length: the SDK would panic.
	texts := e
	texts.MaxPayload = maxMaxPayload
	*failures = sealingFailures{data: sealing{parent: parent, enc: &texts}}
}

// claim is one answer to whose a payload is.
type claim struct {
	made bool
	of   tenant.ID // zero is the system
}

var (
	_ converter.DataConverter                         = sealing{}
	_ converter.ContextAware                          = sealing{}
	_ converter.DataConverterWithSerializationContext = sealing{}
)

// WithSerializationContext implements [converter.DataConverterWithSerializationContext].
func (s sealing) WithSerializationContext(at converter.SerializationContext) converter.DataConverter {
	s.parent = converter.WithDataConverterSerializationContext(s.parent, at)
	switch at := at.(type) {
	case converter.WorkflowSerializationContext:
		s.byID = claimOfID(at.WorkflowID)
	case converter.ActivitySerializationContext:
		s.byID = claimOfID(at.WorkflowID)
	}
	return s
}

// WithContext implements [converter.ContextAware].
func (s sealing) WithContext(ctx context.Context) converter.DataConverter {
	if aware, ok := s.parent.(converter.ContextAware); ok {
		s.parent = aware.WithContext(ctx)
	}
	t, tenants := tenant.FromContext(ctx)
	_, system := SystemReason(ctx)
	s.byCtx = claim{made: tenants || system, of: t.ID}
	if arrived, ok := ctx.Value(arrivedKey{}).(carried); ok && arrived.found {
		s.byHead = claim{made: true, of: arrived.identity.Tenant}
	}
	return s
}

// WithWorkflowContext implements [converter.ContextAware]. A workflow's id is known by
// then.
func (s sealing) WithWorkflowContext(ctx workflow.Context) converter.DataConverter {
	if aware, ok := s.parent.(converter.ContextAware); ok {
		s.parent = aware.WithWorkflowContext(ctx)
	}
	return s
}

func claimOfID(workflowID string) claim {
	of, _, err := ParseWorkflowID(workflowID)
	return claim{made: err == nil, of: of}
}

// sealer is that of the tenant whose payloads these are. The workflow's id decides, for
// the system reads what tenants' workflows return, and its own workflows let activities
// work for tenants. No tenant reads what is another's.
func (s sealing) sealer() (sealer, error) {
	switch {
	case !s.byID.made && s.byCtx.made:
		return sealer{enc: s.enc, of: s.byCtx.of}, nil
	case !s.byID.made && s.byHead.made:
		return sealer{enc: s.enc, of: s.byHead.of}, nil
	case !s.byID.made:
		return sealer{}, ErrPayloadNoTenant
	case s.byCtx.made && !s.byCtx.of.IsZero() && !s.byID.of.IsZero() && s.byCtx.of != s.byID.of:
		return sealer{}, ErrPayloadTenant
	}
	return sealer{enc: s.enc, of: s.byID.of}, nil
}

// converter is the one that does the work.
func (s sealing) converter() (converter.DataConverter, error) {
	codec, err := s.sealer()
	if err != nil {
		return nil, err
	}
	return converter.NewCodecDataConverter(s.parent, codec), nil
}

// ToPayload implements [converter.DataConverter].
func (s sealing) ToPayload(value any) (*commonpb.Payload, error) {
	c, err := s.converter()
	if err != nil {
		return nil, err
	}
	return c.ToPayload(value)
}

// FromPayload implements [converter.DataConverter].
func (s sealing) FromPayload(p *commonpb.Payload, valuePtr any) error {
	c, err := s.converter()
	if err != nil {
		return err
	}
	return c.FromPayload(p, valuePtr)
}

// ToPayloads implements [converter.DataConverter]. Of no values there is nothing to seal.
func (s sealing) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	if len(values) == 0 {
		return s.parent.ToPayloads()
	}
	c, err := s.converter()
	if err != nil {
		return nil, err
	}
	return c.ToPayloads(values...)
}

// FromPayloads implements [converter.DataConverter].
func (s sealing) FromPayloads(p *commonpb.Payloads, valuePtrs ...any) error {
	if len(p.GetPayloads()) == 0 {
		return s.parent.FromPayloads(p, valuePtrs...)
	}
	c, err := s.converter()
	if err != nil {
		return err
	}
	return c.FromPayloads(p, valuePtrs...)
}

// ToString implements [converter.DataConverter]: for people, or why there is nothing.
func (s sealing) ToString(p *commonpb.Payload) string {
	c, err := s.converter()
	if err != nil {
		return err.Error()
	}
	return c.ToString(p)
}

// ToStrings implements [converter.DataConverter].
func (s sealing) ToStrings(p *commonpb.Payloads) []string {
	texts := make([]string, len(p.GetPayloads()))
	for i, payload := range p.GetPayloads() {
		texts[i] = s.ToString(payload)
	}
	return texts
}
