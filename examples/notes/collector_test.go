package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tenantwall/tenantwall/otelx"
)

// collector takes what a program sends by OTLP over HTTP.
type collector struct {
	mu       sync.Mutex
	services []string
	tenants  map[string]string // by the name of the span
	metrics  []string
	broken   []error
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.URL.Path == "/v1/traces" {
		err = c.traces(body)
	} else if err == nil {
		var sent metricspb.ExportMetricsServiceRequest
		err = proto.Unmarshal(body, &sent)
		for _, of := range sent.GetResourceMetrics() {
			for _, scope := range of.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					c.metrics = append(c.metrics, m.GetName())
				}
			}
		}
	}
	if err != nil {
		c.broken = append(c.broken, err)
	}
}

func (c *collector) traces(body []byte) error {
	var sent tracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		return err
	}
	for _, of := range sent.GetResourceSpans() {
		for _, attr := range of.GetResource().GetAttributes() {
			if attr.GetKey() == "service.name" {
				c.services = append(c.services, attr.GetValue().GetStringValue())
			}
		}
		for _, scope := range of.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.tenants[span.GetName()] = ""
				for _, attr := range span.GetAttributes() {
					if attr.GetKey() == otelx.SlugKey {
						c.tenants[span.GetName()] = attr.GetValue().GetStringValue()
					}
				}
			}
		}
	}
	return nil
}

func TestTheProgramSendsTracesAndMetricsToACollector(t *testing.T) {
	t.Parallel()
	got := &collector{tenants: make(map[string]string)}
	server := httptest.NewServer(got)
	t.Cleanup(server.Close)
	p := startProgram(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "NOTES_TRACE=true"}, executable(t))
	a := api{url: p.url}
	ada := a.signIn(t, "ada@acme.example")
	require.Equal(t, 200, a.do(t, request{method: "GET", path: "/t/acme-corp/v1/notes", token: ada.token}).status)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end(t)

	got.mu.Lock()
	defer got.mu.Unlock()
	assert.Empty(t, got.broken)
	assert.Contains(t, got.services, "notes")
	assert.Equal(t, "acme-corp", got.tenants["GET /t/{tenant}/v1/notes"], "%v", got.tenants)
	assert.Contains(t, got.metrics, "tenantwall.request.duration")
	assert.Contains(t, got.metrics, "tenantwall.pool.connections", "looked at once more before the pools close")
	assert.Regexp(t, `(?m)^trace [0-9a-f]{32}\n  GET /t/\{tenant\}/v1/notes  [0-9.µms]+  acme-corp\n`, p.stderr.String(), "the summary")
	assert.NotContains(t, p.stderr.String(), ada.token)
}

func TestACollectorThatHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(func() {
		close(hang)
		server.Close()
	})
	p := startProgram(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL}, executable(t))
	a := api{url: p.url}
	a.signIn(t, "ada@acme.example")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end(t)
}
