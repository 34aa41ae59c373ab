package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// requests makes a span of each request, named by its route. It stands behind what gives
// requests their ids, and in front of what handles them.
func (t telemetry) requests(next http.Handler) http.Handler {
	if !t.on() {
		return next
	}
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithTracerProvider(t.tracers),
		otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithPropagators(otelx.Propagator()),
		otelhttp.WithPublicEndpointFn(t.strangers),
		otelhttp.WithServerName(t.serverName), // not the Host, of which each tenant has its own, and a stranger any
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return cmp.Or(r.Pattern, "unrouted") }),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/healthz" && r.URL.Path != "/readyz" }),
	)
}

// strangers reports whether a request comes with the id of a trace that anybody may have
// chosen: its trace begins here then, and links that one. What the page asks of the API
// belongs to the page's own trace.
func (t telemetry) strangers(r *http.Request) bool {
	return !t.trustTraces && !trace.SpanFromContext(r.Context()).IsRecording()
}

// inTenant makes a middleware that finds the tenant be followed by what tells the request's
// span of it, and measures.
func (t telemetry) inTenant(resolve func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	if !t.on() {
		return resolve
	}
	return func(next http.Handler) http.Handler {
		return resolve(t.attributes.Annotate(t.metrics.Requests(next)))
	}
}

// denials are counted where a limit refuses, and admitted behind it.
func (t telemetry) denials() (hooks quota.Hooks) {
	if t.on() {
		hooks.OnDeny = func(ctx context.Context, of tenant.Tenant, d quota.Decision) {
			t.metrics.Admission(tenant.NewContext(ctx, of), d.Binding, false, string(d.Source))
		}
	}
	return hooks
}

func (t telemetry) admitted(next http.Handler) http.Handler {
	if !t.on() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d, ok := quota.FromContext(r.Context()); ok {
			t.metrics.Admission(r.Context(), d.Binding, true, string(d.Source))
		}
		next.ServeHTTP(w, r)
	})
}

// statements traces the statements of a pool; nil when nothing is traced. What runs for no
// request and no job, such as the look for events each second, is not traced.
func (t telemetry) statements() pgx.QueryTracer {
	if !t.on() {
		return nil
	}
	return otelpgx.NewTracer(
		otelpgx.WithTracerProvider(t.tracers),
		otelpgx.WithMeterProvider(metricnoop.NewMeterProvider()), // sessions and pools are measured by otelx
	)
}

// sessions is statements for the tenants' pool, whose statements are measured too.
func (t telemetry) sessions() pgx.QueryTracer {
	if !t.on() {
		return nil
	}
	return multitracer.New(t.statements(), sessionMeter{t.metrics})
}

// sessionMeter measures statements, batches and copies.
type sessionMeter struct{ metrics *otelx.Metrics }

type beganKey struct{}

func began(ctx context.Context) context.Context {
	return context.WithValue(ctx, beganKey{}, time.Now())
}

func (m sessionMeter) ended(ctx context.Context, err error) {
	if at, ok := ctx.Value(beganKey{}).(time.Time); ok {
		m.metrics.Session(ctx, at, err)
	}
}

func (sessionMeter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return began(ctx)
}

func (m sessionMeter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	m.ended(ctx, data.Err)
}

func (sessionMeter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return began(ctx)
}

func (sessionMeter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (m sessionMeter) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	m.ended(ctx, data.Err)
}

func (sessionMeter) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return began(ctx)
}

func (m sessionMeter) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	m.ended(ctx, data.Err)
}

// commands traces what a client asks of Redis, without the keys and values, which are
// tenants'.
func (t telemetry) commands(client *redis.Client) error {
	if !t.on() {
		return nil
	}
	return redisotel.InstrumentTracing(client, redisotel.WithTracerProvider(parented{t.tracers}),
		redisotel.WithDBStatement(false), redisotel.WithCallerEnabled(false))
}

// parented makes spans for what is part of a trace, and none that would begin one: a
// client's own questions to its server are not for anybody.
type parented struct{ trace.TracerProvider }

type parentedTracer struct{ trace.Tracer }

// Tracer implements [trace.TracerProvider].
func (p parented) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return parentedTracer{p.TracerProvider.Tracer(name, options...)}
}

// Start implements [trace.Tracer].
func (p parentedTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, noop.Span{}
	}
	return p.Tracer.Start(ctx, name, options...) //nolint:spancheck // the caller ends it
}

// observe has the caches and pools looked at whenever metrics are collected.
func (t telemetry) observe(s *server) error {
	if !t.on() {
		return nil
	}
	for name, pool := range map[string]*pgxpool.Pool{"gateway": s.gateway, "control": s.control} {
		if err := t.metrics.ObservePool(name, func() otelx.PoolStats { return poolStats(pool.Stat()) }); err != nil {
			return err
		}
	}
	if err := t.metrics.ObserveCache("tenants", s.tenantCacheStats); err != nil {
		return err
	}
	if err := t.metrics.ObserveCache("api_keys", s.keyCacheStats); err != nil {
		return err
	}
	return t.observeSessions(s.notes.db)
}

// observeSessions has what should never happen counted: somebody is woken by it.
func (t telemetry) observeSessions(db *tenantdb.DB) error {
	meter := t.meters.Meter("github.com/tenantwall/tenantwall/examples/notes")
	_, err := meter.Int64ObservableCounter("notes.sessions.escaped",
		metric.WithDescription("Statements that changed their role and were rolled back, and connections that were left in a tenant's role and closed."),
		metric.WithInt64Callback(func(_ context.Context, to metric.Int64Observer) error {
			stats := db.Stats()
			to.Observe(stats.Left, metric.WithAttributes(attribute.String("found", "at_once")))
			to.Observe(stats.Poisoned, metric.WithAttributes(attribute.String("found", "later")))
			return nil
		}))
	return err
}

func poolStats(s *pgxpool.Stat) otelx.PoolStats {
	return otelx.PoolStats{
		Acquires: s.AcquireCount(), Waits: s.EmptyAcquireCount(), WaitTime: s.EmptyAcquireWaitTime(),
		InUse: int64(s.AcquiredConns()), Idle: int64(s.IdleConns()), Max: int64(s.MaxConns()),
	}
}

func (s *server) tenantCacheStats() otelx.CacheStats {
	c := s.caches.tenants.Stats()
	return otelx.CacheStats{
		Hits: int64(c.Hits), Misses: int64(c.Misses), Negative: int64(c.NegativeHits), Entries: int64(c.Tenants), Age: c.Oldest,
	}
}

func (s *server) keyCacheStats() otelx.CacheStats {
	c := s.keys.Stats()
	return otelx.CacheStats{Hits: int64(c.Hits), Misses: int64(c.Loads), Negative: int64(c.RefusedAgain), Entries: int64(c.Verified)}
}
