package otelx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

// measuring are metrics, and what reads them.
func measuring(t testing.TB, cfg otelx.MetricsConfig) (*otelx.Metrics, func() map[string][]attribute.Set) {
	t.Helper()
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	cfg.Provider = provider
	m, err := otelx.NewMetrics(cfg)
	require.NoError(t, err)
	return m, func() map[string][]attribute.Set {
		var all metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(context.WithoutCancel(t.Context()), &all))
		series := make(map[string][]attribute.Set)
		for _, scope := range all.ScopeMetrics {
			for _, got := range scope.Metrics {
				series[got.Name] = setsOf(got.Data)
			}
		}
		return series
	}
}

// setsOf are the attributes of the time series of one instrument.
func setsOf(data metricdata.Aggregation) (sets []attribute.Set) {
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Sum[float64]:
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			sets = append(sets, p.Attributes)
		}
	}
	return sets
}

func TestTenThousandTenantsMakeABoundedNumberOfSeries(t *testing.T) {
	t.Parallel()
	m, series := measuring(t, otelx.MetricsConfig{Plans: []string{"free", "pro"}, Tenants: []tenant.ID{acme.ID}})
	answer := m.Requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	began := time.Now()
	for i := range 10_000 {
		t := tenant.Tenant{ID: tenant.NewID(), Plan: []string{"free", "pro", fmt.Sprint("custom-", i)}[i%3]}
		if i == 0 {
			t = acme
		}
		ctx := tenant.NewContext(context.Background(), t)
		method := []string{"GET", "POST", fmt.Sprint("M", i)}[i%3]
		answer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, method, []string{"/", "/bad"}[i%2], nil))
		m.Session(ctx, began, []error{nil, fmt.Errorf("problem %d", i), context.Canceled, context.DeadlineExceeded}[i%4])
		m.Admission(ctx, "requests", i%2 == 0, "redis")
		m.Job(ctx, "export", began, nil)
	}
	m.Job(t.Context(), "export", began, nil) // of no tenant

	got := series()
	// Four kinds of tenant (acme, and others on free, pro and another plan) × what the
	// instrument tells apart itself, as far as it occurs.
	assert.Len(t, got["tenantwall.request.duration"], 7)
	assert.LessOrEqual(t, len(got["tenantwall.session.duration"]), 4*4)
	assert.LessOrEqual(t, len(got["tenantwall.admissions"]), 4*2)
	assert.Len(t, got["tenantwall.job.duration"], 5)
	for name, sets := range got {
		for _, set := range sets {
			plan, _ := set.Value(otelx.PlanKey)
			assert.Contains(t, []string{"free", "pro", otelx.Other, otelx.None}, plan.AsString(), name)
			id, _ := set.Value("tenant.id")
			assert.Contains(t, []string{acme.ID.String(), otelx.Other, otelx.None}, id.AsString(), name)
		}
	}
}

