package otelx_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

var acme = tenant.Tenant{
	ID: tenant.ID{1, 0x8f, 15: 1}, Slug: "acme-corp", Plan: "pro", Status: tenant.StatusActive,
}

// inRequest is the context of a request of a user, in acme.
func inRequest(ctx context.Context, p tenant.Principal) context.Context {
	ctx = tenant.NewRequestIDContext(ctx, "req-1")
	return tenant.NewPrincipalContext(tenant.NewContext(ctx, acme), p)
}

var ada = tenant.Principal{Kind: tenant.User, ID: "user-ada", Email: "ada@acme.example", Tenant: acme.ID}

func newAttributes(t testing.TB, cfg otelx.Config) *otelx.Attributes {
	t.Helper()
	a, err := otelx.New(cfg)
	require.NoError(t, err)
	return a
}

// asMap is attributes by name.
func asMap(kvs []attribute.KeyValue) map[string]string {
	m := make(map[string]string, len(kvs))
	for _, kv := range kvs {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

func TestContextIsToldWithoutPeopleUnlessAskedFor(t *testing.T) {
	t.Parallel()
	ctx := inRequest(t.Context(), ada)
	known := map[string]string{"tenant.id": acme.ID.String(), "tenant.slug": "acme-corp", "tenant.plan": "pro", "request.id": "req-1"}

	assert.Equal(t, known, asMap(newAttributes(t, otelx.Config{}).Of(ctx)))
	assert.Empty(t, newAttributes(t, otelx.Config{}).Of(t.Context()), "a context of nobody's")

	plain := asMap(newAttributes(t, otelx.Config{Users: otelx.PlainUsers, TenantKey: "customer"}).Of(ctx))
	assert.Equal(t, "user-ada", plain["user.id"])
	assert.Equal(t, acme.ID.String(), plain["customer"])
	assert.NotContains(t, plain, "tenant.id")

	hashed := func(key string) string {
		a := newAttributes(t, otelx.Config{Users: otelx.HashedUsers, UserHashKey: []byte(key)})
		m := asMap(a.Of(ctx))
		assert.NotContains(t, m, "user.id")
		assert.NotContains(t, m["user.hash"], "ada")
		return m["user.hash"]
	}
	assert.Len(t, hashed("0123456789abcdef"), 22)
	once := hashed("0123456789abcdef")
	assert.Equal(t, once, hashed("0123456789abcdef"), "one user has one hash")
	assert.NotEqual(t, hashed("0123456789abcdef"), hashed("fedcba9876543210"), "without the key an id can't be looked up")

	key := tenant.Principal{Kind: tenant.Key, ID: "key-1", Tenant: acme.ID}
	assert.Equal(t, "key-1", asMap(newAttributes(t, otelx.Config{}).Of(inRequest(t.Context(), key)))["apikey.id"])
	for _, users := range []otelx.Config{{}, {Users: otelx.PlainUsers}, {Users: otelx.HashedUsers, UserHashKey: make([]byte, 16)}} {
		for _, value := range asMap(newAttributes(t, users).Of(ctx)) {
			assert.NotContains(t, value, "@", "an e-mail address is never told")
		}
	}
}

func TestNewRefusesSettingsThatContradict(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]otelx.Config{
		"TenantKey is":    {TenantKey: "user.id"},
		"has 3 bytes":     {Users: otelx.HashedUsers, UserHashKey: []byte("abc")},
		"for HashedUsers": {Users: otelx.PlainUsers, UserHashKey: make([]byte, 32)},
		"none of NoUsers": {Users: 7},
	} {
		_, err := otelx.New(cfg)
		assert.ErrorContains(t, err, name)
	}
}

// tracing is a provider whose finished spans can be looked at.
func tracing(a *otelx.Attributes) (*sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	exporter := tracetest.NewInMemoryExporter()
	return sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(a.SpanProcessor()),
		sdktrace.WithSyncer(otelx.RedactSpans(exporter, nil)),
	), exporter
}

func TestEachSpanHasTheTenantThatTheServersOwnIsToldLater(t *testing.T) {
	t.Parallel()
	a := newAttributes(t, otelx.Config{})
	provider, exporter := tracing(a)
	tracer := provider.Tracer("test")

	resolved := func(next http.Handler) http.Handler { // stands for authentication and resolve
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(inRequest(r.Context(), ada)))
		})
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, server := tracer.Start(r.Context(), "server")
		defer server.End()
		resolved(a.Annotate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, query := tracer.Start(r.Context(), "query")
			query.End()
		}))).ServeHTTP(w, r.WithContext(ctx))
	})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))

	spans := exporter.GetSpans()
	require.Len(t, spans, 2)
	for _, span := range spans {
		assert.Equal(t, acme.ID.String(), asMap(span.Attributes)["tenant.id"], span.Name)
		assert.Equal(t, spans[0].SpanContext.TraceID(), span.SpanContext.TraceID())
	}
	a.Tell(inRequest(t.Context(), ada)) // without a span there is nothing to tell
	require.NoError(t, provider.Shutdown(t.Context()))
}

func TestNoSpanLeavesWithASecret(t *testing.T) {
	t.Parallel()
	provider, exporter := tracing(newAttributes(t, otelx.Config{}))
	_, span := provider.Tracer("test").Start(t.Context(), "GET https://user:hunter2hunter2@example.com/")
	const token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
	span.SetAttributes(
		attribute.String("url.full", "https://example.com/?token=abcdefghijk&page=2"),
		attribute.String("http.request.header.authorization", "whatever"),
		attribute.StringSlice("http.request.header.x-api-key", []string{"one", "two"}),
		attribute.StringSlice("lines", []string{"Bearer " + token}),
		attribute.Int("token_count", 7),
	)
	span.AddEvent("got "+token, trace.WithAttributes(attribute.String("message", "password=hunter2")))
	span.SetStatus(codes.Error, "refused "+token)
	span.End()

	spans := exporter.GetSpans()
	require.Len(t, spans, 1)
	var all strings.Builder
	all.WriteString(spans[0].Name + spans[0].Status.Description + spans[0].Events[0].Name)
	for _, kv := range append(spans[0].Attributes, spans[0].Events[0].Attributes...) {
		all.WriteString(" " + kv.Value.String())
	}
	for _, secret := range []string{"hunter2", token, "abcdefghijk", "whatever", "one", "two"} {
		assert.NotContains(t, all.String(), secret)
	}
	assert.Contains(t, all.String(), "page=2", "what is no secret stays")
	assert.Equal(t, "7", asMap(spans[0].Attributes)["token_count"], "a number is no secret")
}

func TestTenantOfALaterSpanIsThatOfItsOwnContext(t *testing.T) {
	t.Parallel()
	a := newAttributes(t, otelx.Config{})
	provider, exporter := tracing(a)
	tracer := provider.Tracer("test")
	beta := acme
	beta.ID, beta.Slug = tenant.NewID(), "beta-industries"
	ctx, outer := tracer.Start(tenant.NewContext(t.Context(), acme), "outer")
	_, inner := tracer.Start(tenant.NewContext(ctx, beta), "inner")
	inner.End()
	outer.End()
	spans := exporter.GetSpans()
	require.Len(t, spans, 2)
	assert.Equal(t, beta.ID.String(), asMap(spans[0].Attributes)["tenant.id"])
	assert.Equal(t, acme.ID.String(), asMap(spans[1].Attributes)["tenant.id"])
}
