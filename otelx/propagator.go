package otelx

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// Propagator carries traces from one service to the next (W3C Trace Context), and no
// baggage: that goes out with every request of the process, to third parties too, and what
// comes in with it anybody may have written. Set it by otel.SetTextMapPropagator, or hand
// it to the instrumentations.
func Propagator() propagation.TextMapPropagator { return propagation.TraceContext{} }

// PropagatorWithBaggage carries baggage too, for services that need it for something else.
// Members whose names are those of attributes are left out in both directions, so that a
// tenant or user neither leaves the service in it nor is taken from it by whatever copies
// baggage onto spans. Nothing of this library ever reads a tenant from baggage.
func (a *Attributes) PropagatorWithBaggage() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, withoutIdentity{attributes: a})
}

type withoutIdentity struct {
	propagation.Baggage
	attributes *Attributes
}

// Inject implements [propagation.TextMapPropagator].
func (p withoutIdentity) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.Baggage.Inject(p.clean(ctx), carrier)
}

// Extract implements [propagation.TextMapPropagator].
func (p withoutIdentity) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return p.clean(p.Baggage.Extract(ctx, carrier))
}

// clean is ctx without the members that name a tenant or who acts.
func (p withoutIdentity) clean(ctx context.Context) context.Context {
	members := baggage.FromContext(ctx)
	for _, name := range []string{
		string(p.attributes.tenantKey), DefaultTenantKey, SlugKey, PlanKey, RequestIDKey, UserIDKey, UserHashKey, APIKeyIDKey,
	} {
		members = members.DeleteMember(name)
	}
	return baggage.ContextWithBaggage(ctx, members)
}
