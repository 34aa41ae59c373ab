package otelx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tenantwall/tenantwall/internal/responsewriter"
	"github.com/tenantwall/tenantwall/tenant"
)

// Scope is the name of the meter, by which an SDK's views find its instruments.
const Scope = "github.com/tenantwall/tenantwall/otelx"

// Bounds of what metrics tell apart. Each value makes further time series, which cost
// memory here and money where they are kept.
const (
	MaxTenants = 200
	MaxPlans   = 50
	MaxNames   = 50 // of limits, of sources, of jobs, of caches, and of pools
)

// Other is the value of an attribute for all that is not told apart, and None the one for
// work that is done for no tenant.
const (
	Other = "other"
	None  = "none"
)

// MetricsConfig says what [Metrics] tell apart.
type MetricsConfig struct {
	// Provider makes the meter. It must be set; that of package noop measures nothing.
	Provider metric.MeterProvider

	// Plans are the names of the plans that are told apart, by the attribute tenant.plan,
	// up to MaxPlans; all others are Other, and so is a tenant that has none by name.
	Plans []string

	// Tenants are told apart each by its id, up to MaxTenants: the few big ones that
	// somebody looks at. All others are Other. Without any, metrics have no attribute of
	// the tenant's id.
	Tenants []tenant.ID

	// TenantKey is the name of the attribute with the tenant's id; empty means
	// DefaultTenantKey.
	TenantKey string
}

// Metrics measure the work of a service by plan, and by tenant for those on a list. The
// number of time series is bounded by the configuration, whatever number of tenants there
// are: an SDK folds what is too much for it without a word, and a bill doesn't.
//
// The instruments, all by tenant.plan (and tenant.id, with [MetricsConfig.Tenants]) but
// those of caches and pools:
//
//	tenantwall.request.duration    s, by http.request.method, http.response.status_class
//	tenantwall.session.duration    s, by outcome
//	tenantwall.admissions          by limit, outcome, source
//	tenantwall.job.duration        s, by job, outcome
//	tenantwall.cache.lookups       by cache, result
//	tenantwall.cache.entries       by cache
//	tenantwall.cache.age           s, of the oldest answer that may be given, by cache
//	tenantwall.pool.acquires       by pool
//	tenantwall.pool.waits          by pool: acquires that found no connection free
//	tenantwall.pool.wait_time      s, by pool
//	tenantwall.pool.connections    by pool, state
//
// Metrics may be used by several goroutines at once. Close ends the observation of caches
// and pools.
type Metrics struct {
	tenantKey attribute.Key
	plans     map[string]struct{}
	tenants   map[tenant.ID]attribute.KeyValue

	meter      metric.Meter
	requests   metric.Float64Histogram
	sessions   metric.Float64Histogram
	admissions metric.Int64Counter
	jobs       metric.Float64Histogram
	observed   observed

	limits, sources, jobNames names
}

// metricKeys are the attributes of the instruments that have one of the tenant.
var metricKeys = []string{PlanKey, "http.request.method", "http.response.status_class", "outcome", "limit", "source", "job"}

// durations are the boundaries of the histograms, in seconds: a statement takes a fraction
// of a millisecond, a job minutes.
var durations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// NewMetrics makes the instruments. The error says which setting is wrong, or is the
// provider's.
func NewMetrics(cfg MetricsConfig) (*Metrics, error) {
	switch {
	case cfg.Provider == nil:
		return nil, errors.New("otelx: MetricsConfig.Provider is nil: take the program's, or that of package noop")
	case len(cfg.Plans) > MaxPlans:
		return nil, fmt.Errorf("otelx: MetricsConfig.Plans has %d plans, over %d", len(cfg.Plans), MaxPlans)
	case len(cfg.Tenants) > MaxTenants:
		return nil, fmt.Errorf("otelx: MetricsConfig.Tenants has %d tenants, over %d: each makes time series of its own", len(cfg.Tenants), MaxTenants)
	}
	if cfg.TenantKey == "" {
		cfg.TenantKey = DefaultTenantKey
	}
	if slices.Contains(metricKeys, cfg.TenantKey) {
		return nil, fmt.Errorf("otelx: MetricsConfig.TenantKey is %q, which is the name of another attribute", cfg.TenantKey)
	}
	m := &Metrics{
		tenantKey: attribute.Key(cfg.TenantKey),
		plans:     make(map[string]struct{}, len(cfg.Plans)),
		meter:     cfg.Provider.Meter(Scope),
	}
	for _, plan := range cfg.Plans {
		m.plans[plan] = struct{}{}
	}
	if len(cfg.Tenants) > 0 {
		m.tenants = make(map[tenant.ID]attribute.KeyValue, len(cfg.Tenants))
		for _, id := range cfg.Tenants {
			m.tenants[id] = m.tenantKey.String(id.String())
		}
	}
	if err := m.makeInstruments(); err != nil {
		return nil, fmt.Errorf("otelx: %w", err)
	}
	return m, nil
}