// Whatever comes from outside, and whatever a program hands in by mistake, makes a number of
// series that is known beforehand.
func TestTenThousandValuesOfAnythingMakeABoundedNumberOfSeries(t *testing.T) {
	t.Parallel()
	m, series := measuring(t, otelx.MetricsConfig{Plans: []string{"pro"}})
	began := time.Now()
	status := 0
	answer := m.Requests(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	refused := 0
	for i := range 10_000 {
		name := fmt.Sprint("name-", i)
		ctx := tenant.NewContext(context.Background(), tenant.Tenant{ID: tenant.NewID(), Slug: tenant.Slug(name), Plan: name})
		ctx = tenant.NewPrincipalContext(tenant.NewRequestIDContext(ctx, name), tenant.Principal{Kind: tenant.User, ID: name})
		r := httptest.NewRequestWithContext(ctx, "M"+strconv.Itoa(i), "http://"+name+".example.com/notes/"+name+"?q="+name, nil)
		r.Header.Set("User-Agent", name)
		r.Pattern = "GET /" + name
		status = 200 + i%800
		answer.ServeHTTP(httptest.NewRecorder(), r)
		m.Session(ctx, began, errors.New(name))
		m.Admission(ctx, name, true, name)
		m.Job(ctx, name, began, errors.New(name))
		if m.ObserveCache(name, func() otelx.CacheStats { return otelx.CacheStats{} }) != nil {
			refused++
		}
		if m.ObservePool(name, func() otelx.PoolStats { return otelx.PoolStats{} }) != nil {
			refused++
		}
	}
	assert.Equal(t, 2*(10_000-otelx.MaxNames), refused)
	most := map[string]int{
		"tenantwall.request.duration": 5, // 2xx to 5xx, and others
		"tenantwall.session.duration": 1,
		"tenantwall.admissions":       otelx.MaxNames + 1,
		"tenantwall.job.duration":     otelx.MaxNames + 1,
		"tenantwall.cache.lookups":    3 * otelx.MaxNames,
		"tenantwall.pool.connections": 3 * otelx.MaxNames,
	}
	for name, sets := range series() {
		bound, ok := most[name]
		if !ok {
			bound = otelx.MaxNames
		}
		assert.LessOrEqual(t, len(sets), bound, name)
		for _, set := range sets {
			assert.False(t, set.HasValue("url.path") || set.HasValue("tenant.id") || set.HasValue("user.id"), name)
		}
	}
	m.Job(t.Context(), "name-3", began, nil)
	m.Job(t.Context(), "name-9999", began, nil)
	var jobs []string
	for _, set := range series()["tenantwall.job.duration"] {
		if outcome, _ := set.Value("outcome"); outcome.AsString() == "ok" {
			job, _ := set.Value("job")
			jobs = append(jobs, job.AsString())
		}
	}
	assert.ElementsMatch(t, []string{"name-3", otelx.Other}, jobs, "who came first stays")
}

func TestWithoutAListNoSeriesHasATenantsID(t *testing.T) {
	t.Parallel()
	m, series := measuring(t, otelx.MetricsConfig{Plans: []string{"pro"}})
	m.Job(tenant.NewContext(t.Context(), acme), "export", time.Now(), nil)
	sets := series()["tenantwall.job.duration"]
	require.Len(t, sets, 1)
	assert.False(t, sets[0].HasValue("tenant.id"))
	plan, _ := sets[0].Value(otelx.PlanKey)
	assert.Equal(t, "pro", plan.AsString())
}

func TestRequestsAreMeasuredByHowTheyWereAnswered(t *testing.T) {
	t.Parallel()
	m, series := measuring(t, otelx.MetricsConfig{})
	for _, h := range []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) {},
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotFound)
		},
		func(w http.ResponseWriter, _ *http.Request) { assert.NoError(t, http.NewResponseController(w).Flush()) },
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		func() {
			defer func() { _ = recover() }()
			m.Requests(h).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		}()
	}
	classes := map[string]bool{}
	for _, set := range series()["tenantwall.request.duration"] {
		class, _ := set.Value("http.response.status_class")
		classes[class.AsString()] = true
	}
	assert.Equal(t, map[string]bool{"2xx": true, "4xx": true, "5xx": true}, classes)
}

