package otelx_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

// All spans of a request have its tenant, whoever makes them.
func Example() {
	attributes, err := otelx.New(otelx.Config{})
	if err != nil {
		panic(err)
	}
	exporter := tracetest.NewInMemoryExporter() // stands for that of OTLP
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(attributes.SpanProcessor()),
		sdktrace.WithSyncer(otelx.RedactSpans(exporter, nil)),
	)

	// What the middleware of package resolve does for a request.
	ctx := tenant.NewContext(context.Background(), tenant.Tenant{ID: tenant.ID{15: 1}, Slug: "acme-corp", Plan: "pro"})

	_, span := provider.Tracer("example").Start(ctx, "SELECT notes")
	span.End()
	for _, kv := range exporter.GetSpans()[0].Attributes {
		fmt.Println(kv.Key, kv.Value.String())
	}
	// Output:
	// tenant.id 00000000-0000-0000-0000-000000000001
	// tenant.slug acme-corp
	// tenant.plan pro
}

// A logger tells the tenant of each line, and keeps secrets to itself.
func ExampleAttributes_Handler() {
	attributes, err := otelx.New(otelx.Config{})
	if err != nil {
		panic(err)
	}
	plain := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	log := slog.New(attributes.Handler(plain, nil))

	ctx := tenant.NewContext(context.Background(), tenant.Tenant{ID: tenant.ID{15: 1}, Slug: "acme-corp"})
	log.InfoContext(ctx, "connected", "to", "postgres://app:hunter2@db.internal/app")
	// Output:
	// level=INFO msg=connected tenant.id=00000000-0000-0000-0000-000000000001 tenant.slug=acme-corp to=postgres://app:[redacted]@db.internal/app
}

// Metrics tell plans apart, and the few tenants that are on a list.
func ExampleNewMetrics() {
	metrics, err := otelx.NewMetrics(otelx.MetricsConfig{
		Provider: sdkmetric.NewMeterProvider(),
		Plans:    []string{"free", "pro"},
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = metrics.Close() }()

	ctx := tenant.NewContext(context.Background(), tenant.Tenant{ID: tenant.NewID(), Plan: "a plan that was made for one customer"})
	for _, kv := range metrics.Of(ctx) {
		fmt.Println(kv.Key, kv.Value.String())
	}
	// Output:
	// tenant.plan other
}

// A product has secrets of its own form, which its logs and spans are to lose as well.
func ExampleNewRedactor() {
	redactor, err := otelx.NewRedactor(regexp.MustCompile(`\b(card )\d{12}(\d{4})\b`)) // the groups stay
	if err != nil {
		panic(err)
	}
	fmt.Println(redactor.Text("charged card 424242424242" + "4242"))
	fmt.Println(redactor.Text("GET /export?token=" + "r8dSnz3qkm0p"))
	fmt.Println(redactor.Attr(slog.String("password", "hunter2")))
	// It is the second argument of Attributes.Handler and of RedactSpans.

	// Output:
	// charged card [redacted]4242
	// GET /export?token=[redacted]
	// password=[redacted]
}
