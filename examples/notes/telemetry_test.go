package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

// recorded is what a service under test has told.
type recorded struct {
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
}

// startRecorded starts a service of the test's own that tells everything to the test.
func startRecorded(t *testing.T, cfg config) (api, recorded) {
	t.Helper()
	told := recorded{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	cfg.demo = true
	cfg.telemetry.spans, cfg.telemetry.reader = told.spans, told.reader
	a, _ := startOn(t, startServer(t), slog.New(slog.DiscardHandler), cfg)
	return a, told
}

// traceOf are the spans of the trace in which a request was answered, found by its id. The
// request's own span ends last, and a little later than a client may have the answer.
func (told recorded) traceOf(t *testing.T, requestID string) (spans tracetest.SpanStubs) {
	t.Helper()
	var id trace.TraceID
	var all tracetest.SpanStubs
	require.Eventually(t, func() bool {
		all = told.spans.GetSpans()
		return slices.ContainsFunc(all, func(s tracetest.SpanStub) bool {
			id = s.SpanContext.TraceID()
			return s.SpanKind == trace.SpanKindServer && value(s.Attributes, otelx.RequestIDKey) == requestID
		})
	}, 30*time.Second, time.Millisecond, "no span of request %s", requestID)
	for _, s := range all {
		if s.SpanContext.TraceID() == id {
			spans = append(spans, s)
		}
	}
	return spans
}

func named(t *testing.T, spans tracetest.SpanStubs, name string) tracetest.SpanStub {
	t.Helper()
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no span %q among %q", name, names(spans))
	return tracetest.SpanStub{}
}

// asking is the span of a statement.
func asking(t *testing.T, spans tracetest.SpanStubs, sql string) tracetest.SpanStub {
	t.Helper()
	for _, s := range spans {
		if strings.Contains(value(s.Attributes, "db.query.text"), sql) {
			return s
		}
	}
	t.Fatalf("no statement with %q", sql)
	return tracetest.SpanStub{}
}

func names(spans tracetest.SpanStubs) (names []string) {
	for _, s := range spans {
		names = append(names, s.Name)
	}
	return names
}

func value(kvs []attribute.KeyValue, key string) string {
	for _, kv := range kvs {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// everything is all that spans say, as text.
func everything(spans tracetest.SpanStubs) string {
	var text strings.Builder
	for _, s := range spans {
		fmt.Fprintln(&text, s.Name, s.Status.Description, s.Attributes, s.Resource)
		for _, e := range s.Events {
			fmt.Fprintln(&text, e.Name, e.Attributes)
		}
		for _, l := range s.Links {
			fmt.Fprintln(&text, l.Attributes)
		}
	}
	return text.String()
}

func TestARequestIsOneTraceOfItsTenant(t *testing.T) {
	t.Parallel()
	a, told := startRecorded(t, config{})
	ada := a.signIn(t, "ada@acme.example")
	acme := a.switchTo(t, ada, "acme-corp")
	got := a.do(t, request{method: "GET", path: "/v1/notes", token: acme.Token, header: headers("X-Tenant-Slug", "acme-corp", "baggage", "tenant.id=forged,tenant.slug=forged")})
	require.Equal(t, 200, got.status)

	spans := told.traceOf(t, got.header.Get("X-Request-ID"))
	root := named(t, spans, "GET /v1/notes")
	assert.False(t, root.Parent.IsValid())
	for _, s := range []tracetest.SpanStub{root, named(t, spans, "evalsha"), asking(t, spans, "FROM note")} {
		assert.Equal(t, acme.Tenant.ID.String(), value(s.Attributes, otelx.DefaultTenantKey), s.Name)
		assert.Equal(t, "acme-corp", value(s.Attributes, otelx.SlugKey), s.Name)
		assert.Equal(t, "pro", value(s.Attributes, otelx.PlanKey), s.Name)
	}
	assert.NotContains(t, everything(spans), "forged", "baggage says nothing")
	assert.NotContains(t, everything(spans), "ada@acme.example")
	assert.NotContains(t, everything(spans), ada.ID, "nothing of people")
}

func TestWhatRunsForNoRequestIsNotTraced(t *testing.T) {
	t.Parallel()
	_, told := startRecorded(t, config{}) // it has set up, seeded, and follows events
	for _, s := range told.spans.GetSpans() {
		assert.Fail(t, "a trace of nobody's", s.Name)
	}
}

func TestATraceThatAStrangerNamesIsLinkedAndNotContinued(t *testing.T) {
	t.Parallel()
	const sent = "0af7651916cd43dd8448eb211c80319c"
	header := headers("traceparent", "00-"+sent+"-b7ad6b7169203331-01")
	for _, trusted := range []bool{false, true} {
		a, told := startRecorded(t, config{telemetry: telemetryConfig{trustTraces: trusted}})
		got := a.do(t, request{method: "GET", path: "/openapi.json", header: header})
		root := named(t, told.traceOf(t, got.header.Get("X-Request-ID")), "GET /openapi.json")
		assert.Equal(t, trusted, root.SpanContext.TraceID().String() == sent)
		if !trusted {
			require.Len(t, root.Links, 1)
			assert.Equal(t, sent, root.Links[0].SpanContext.TraceID().String())
		}
	}
}

func TestNoSecretLeavesInATrace(t *testing.T) {
	t.Parallel()
	a, told := startRecorded(t, config{operatorToken: "the-operators-own-word"})
	ada := a.signIn(t, "ada@acme.example")
	acme := a.switchTo(t, ada, "acme-corp").Token
	created := a.do(t, request{method: "POST", path: "/v1/api-keys", token: acme, body: `{"name":"n","scopes":["notes:read"]}`})
	require.Equal(t, 201, created.status, "%s", created.body)
	key := between(t, string(created.body), `"key":"`, `"`)
	require.Equal(t, 201, a.do(t, request{method: "POST", path: "/v1/invites", token: acme, body: `{"email":"eve@new.example","role":"member"}`}).status)
	outbox := a.do(t, request{method: "GET", path: "/demo/outbox?email=eve@new.example"})
	invitation := between(t, string(outbox.body), `"invite_token":"`, `"`)
	eve := a.signIn(t, "eve@new.example")
	require.Equal(t, 200, a.do(t, request{method: "POST", path: "/v1/invites/accept", token: eve.token, body: jsonOf(t, map[string]string{"token": invitation})}).status)
	require.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes", header: headers("X-API-Key", key)}).status)

	// People put secrets where they don't belong.
	a.send(t, request{method: "GET", path: "/v1/notes/" + key, token: acme})
	a.send(t, request{method: "GET", path: "/v1/notes/" + acme + "?token=" + invitation, token: acme, header: headers("User-Agent", "Bearer "+acme)})
	a.send(t, request{method: "GET", path: "/the-operators-own-word", header: headers("User-Agent", key)})

	text := everything(told.spans.GetSpans())
	assert.Contains(t, text, otelx.Redacted)
	for name, secret := range map[string]string{
		"token": acme, "token of no tenant": ada.token, "key": key, "invitation": invitation, "operator's token": "the-operators-own-word",
	} {
		assert.NotContains(t, text, secret, name)
	}
}

func TestTheServicesMetricsKnowPlansAndNoTenants(t *testing.T) {
	t.Parallel()
	a, told := startRecorded(t, config{plans: plans()})
	ben, ada := a.signIn(t, "ben@beta.example"), a.signIn(t, "ada@acme.example")
	denied := 0
	for range 25 { // over the 20 of the plan free
		if a.do(t, request{method: "GET", path: "/v1/notes", token: ben.token, header: headers("X-Tenant-Slug", "beta-industries")}).status == 429 {
			denied++
		}
	}
	require.Positive(t, denied)
	_, port, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), ":")
	for _, host := range []string{"acme-corp.localhost:" + port, "acme-corp.localhost:1", "acme-corp.localhost:2"} {
		require.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes", token: ada.token, host: host}).status)
	}
	a.send(t, request{method: "BREW", path: "/v1/notes", token: ada.token})

	points := collect(t, told.reader)
	for _, want := range []string{
		"tenantwall.request.duration tenant.plan=free http.request.method=GET http.response.status_class=2xx",
		"tenantwall.request.duration tenant.plan=free http.request.method=GET http.response.status_class=4xx",
		"tenantwall.request.duration tenant.plan=pro http.request.method=GET http.response.status_class=2xx",
		"tenantwall.session.duration tenant.plan=free outcome=ok",
		"tenantwall.admissions tenant.plan=free limit=requests outcome=denied",
		"tenantwall.admissions tenant.plan=free limit=requests outcome=allowed",
		"tenantwall.admissions tenant.plan=pro limit=requests outcome=allowed",
		"tenantwall.cache.lookups cache=tenants result=hit",
		"tenantwall.cache.entries cache=api_keys",
		"tenantwall.pool.connections pool=gateway state=used",
		"tenantwall.pool.waits pool=control",
		"tenantwall.pool.acquires pool=gateway",
		"tenantwall.pool.wait_time pool=gateway",
		"tenantwall.cache.age cache=tenants",
		"notes.sessions.escaped found=at_once",
		"notes.sessions.escaped found=later",
	} {
		assert.True(t, found(points, strings.Fields(want)), "%s: not in\n%s", want, strings.Join(points, "\n"))
	}
	routes := 0
	for _, p := range points {
		assert.NotContains(t, p, "tenant.id")
		assert.NotContains(t, p, "acme-corp")
		assert.NotContains(t, p, "BREW")
		if strings.HasPrefix(p, "http.server.request.duration ") && strings.Contains(p, "http.route=/v1/notes") {
			routes++
		}
	}
	assert.LessOrEqual(t, routes, 3, "a series for 200, 429 and what is unknown, whatever the Host says")
}

// collect is a line for each point of each metric: its name and its attributes.
func collect(t *testing.T, reader sdkmetric.Reader) (points []string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	line := func(name string, set attribute.Set) {
		text := name
		for _, kv := range set.ToSlice() {
			text += fmt.Sprintf(" %s=%s", kv.Key, kv.Value.String())
		}
		points = append(points, text+" ")
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					line(m.Name, p.Attributes)
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					line(m.Name, p.Attributes)
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					line(m.Name, p.Attributes)
				}
			case metricdata.Sum[float64]:
				for _, p := range data.DataPoints {
					line(m.Name, p.Attributes)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					line(m.Name, p.Attributes)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					line(m.Name, p.Attributes)
				}
			default:
				t.Fatalf("%s is a %T", m.Name, data)
			}
		}
	}
	return points
}

