package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

// summarized is a tracer whose traces are summarized into the text.
func summarized(t *testing.T) (trace.Tracer, *traceSummary, *bytes.Buffer) {
	t.Helper()
	attributes, err := otelx.New(otelx.Config{})
	require.NoError(t, err)
	text := &bytes.Buffer{}
	summary := newTraceSummary(text)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(attributes.SpanProcessor()), sdktrace.WithSyncer(summary))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider.Tracer("test"), summary, text
}

func TestASummaryIsATreeOfEachTrace(t *testing.T) {
	t.Parallel()
	tracer, summary, text := summarized(t)
	ctx, root := tracer.Start(t.Context(), "GET /v1/notes")
	in := tenant.NewContext(ctx, tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp"})
	inFirst, first := tracer.Start(in, "first")
	_, below := tracer.Start(inFirst, "below")
	_, late := tracer.Start(in, "late")
	below.End()
	first.End()
	_, second := tracer.Start(in, "second")
	second.End()
	assert.Empty(t, text.String(), "the trace has not ended")
	root.End()

	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	require.Len(t, lines, 5, "%s", text)
	assert.Equal(t, "trace "+root.SpanContext().TraceID().String(), lines[0])
	assert.Regexp(t, `^  GET /v1/notes  [0-9.µms]+$`, lines[1])
	assert.Regexp(t, `^    first  [0-9.µms]+  acme-corp$`, lines[2])
	assert.Regexp(t, `^      below  [0-9.µms]+  acme-corp$`, lines[3])
	assert.Regexp(t, `^    second  [0-9.µms]+  acme-corp$`, lines[4])
	assert.Empty(t, summary.open)
	assert.Empty(t, summary.order)

	text.Reset()
	remote := trace.ContextWithRemoteSpanContext(t.Context(), first.SpanContext())
	_, activity := tracer.Start(remote, "RunActivity")
	activity.End()
	assert.Contains(t, text.String(), "RunActivity", "what goes on with a trace from elsewhere is a tree of its own")
	late.End() // its root has gone: it waits to be pushed out
	assert.Len(t, summary.open, 1)
}

func TestASummaryForgetsWhatNeverEnds(t *testing.T) {
	t.Parallel()
	tracer, summary, text := summarized(t)
	for range maxOpenTraces + 10 {
		ctx, _ := tracer.Start(t.Context(), "never ends") //nolint:spancheck // as it says
		_, child := tracer.Start(ctx, "child")
		child.End()
	}
	assert.Len(t, summary.open, maxOpenTraces)
	assert.Len(t, summary.order, maxOpenTraces)

	ctx, root := tracer.Start(t.Context(), "many")
	for range maxOpenSpans + 7 {
		_, child := tracer.Start(ctx, "child")
		child.End()
	}
	root.End()
	assert.Equal(t, maxOpenSpans, strings.Count(text.String(), "    child"))
	assert.Contains(t, text.String(), "  and 7 more\n")
	assert.Len(t, summary.open, maxOpenTraces-1)
}