func (m *Metrics) makeInstruments() (err error) {
	histogram := func(name, text string) metric.Float64Histogram {
		h, problem := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(text),
			metric.WithExplicitBucketBoundaries(durations...))
		err = errors.Join(err, problem)
		return h
	}
	m.requests = histogram("tenantwall.request.duration", "How long requests of tenants took.")
	m.sessions = histogram("tenantwall.session.duration", "How long statements and transactions of tenants took.")
	m.jobs = histogram("tenantwall.job.duration", "How long jobs of tenants took.")
	var problem error
	m.admissions, problem = m.meter.Int64Counter("tenantwall.admissions", metric.WithDescription("What limits have admitted and denied."))
	return errors.Join(err, problem, m.observed.make(m.meter))
}

// Of are the attributes by which metrics tell a context apart.
func (m *Metrics) Of(ctx context.Context) []attribute.KeyValue {
	t, ok := tenant.FromContext(ctx)
	plan := Other
	if _, known := m.plans[t.Plan]; known {
		plan = t.Plan
	}
	if !ok {
		plan = None
	}
	kvs := make([]attribute.KeyValue, 1, 6) // room for those of the instrument
	kvs[0] = attribute.String(PlanKey, plan)
	if m.tenants == nil {
		return kvs
	}
	id, listed := m.tenants[t.ID]
	switch {
	case !ok:
		id = m.tenantKey.String(None)
	case !listed:
		id = m.tenantKey.String(Other)
	}
	return append(kvs, id)
}

// Requests is a middleware that measures requests. It stands directly behind the
// middleware of package resolve, in front of which no tenant is known; what that one
// refuses belongs to no tenant, and is measured by an instrumentation of the whole server.
func (m *Metrics) Requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &responsewriter.Writer{ResponseWriter: w}
		returned := false
		defer func() {
			if !returned && seen.Status == 0 { // a panic, which is somebody else's to recover from
				seen.Status = http.StatusInternalServerError
			}
			m.requests.Record(r.Context(), time.Since(began).Seconds(), metric.WithAttributes(append(m.Of(r.Context()),
				attribute.String("http.request.method", method(r.Method)),
				attribute.String("http.response.status_class", class(seen.Status)))...))
		}()
		next.ServeHTTP(seen, r)
		returned = true
	})
}

// Session measures a statement or a transaction of ctx's tenant, which began at a time and
// ended with err or without. A tracer of pgx calls it.
func (m *Metrics) Session(ctx context.Context, began time.Time, err error) {
	m.sessions.Record(ctx, time.Since(began).Seconds(),
		metric.WithAttributes(append(m.Of(ctx), attribute.String("outcome", outcome(err)))...))
}

// Admission counts what a limit of ctx's tenant decided: whether it was admitted, and by
// whom (Redis, a lease, nobody because Redis is away). Limit and source are names of the
// program's own, a handful of each.
func (m *Metrics) Admission(ctx context.Context, limit string, allowed bool, source string) {
	decided := "denied"
	if allowed {
		decided = "allowed"
	}
	m.admissions.Add(ctx, 1, metric.WithAttributes(append(m.Of(ctx),
		attribute.String("limit", m.limits.bounded(limit)), attribute.String("outcome", decided), attribute.String("source", m.sources.bounded(source)))...))
}

// Job measures a job of ctx's tenant, which began at a time and ended with err or without.
// The name is one of a handful, the kind of the job and not its id: past the first MaxNames
// of them, all are Other.
func (m *Metrics) Job(ctx context.Context, name string, began time.Time, err error) {
	m.jobs.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(append(m.Of(ctx),
		attribute.String("job", m.jobNames.bounded(name)), attribute.String("outcome", outcome(err)))...))
}

// Close ends what [Metrics.ObserveCache] and [Metrics.ObservePool] began.
func (m *Metrics) Close() error { return m.observed.close() }

// outcome is how something ended: not why, for there is no bound on reasons.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "error"
}