// What a handler may ask of its writer it gets from the server's own, through this one.
func TestMeasuredWriterIsStillThatOfTheServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter) error
		class  string
		body   string
	}{
		"Flusher": {func(w http.ResponseWriter) error {
			w.(http.Flusher).Flush()
			w.WriteHeader(http.StatusTeapot) // too late
			return nil
		}, "2xx", ""},
		"ReaderFrom": {func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("a file"))
			return err
		}, "2xx", "a file"},
		"StringWriter": {func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusNotFound)
			_, err := io.WriteString(w, "nothing")
			return err
		}, "4xx", "nothing"},
		"ResponseController": {func(w http.ResponseWriter) error {
			c := http.NewResponseController(w)
			return errors.Join(c.SetReadDeadline(time.Now().Add(time.Minute)), c.SetWriteDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex(), c.Flush())
		}, "2xx", ""},
		"Hijacker": {func(w http.ResponseWriter) error {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return err
			}
			_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			return errors.Join(err, conn.Close())
		}, "1xx", ""},
		"what comes first": {func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusEarlyHints)
			return nil
		}, "2xx", ""},
	} {
		m, series := measuring(t, otelx.MetricsConfig{})
		done := make(chan error, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var err error
			m.Requests(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { err = test.answer(w) })).ServeHTTP(w, r)
			done <- err
		}))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		res, err := server.Client().Do(r)
		require.NoError(t, err, name)
		if test.class != "1xx" {
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err, name)
			assert.Equal(t, test.body, string(body), name)
		}
		require.NoError(t, res.Body.Close())
		require.NoError(t, <-done, name)
		server.Close()
		sets := series()["tenantwall.request.duration"]
		require.Len(t, sets, 1, name)
		class, _ := sets[0].Value("http.response.status_class")
		assert.Equal(t, test.class, class.AsString(), name)
	}
	m, _ := measuring(t, otelx.MetricsConfig{})
	m.Requests(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := w.(http.Hijacker).Hijack()
		assert.ErrorIs(t, err, http.ErrNotSupported, "of a writer that can't")
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}

func TestCachesAndPoolsAreAskedUntilClose(t *testing.T) {
	t.Parallel()
	m, series := measuring(t, otelx.MetricsConfig{})
	require.NoError(t, m.ObserveCache("tenants", func() otelx.CacheStats { return otelx.CacheStats{Hits: 3, Misses: 1, Entries: 1, Age: time.Second} }))
	require.NoError(t, m.ObserveCache("members", func() otelx.CacheStats { return otelx.CacheStats{Negative: 1} }))
	require.NoError(t, m.ObservePool("gateway", func() otelx.PoolStats { return otelx.PoolStats{Acquires: 5, Waits: 2, WaitTime: time.Second, Max: 16} }))

	require.ErrorContains(t, m.ObserveCache("members", func() otelx.CacheStats { return otelx.CacheStats{} }), `"members" is observed already`)
	require.ErrorContains(t, m.ObservePool("gateway", func() otelx.PoolStats { return otelx.PoolStats{} }), `"gateway" is observed already`)

	got := series()
	assert.Len(t, got["tenantwall.cache.lookups"], 6)
	assert.Len(t, got["tenantwall.cache.entries"], 2)
	assert.Len(t, got["tenantwall.cache.age"], 2)
	assert.Len(t, got["tenantwall.pool.waits"], 1)
	assert.Len(t, got["tenantwall.pool.connections"], 3)

	require.NoError(t, m.Close())
	require.NoError(t, m.Close(), "a second time is nothing")
	assert.Empty(t, series()["tenantwall.cache.entries"])
	require.ErrorContains(t, m.ObservePool("late", func() otelx.PoolStats { return otelx.PoolStats{} }), "closed")
	require.ErrorContains(t, m.ObservePool("", nil), "needs a name")
	require.ErrorContains(t, m.ObserveCache("x", nil), "needs a name")
}

func TestNewMetricsRefusesWhatWouldMakeTooManySeries(t *testing.T) {
	t.Parallel()
	provider := metric.NewMeterProvider()
	for message, cfg := range map[string]otelx.MetricsConfig{
		"Provider is nil":        {},
		"has 201 tenants":        {Provider: provider, Tenants: make([]tenant.ID, 201)},
		"has 51 plans":           {Provider: provider, Plans: make([]string, 51)},
		`TenantKey is "outcome"`: {Provider: provider, TenantKey: "outcome"},
	} {
		_, err := otelx.NewMetrics(cfg)
		assert.ErrorContains(t, err, message)
	}
	m, series := measuring(t, otelx.MetricsConfig{TenantKey: "customer", Tenants: []tenant.ID{acme.ID}})
	m.Session(tenant.NewContext(t.Context(), acme), time.Now(), errors.New("x"))
	assert.True(t, series()["tenantwall.session.duration"][0].HasValue("customer"))
}
