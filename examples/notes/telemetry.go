package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"regexp"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/quota"
)

// telemetryTimeout is what traces and metrics have left to be sent at the end. What a
// collector does not take by then is lost.
const telemetryTimeout = time.Second

// telemetryConfig says where traces and metrics go. The zero value makes none.
type telemetryConfig struct {
	collector   bool      // of OTLP: where it is, the exporters read from the environment themselves
	summary     io.Writer // gets each trace as text; nil: none
	trustTraces bool      // a request's trace goes on here, because no stranger's gets this far

	spans  sdktrace.SpanExporter // a test's own
	reader sdkmetric.Reader      // a test's own
}

// telemetry is what traces and measures the service. The zero telemetry does neither, and
// stands in nobody's way.
type telemetry struct {
	attributes *otelx.Attributes
	tracers    *sdktrace.TracerProvider
	meters     *sdkmetric.MeterProvider
	metrics    *otelx.Metrics

	serverName  string
	trustTraces bool
}

// on reports whether anything is traced or measured.
func (t telemetry) on() bool { return t.tracers != nil }

// openTelemetry makes what the configuration asks for.
func openTelemetry(ctx context.Context, cfg config) (t telemetry, err error) {
	to := cfg.telemetry
	if !to.collector && to.summary == nil && to.spans == nil && to.reader == nil {
		return telemetry{}, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	t = telemetry{serverName: serverName(cfg), trustTraces: to.trustTraces}
	if t.attributes, err = otelx.New(otelx.Config{}); err != nil {
		return t, err
	}
	self, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "notes")), resource.WithFromEnv())
	if err != nil {
		return t, err
	}
	spans := []sdktrace.TracerProviderOption{sdktrace.WithResource(self), sdktrace.WithSpanProcessor(t.attributes.SpanProcessor())}
	measures := []sdkmetric.Option{sdkmetric.WithResource(self)}
	redactor, err := newRedactor(cfg)
	if err != nil {
		return t, err
	}
	if to.collector {
		traces, err := otlptracehttp.New(ctx)
		if err != nil {
			return t, err
		}
		metrics, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return t, err
		}
		spans = append(spans, sdktrace.WithBatcher(otelx.RedactSpans(traces, redactor)))
		measures = append(measures, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
	}
	if to.summary != nil {
		spans = append(spans, sdktrace.WithSyncer(otelx.RedactSpans(newTraceSummary(to.summary), redactor)))
	}
	if to.spans != nil {
		spans = append(spans, sdktrace.WithSyncer(otelx.RedactSpans(to.spans, redactor)))
	}
	if to.reader != nil {
		measures = append(measures, sdkmetric.WithReader(to.reader))
	}
	t.tracers, t.meters = sdktrace.NewTracerProvider(spans...), sdkmetric.NewMeterProvider(measures...)
	t.metrics, err = otelx.NewMetrics(otelx.MetricsConfig{Provider: t.meters, Plans: planNames(cfg.plans)})
	return t, err
}

// serverName is what metrics call the service. It has a port, without which that of the
// request's Host would be taken, which anybody may choose.
func serverName(cfg config) string {
	_, port, err := net.SplitHostPort(cfg.addr)
	if err != nil {
		return cfg.baseDomain
	}
	return net.JoinHostPort(cfg.baseDomain, port)
}

// planNames are what metrics tell apart. Plans that an operator adds to the database are one
// until the program knows them.
func planNames(own []quota.Plan) (names []string) {
	if own == nil {
		own = plans()
	}
	for _, p := range own {
		names = append(names, p.Name)
	}
	return names
}

// close sends what has not been sent. It takes up to telemetryTimeout, and whether a
// collector has taken everything is no business of the program's end: OpenTelemetry's error
// handler has been told.
func (t telemetry) close() error {
	if !t.on() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), telemetryTimeout)
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = t.tracers.Shutdown(ctx)
	}()
	var err error
	if t.metrics != nil {
		_ = t.meters.ForceFlush(ctx) // with the last look at caches and pools
		err = t.metrics.Close()
	}
	_ = t.meters.Shutdown(ctx)
	<-sent
	return err
}

// logHandler makes each line of the log tell its tenant, request and trace, and no secret.
func logHandler(cfg config, next slog.Handler) (slog.Handler, error) {
	attributes, err := otelx.New(otelx.Config{})
	if err != nil {
		return nil, err
	}
	redactor, err := newRedactor(cfg)
	if err != nil {
		return nil, err
	}
	return attributes.Handler(next, redactor), nil
}

// newRedactor knows the service's own secrets beside what all services have.
func newRedactor(cfg config) (*otelx.Redactor, error) {
	keys, err := apikey.NewFormat(keyBrand, keyEnvironment(cfg.demo))
	if err != nil {
		return nil, err
	}
	forms := []*regexp.Regexp{regexp.MustCompile(keys.Pattern())}
	for _, given := range []string{cfg.operatorToken, cfg.smtp.password} {
		if given != "" && given != demoOperatorToken {
			forms = append(forms, regexp.MustCompile(regexp.QuoteMeta(given)))
		}
	}
	return otelx.NewRedactor(forms...)
}