// found reports whether a point has a name and attributes, among others.
func found(points, want []string) bool {
	for _, p := range points {
		has := strings.HasPrefix(p, want[0]+" ")
		for _, attr := range want[1:] {
			has = has && strings.Contains(p, " "+attr+" ")
		}
		if has {
			return true
		}
	}
	return false
}

func between(t *testing.T, text, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, before)
	require.True(t, found, "%s", text)
	inside, _, found := strings.Cut(rest, after)
	require.True(t, found, "%s", text)
	return inside
}

func TestLogTellsTheTenantAndNoSecret(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	lines, err := logHandler(config{operatorToken: "the-operators-own-word", smtp: smtpConfig{password: "of the mail server"}}, slog.NewJSONHandler(&text, nil))
	require.NoError(t, err)
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp"}
	key := "notes_live_" + strings.Repeat("0aZ", 18) + "x"
	slog.New(lines).ErrorContext(tenant.NewContext(t.Context(), acme), "it said: the-operators-own-word", "answer", "535 of the mail server", "path", "/"+key)
	assert.Contains(t, text.String(), acme.ID.String())
	for _, secret := range []string{"the-operators-own-word", "of the mail server", key} {
		assert.NotContains(t, text.String(), secret)
	}
}

func TestWithoutAConfigurationNothingIsInTheWay(t *testing.T) {
	t.Parallel()
	told, err := openTelemetry(t.Context(), config{demo: true})
	require.NoError(t, err)
	assert.Equal(t, telemetry{}, told)
	next := http.NewServeMux()
	assert.Same(t, next, told.requests(next))
	assert.Same(t, next, told.admitted(next))
	assert.Nil(t, told.statements())
	assert.Nil(t, told.sessions(), "tenantdb asks nobody on its way")
	assert.Nil(t, told.denials().OnDeny)
	var options client.Options
	require.NoError(t, told.plug(&options))
	assert.Equal(t, client.Options{}, options)
	require.NoError(t, told.close())
}
