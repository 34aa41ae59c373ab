package otelx

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// Names of what a log record has beside the attributes: by them a line is found from a
// trace, and the trace from a line.
const (
	TraceIDKey = "trace_id"
	SpanIDKey  = "span_id"
)

// Handler wraps a handler of package slog: each record gets the attributes of the context
// that it was logged with, and the ids of its trace and span. They stand at the record's
// root, whatever group the logger is in, so that one query finds all lines of a tenant.
//
// A secret is taken out of message and attributes by [Redactor]; nil means
// [DefaultRedactor]. A record without a context (slog's functions whose name does not end
// in Context) gets no attributes.
func (a *Attributes) Handler(next slog.Handler, redactor *Redactor) slog.Handler {
	if redactor == nil {
		redactor = DefaultRedactor()
	}
	return &handler{next: next, attributes: a, redactor: redactor}
}

// handler adds what is to stand at the root. slog's handlers put whatever is added once a
// group is open into that group, so the groups and attributes of the logger are kept here
// and added to each record behind ours.
type handler struct {
	next       slog.Handler
	attributes *Attributes
	redactor   *Redactor
	scopes     []scope // from the outside in
	within     secrecy // what the names of the groups say of what is in them
}

// scope is one step that a logger has made from another: into a group, or with further
// attributes, which are redacted already.
type scope struct {
	group string
	attrs []slog.Attr
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	told := slog.NewRecord(r.Time, r.Level, h.redactor.Text(r.Message), r.PC)
	for _, kv := range h.attributes.Of(ctx) {
		told.AddAttrs(slog.String(string(kv.Key), kv.Value.AsString()))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		told.AddAttrs(slog.String(TraceIDKey, span.TraceID().String()), slog.String(SpanIDKey, span.SpanID().String()))
	}
	own := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(attr slog.Attr) bool {
		own = append(own, h.redactor.attr(attr, h.within))
		return true
	})
	told.AddAttrs(h.inScopes(own)...)
	return h.next.Handle(ctx, told)
}

// inScopes puts attributes of a record into the groups of the logger.
func (h *handler) inScopes(attrs []slog.Attr) []slog.Attr {
	for _, s := range slices.Backward(h.scopes) {
		if s.group != "" {
			attrs = []slog.Attr{{Key: s.group, Value: slog.GroupValue(attrs...)}}
			continue
		}
		attrs = slices.Concat(s.attrs, attrs)
	}
	return attrs
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	clean := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		clean[i] = h.redactor.attr(attr, h.within)
	}
	return h.inScope(scope{attrs: clean})
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	inner := h.inScope(scope{group: name})
	inner.within = max(h.within, secrecyOf(name))
	return inner
}

func (h *handler) inScope(s scope) *handler {
	inner := *h
	inner.scopes = slices.Concat(h.scopes, []scope{s})
	return &inner
}
