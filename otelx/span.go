package otelx

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// SpanProcessor sets the attributes of its context on each span that begins: of pgx, Redis,
// Temporal and the program's own alike, for all of them begin in the context of the request
// or the job. Register it in front of the one that exports:
//
//	sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(attributes.SpanProcessor()),
//		sdktrace.WithBatcher(exporter),
//	)
//
// A span that began before the tenant was known, such as that of the HTTP server, is told
// later, by [Attributes.Annotate].
func (a *Attributes) SpanProcessor() sdktrace.SpanProcessor { return spanProcessor{a} }

type spanProcessor struct{ attributes *Attributes }

// OnStart implements [sdktrace.SpanProcessor].
func (p spanProcessor) OnStart(parent context.Context, span sdktrace.ReadWriteSpan) {
	if kvs := p.attributes.Of(parent); len(kvs) > 0 {
		span.SetAttributes(kvs...)
	}
}

// OnEnd implements [sdktrace.SpanProcessor].
func (spanProcessor) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown implements [sdktrace.SpanProcessor].
func (spanProcessor) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (spanProcessor) ForceFlush(context.Context) error { return nil }
