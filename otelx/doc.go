// Package otelx tells OpenTelemetry and package slog which tenant, request and user work is
// done for.
//
// A program on many tenants is asked two things of its telemetry: "what happened to this
// customer?", which spans and logs answer when each of them has the tenant, and "how are we
// doing?", which metrics answer as long as they don't have it: a time series for each
// tenant is what bills and memory die of. So there are two types.
//
// [Attributes] puts the tenant's id, slug and plan, the request's id and, when asked to, the
// user on each span and each log record that is made in the context of a request or job:
//
//	attributes, err := otelx.New(otelx.Config{})
//	provider := sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(attributes.SpanProcessor()),
//		sdktrace.WithBatcher(otelx.RedactSpans(exporter, nil)),
//	)
//	log := slog.New(attributes.Handler(slog.NewJSONHandler(os.Stderr, nil), nil))
//	otel.SetTextMapPropagator(otelx.Propagator())
//
// The instrumentations of HTTP (otelhttp), pgx (otelpgx), Redis (redisotel) and Temporal
// make their spans in that context, and need no setting of their own. The span of the HTTP
// server alone begins before the tenant is known; [Attributes.Annotate], behind the
// middleware of package resolve, tells it later:
//
//	problem.RequestID(otelhttp.NewHandler(authenticate(inTenant(attributes.Annotate(mux))), "http"))
//
// [Metrics] measure requests, sessions, limits, jobs, caches and pools, by plan and by an
// explicit list of tenants, with all others as one. How many time series there are is
// known from the configuration.
//
// # What is trusted
//
// The tenant comes from [tenant.FromContext], behind which stands a credential, and from
// nowhere else. Baggage is neither read for it nor sent: [Propagator] carries traces alone.
// A trace's own id a stranger may choose; a service on the open internet begins its own
// (otelhttp.WithPublicEndpointFn) and links the stranger's.
//
// # Secrets and people
//
// Nothing of people is told unless asked for: [HashedUsers] or [PlainUsers]. Secrets are
// taken out of log records, and of spans by [RedactSpans], by the names and forms that
// [Redactor] knows. That is a net, not a licence to log them.
package otelx
