package otelx_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestBaggageIsNeitherSentNorReadUnlessAskedFor(t *testing.T) {
	t.Parallel()
	members, err := baggage.Parse("tenant.id=beta,customer=beta,user.id=ben,flavour=mint")
	require.NoError(t, err)
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(baggage.ContextWithBaggage(t.Context(), members), "out")
	defer span.End()

	out := propagation.MapCarrier{}
	otelx.Propagator().Inject(ctx, out)
	assert.Contains(t, out, "traceparent")
	assert.NotContains(t, out, "baggage")
	in := otelx.Propagator().Extract(t.Context(), propagation.MapCarrier{"baggage": "tenant.id=beta"})
	assert.Zero(t, baggage.FromContext(in).Len())

	a := newAttributes(t, otelx.Config{TenantKey: "customer"})
	asked := a.PropagatorWithBaggage()
	out = propagation.MapCarrier{}
	asked.Inject(ctx, out)
	assert.Equal(t, "flavour=mint", out["baggage"], "the rest is the program's own affair")
	in = asked.Extract(t.Context(), propagation.MapCarrier{"baggage": "tenant.id=beta,customer=beta,flavour=mint"})
	assert.Equal(t, "flavour=mint", baggage.FromContext(in).String())
	assert.Contains(t, asked.Fields(), "baggage")
}

func TestTenantIsNeverTakenFromBaggage(t *testing.T) {
	t.Parallel()
	members, err := baggage.Parse("tenant.id=beta,tenant.slug=beta-industries")
	require.NoError(t, err)
	ctx := baggage.ContextWithBaggage(t.Context(), members)
	_, known := tenant.FromContext(ctx)
	assert.False(t, known)
	assert.Empty(t, newAttributes(t, otelx.Config{}).Of(ctx))
}
