package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tenantwall/tenantwall/otelx"
)

// What a summary holds at most: spans of parts of traces that have not ended, of so many
// traces, and of each so many. What is more is counted, or given up with the oldest trace.
const (
	maxOpenTraces = 256
	maxOpenSpans  = 200
)

// traceSummary writes each trace as a tree, when the span ends with which it began here: a
// request, and again the workflow or activity that goes on with its trace. It is for people
// who look at a terminal; a collector gets everything.
type traceSummary struct {
	mu    sync.Mutex
	to    io.Writer
	open  map[trace.TraceID]*openTrace
	order []trace.TraceID // of open, the oldest first
}

// openTrace has the spans that have ended before the one they belong to.
type openTrace struct {
	spans []sdktrace.ReadOnlySpan
	more  int
}

func newTraceSummary(to io.Writer) *traceSummary {
	return &traceSummary{to: to, open: make(map[trace.TraceID]*openTrace)}
}

// ExportSpans implements [sdktrace.SpanExporter].
func (s *traceSummary) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range spans {
		if parent := span.Parent(); parent.IsValid() && !parent.IsRemote() {
			s.keep(span)
			continue
		}
		if _, err := s.to.Write(s.tree(span)); err != nil {
			return err
		}
	}
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (*traceSummary) Shutdown(context.Context) error { return nil }

// keep remembers a span until its trace's part here ends.
func (s *traceSummary) keep(span sdktrace.ReadOnlySpan) {
	id := span.SpanContext().TraceID()
	of, known := s.open[id]
	if !known {
		if len(s.order) == maxOpenTraces {
			delete(s.open, s.order[0])
			s.order = slices.Delete(s.order, 0, 1)
		}
		of = &openTrace{}
		s.open[id], s.order = of, append(s.order, id)
	}
	if len(of.spans) == maxOpenSpans {
		of.more++
		return
	}
	of.spans = append(of.spans, span)
}

// tree is the text of a part of a trace, and forgets its spans.
func (s *traceSummary) tree(root sdktrace.ReadOnlySpan) []byte {
	id := root.SpanContext().TraceID()
	of, known := s.open[id]
	if !known {
		of = &openTrace{}
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "trace %s\n", id)
	of.write(&text, root, "  ")
	if of.more > 0 {
		fmt.Fprintf(&text, "  and %d more\n", of.more)
	}
	if of.more = 0; known && len(of.spans) == 0 {
		delete(s.open, id)
		s.order = slices.DeleteFunc(s.order, func(other trace.TraceID) bool { return other == id })
	}
	return text.Bytes()
}

// write writes a span and those below it, in the order of their beginning.
func (of *openTrace) write(to io.Writer, span sdktrace.ReadOnlySpan, indent string) {
	fmt.Fprintf(to, "%s%s  %s%s\n", indent, span.Name(), span.EndTime().Sub(span.StartTime()).Round(10*time.Microsecond), tenantOf(span))
	self := span.SpanContext().SpanID()
	var below []sdktrace.ReadOnlySpan
	of.spans = slices.DeleteFunc(of.spans, func(other sdktrace.ReadOnlySpan) bool {
		if other.Parent().SpanID() != self {
			return false
		}
		below = append(below, other)
		return true
	})
	slices.SortStableFunc(below, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	for _, child := range below {
		of.write(to, child, indent+"  ")
	}
}

// tenantOf is whom a span's work is for: the slug if it is told, or else the id.
func tenantOf(span sdktrace.ReadOnlySpan) (text string) {
	for _, kv := range span.Attributes() {
		switch string(kv.Key) {
		case otelx.SlugKey:
			return "  " + kv.Value.AsString()
		case otelx.DefaultTenantKey:
			text = "  " + kv.Value.AsString()
		}
	}
	return text
}
