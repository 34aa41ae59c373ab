package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tenantwall/tenantwall/otelx"
)

// TestAnExportIsOneTraceFromTheRequestToTheActivity goes from HTTP through the tenant's
// resolution, its limits and its session to the workflow and the activity.
func TestAnExportIsOneTraceFromTheRequestToTheActivity(t *testing.T) {
	t.Parallel()
	a, told := startRecorded(t, config{temporal: onTemporal(t)})
	ada := a.signIn(t, "ada@acme.example")
	acme := a.switchTo(t, ada, "acme-corp")
	started := a.do(t, request{method: "POST", path: "/v1/exports", token: acme.Token, header: headers("baggage", "tenant.id=forged,user.id=forged")})
	require.Equal(t, 202, started.status, "%s", started.body)
	require.Eventually(t, func() bool {
		at := a.do(t, request{method: "GET", path: started.header.Get("Location"), token: acme.Token})
		return strings.Contains(string(at.body), `"status":"done"`)
	}, time.Minute, 50*time.Millisecond)

	var spans tracetest.SpanStubs
	require.Eventually(t, func() bool { // the workflow ends a little later than what it has written
		spans = told.traceOf(t, started.header.Get("X-Request-ID"))
		return strings.Contains(strings.Join(names(spans), "\n"), "RunWorkflow:")
	}, time.Minute, 50*time.Millisecond)

	root := named(t, spans, "POST /v1/exports")
	assert.False(t, root.Parent.IsValid())
	for _, name := range []string{
		"evalsha", "INSERT", "StartWorkflow:exportNotes", "RunWorkflow:exportNotes", "StartActivity:WriteExport", "RunActivity:WriteExport",
	} {
		named(t, spans, name)
	}
	job := named(t, spans, "RunActivity:WriteExport")
	assert.Equal(t, job.SpanContext.SpanID(), asking(t, spans, "FROM note").Parent.SpanID(), "the session of the activity")

	known := asking(t, spans, "INSERT INTO export").StartTime
	for _, s := range spans {
		if value(s.Attributes, otelx.DefaultTenantKey) != "" && s.Name != root.Name && s.StartTime.Before(known) {
			known = s.StartTime
		}
	}
	for _, s := range spans {
		of := value(s.Attributes, otelx.DefaultTenantKey)
		if of == "" && !s.EndTime.After(known) {
			continue // who asks, before it was known for whom
		}
		assert.Equal(t, acme.Tenant.ID.String(), of, "%s", s.Name)
	}
	text := everything(spans)
	for _, secret := range []string{acme.Token, ada.token, "forged", ada.Email, ada.ID} {
		assert.NotContains(t, text, secret)
	}

	points := collect(t, told.reader)
	want := "tenantwall.job.duration tenant.plan=pro job=WriteExport outcome=ok"
	assert.True(t, found(points, strings.Fields(want)), "%s", strings.Join(points, "\n"))
	for _, p := range points {
		assert.NotContains(t, p, acme.Tenant.ID.String())
	}
}
