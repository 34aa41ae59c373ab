package otelx

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// RedactSpans wraps an exporter so that no span leaves with a secret: in its name, its
// status, its attributes, those of its events (an error that was recorded is one), links,
// scope and resource (the command line of the process is there). Instrumentations write
// whole URLs and SQL into attributes, and what is in these is known to no library. A nil
// redactor means [DefaultRedactor].
func RedactSpans(next sdktrace.SpanExporter, redactor *Redactor) sdktrace.SpanExporter {
	if redactor == nil {
		redactor = DefaultRedactor()
	}
	return &redactingExporter{SpanExporter: next, redactor: redactor}
}

type redactingExporter struct {
	sdktrace.SpanExporter
	redactor *Redactor
	resource atomic.Pointer[cleanResource] // the last one: a provider has one for all its spans
}

// cleanResource is a resource with and without the secrets in it.
type cleanResource struct{ of, clean *resource.Resource }

// resourceOf is a resource without the secrets in it.
func (e *redactingExporter) resourceOf(of *resource.Resource) *resource.Resource {
	if last := e.resource.Load(); last != nil && last.of == of {
		return last.clean
	}
	clean := resource.NewWithAttributes(of.SchemaURL(), e.redactor.attributes(of.Attributes())...)
	e.resource.Store(&cleanResource{of, clean})
	return clean
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e *redactingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		clean[i] = redactedSpan{span, e}
	}
	return e.SpanExporter.ExportSpans(ctx, clean)
}

// redactedSpan is a span as it may leave.
type redactedSpan struct {
	sdktrace.ReadOnlySpan
	exporter *redactingExporter
}

// Name implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) Name() string { return s.exporter.redactor.Text(s.ReadOnlySpan.Name()) }

// Status implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = s.exporter.redactor.Text(status.Description)
	return status
}

// Attributes implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) Attributes() []attribute.KeyValue {
	return s.exporter.redactor.attributes(s.ReadOnlySpan.Attributes())
}

// Events implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) Events() []sdktrace.Event {
	events := s.ReadOnlySpan.Events()
	clean := make([]sdktrace.Event, len(events))
	for i, event := range events {
		event.Name = s.exporter.redactor.Text(event.Name)
		event.Attributes = s.exporter.redactor.attributes(event.Attributes)
		clean[i] = event
	}
	return clean
}

// Links implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) Links() []sdktrace.Link {
	links := s.ReadOnlySpan.Links()
	clean := make([]sdktrace.Link, len(links))
	for i, link := range links {
		link.Attributes = s.exporter.redactor.attributes(link.Attributes)
		clean[i] = link
	}
	return clean
}

// InstrumentationScope implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) InstrumentationScope() instrumentation.Scope {
	scope := s.ReadOnlySpan.InstrumentationScope()
	if scope.Attributes.Len() > 0 {
		scope.Attributes = attribute.NewSet(s.exporter.redactor.attributes(scope.Attributes.ToSlice())...)
	}
	return scope
}

// Resource implements [sdktrace.ReadOnlySpan].
func (s redactedSpan) Resource() *resource.Resource {
	return s.exporter.resourceOf(s.ReadOnlySpan.Resource())
}

// attributes are kvs without the secrets in them.
func (r *Redactor) attributes(kvs []attribute.KeyValue) []attribute.KeyValue {
	return r.attributesIn(kvs, open)
}

// attributesIn are attributes in one whose name says something about them.
func (r *Redactor) attributesIn(kvs []attribute.KeyValue, says secrecy) []attribute.KeyValue {
	clean := make([]attribute.KeyValue, 0, min(len(kvs), maxParts))
	for i, kv := range kvs {
		if i == maxParts {
			return append(clean, attribute.String(leftOut, leftOut))
		}
		value := r.value(kv.Value, max(says, secrecyOf(string(kv.Key))))
		clean = append(clean, attribute.KeyValue{Key: attribute.Key(r.Text(string(kv.Key))), Value: value})
	}
	return clean
}

// value is an attribute's value without the secrets in it.
func (r *Redactor) value(v attribute.Value, says secrecy) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(r.told(v.AsString(), says))
	case attribute.STRINGSLICE: // such as the values of a header field
		texts := v.AsStringSlice()
		if len(texts) > maxParts {
			texts = append(texts[:maxParts], leftOut)
		}
		for i, text := range texts {
			texts[i] = r.told(text, says)
		}
		return attribute.StringSliceValue(texts)
	case attribute.BYTESLICE:
		text := string(v.AsByteSlice())
		if clean := r.told(text, says); clean != text {
			return attribute.StringValue(clean)
		}
		return v
	case attribute.SLICE:
		values := v.AsSlice()
		if len(values) > maxParts {
			values = append(values[:maxParts], attribute.StringValue(leftOut))
		}
		for i, element := range values {
			values[i] = r.value(element, says)
		}
		return attribute.SliceValue(values...)
	case attribute.MAP:
		return attribute.MapValue(r.attributesIn(v.AsMap(), says)...)
	case attribute.INT64, attribute.FLOAT64, attribute.INT64SLICE, attribute.FLOAT64SLICE:
		if says == hidesValue {
			return attribute.StringValue(Redacted)
		}
	default: // truth values hide nothing
	}
	return v
}

// told is a text with a name that says something about it.
func (r *Redactor) told(text string, says secrecy) string {
	if says != open && text != "" {
		return Redacted
	}
	return r.Text(text)
}
