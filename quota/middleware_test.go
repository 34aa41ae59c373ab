package quota_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// ok answers 204.
var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

// behind puts next behind a middleware of the limiter's.
func behind(t testing.TB, l *quota.Limiter, cfg quota.MiddlewareConfig, next http.Handler) http.Handler {
	t.Helper()
	mw, err := l.NewMiddleware(cfg)
	require.NoError(t, err)
	return mw(next)
}

// ask sends a request of a tenant's through a handler.
func ask(t testing.TB, h http.Handler, in tenant.Tenant) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(tenant.NewContext(t.Context(), in), http.MethodGet, "/v1/notes", http.NoBody))
	return w
}

// requireProblem demands a problem document, and returns its detail.
func requireProblem(t testing.TB, w *httptest.ResponseRecorder, status int, code tenant.Code) string {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var document struct {
		Code   tenant.Code
		Detail string
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	require.Equal(t, code, document.Code)
	return document.Detail
}

func TestMiddlewareLetsThroughWhatThePlanAllows(t *testing.T) {
	t.Parallel()
	l, clock := inMemory(t, quota.Plan{Rates: []quota.Rate{{Name: "requests", Limit: 60, Per: time.Minute, Burst: 2}}}, quota.Config{})
	h := behind(t, l, quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "requests", N: 1})},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, found := quota.FromContext(r.Context())
			assert.True(t, found)
			assert.True(t, d.Allowed)
			assert.Equal(t, "free", d.Plan)
			in, found := tenant.FromContext(r.Context())
			assert.True(t, found)
			assert.Equal(t, tenant.Slug("acme-corp"), in.Slug)
			w.WriteHeader(http.StatusNoContent)
		}))
	acme, beta := newTenant(), newTenant()

	w := ask(t, h, acme)
	assert.Equal(t, http.StatusNoContent, w.Code)
	assert.Equal(t, `"requests";q=2;w=2`, w.Header().Get("RateLimit-Policy"))
	assert.Equal(t, `"requests";r=1;t=1`, w.Header().Get("RateLimit"))
	assert.Empty(t, w.Header().Get("Retry-After"))
	assert.Equal(t, http.StatusNoContent, ask(t, h, acme).Code)

	w = ask(t, h, acme)
	detail := requireProblem(t, w, http.StatusTooManyRequests, tenant.CodeQuotaExceeded)
	assert.Contains(t, detail, "requests")
	assert.Equal(t, `"requests";q=2;w=2`, w.Header().Get("RateLimit-Policy"))
	assert.Equal(t, `"requests";r=0;t=2`, w.Header().Get("RateLimit"))
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
	assert.Equal(t, http.StatusNoContent, ask(t, h, beta).Code, "another tenant has its own")

	clock.Pass(time.Second)
	assert.Equal(t, http.StatusNoContent, ask(t, h, acme).Code, "it keeps what Retry-After said")
}

func TestMiddlewareTakesWhatTheRequestCosts(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{hourly("requests", 10), hourly("writes", 2)}}, quota.Config{})
	h := behind(t, l, quota.MiddlewareConfig{Cost: func(r *http.Request) (quota.Request, error) {
		switch r.Method {
		case http.MethodOptions:
			return quota.Request{}, nil
		case http.MethodPost:
			return quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 5}, {Limit: "writes", N: 1}}}, nil
		case http.MethodDelete:
			return quota.Request{}, &tenant.Error{Code: tenant.CodeBadRequest, Detail: "no"}
		}
		return cost("requests", 1), nil
	}}, ok)
	acme := newTenant()
	send := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(tenant.NewContext(t.Context(), acme), method, "/", http.NoBody))
		return w
	}
	assert.Equal(t, `"requests";r=9;t=3600`, send(http.MethodGet).Header().Get("RateLimit"))
	assert.Equal(t, `"requests";r=4;t=21600, "writes";r=1;t=3600`, send(http.MethodPost).Header().Get("RateLimit"))
	free := send(http.MethodOptions)
	assert.Equal(t, http.StatusNoContent, free.Code)
	assert.Empty(t, free.Header().Get("RateLimit"))
	requireProblem(t, send(http.MethodDelete), http.StatusBadRequest, tenant.CodeBadRequest)
	requireProblem(t, send(http.MethodPost), http.StatusTooManyRequests, tenant.CodeQuotaExceeded)
	assert.Equal(t, `"requests";r=3;t=25200`, send(http.MethodGet).Header().Get("RateLimit"), "what was refused took nothing")
}

func TestMiddlewareHoldsSlotsWhileARequestLasts(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Concurrency: []quota.Concurrency{{Name: "exports", Limit: 1}}}, quota.Config{})
	begun, finish := make(chan struct{}), make(chan struct{})
	cfg := quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "exports", N: 1}), HoldSlots: true}
	slow := behind(t, l, cfg, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		w.WriteHeader(http.StatusNoContent)
	}))
	quick := behind(t, l, cfg, ok)
	acme := newTenant()
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.Equal(t, http.StatusNoContent, ask(t, slow, acme).Code)
	}()
	<-begun
	w := ask(t, quick, acme)
	requireProblem(t, w, http.StatusTooManyRequests, tenant.CodeQuotaExceeded)
	assert.Equal(t, "1", w.Header().Get("Retry-After"), "nobody can tell, and a client is not to ask at once")
	assert.Equal(t, `"exports";q=1;qu="concurrent-requests"`, w.Header().Get("RateLimit-Policy"))
	assert.Equal(t, `"exports";r=0`, w.Header().Get("RateLimit"))
	close(finish)
	<-done
	assert.Equal(t, http.StatusNoContent, ask(t, quick, acme).Code)
	assert.Zero(t, l.Stats().Slots)
}

// Row 37.
func TestMiddlewareGivesSlotsBackWhenTheHandlerPanicsOrTheClientIsGone(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Concurrency: []quota.Concurrency{{Name: "exports", Limit: 1}}}, quota.Config{})
	cfg := quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "exports", N: 1}), HoldSlots: true}
	acme := newTenant()
	panics := behind(t, l, cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	assert.Panics(t, func() { ask(t, panics, acme) })
	ctx, cancel := context.WithCancel(tenant.NewContext(t.Context(), acme))
	gone := behind(t, l, cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	gone.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
	assert.Equal(t, http.StatusNoContent, ask(t, behind(t, l, cfg, ok), acme).Code)
}

func TestMiddlewareWithoutATenantAdmitsNobody(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{hourly("requests", 5)}}, quota.Config{})
	h := behind(t, l, quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "requests", N: 1})}, ok)
	requireProblem(t, ask(t, h, tenant.Tenant{}), http.StatusBadRequest, tenant.CodeTenantRequired)
	suspended := newTenant()
	suspended.Status = tenant.StatusSuspended
	requireProblem(t, ask(t, h, suspended), http.StatusForbidden, tenant.CodeTenantSuspended)
}

func TestRefusalBeforeTheMiddlewareTakesNothing(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{hourly("requests", 5)}}, quota.Config{})
	inner := behind(t, l, quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "requests", N: 1})}, ok)
	guard := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
	acme := newTenant()
	for range 10 {
		w := ask(t, guard, acme)
		assert.Equal(t, http.StatusUnauthorized, w.Code)
		assert.Empty(t, w.Header().Get("RateLimit"), "nor does it tell what the tenant has")
	}
	d, err := l.Peek(t.Context(), acme)
	require.NoError(t, err)
	assert.EqualValues(t, 5, d.Limits[0].Remaining)
}

// Row 38: what a client is told while the backend is away is what each limit says.
func TestRow38_MiddlewareAnswersByTheLimitWhileTheBackendIsAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		when   quota.WhenAway
		status int
	}{{quota.Closed, 503}, {quota.Open, 204}, {quota.Local, 204}} {
		t.Run(string(test.when), func(t *testing.T) {
			t.Parallel()
			r := hourly("requests", 2)
			r.WhenAway = test.when
			server := startRedis(t)
			l := newLimiter(t, newRedis(t, dial(t, server.Addr(), server.Password())), quota.Plan{Rates: []quota.Rate{r}}, quota.Config{Timeout: 5 * time.Second})
			h := behind(t, l, quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "requests", N: 1})}, ok)
			acme := newTenant()
			assert.Equal(t, http.StatusNoContent, ask(t, h, acme).Code)
			require.NoError(t, server.Close())

			w := ask(t, h, acme)
			assert.Equal(t, `"requests";q=2;w=7200`, w.Header().Get("RateLimit-Policy"))
			switch test.when {
			case quota.Closed:
				requireProblem(t, w, http.StatusServiceUnavailable, tenant.CodeUnavailable)
				assert.NotEmpty(t, w.Header().Get("Retry-After"))
				assert.Empty(t, w.Header().Get("RateLimit"), "nobody knows what remains")
			case quota.Open:
				for range 5 {
					assert.Equal(t, http.StatusNoContent, ask(t, h, acme).Code)
				}
				assert.Empty(t, w.Header().Get("RateLimit"))
			case quota.Local:
				assert.Equal(t, http.StatusNoContent, w.Code)
				assert.Equal(t, `"requests";r=1;t=3600`, w.Header().Get("RateLimit"))
				ask(t, h, acme)
				requireProblem(t, ask(t, h, acme), http.StatusTooManyRequests, tenant.CodeQuotaExceeded)
			}
		})
	}
}

// plansFunc makes Plans of a function.
type plansFunc func() (quota.Plan, error)

func (f plansFunc) Plan(context.Context, tenant.Tenant) (quota.Plan, error) { return f() }

func TestMiddlewareTellsWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	one := quota.Plan{Name: "free", Rates: []quota.Rate{hourly("requests", 5)}, Units: []quota.Units{{Name: "mails", Limit: 0}},
		Concurrency: []quota.Concurrency{{Name: "none", Limit: 0}}}
	for _, test := range []struct {
		name   string
		plans  plansFunc
		cost   quota.Cost
		status int
		code   tenant.Code
		retry  string
	}{
		{"no such plan", func() (quota.Plan, error) { return quota.Plan{}, quota.ErrUnknownPlan }, quota.Cost{Limit: "requests", N: 1}, 500, tenant.CodeInternal, ""},
		{"a bad plan", func() (quota.Plan, error) { return quota.Plan{Rates: []quota.Rate{{Name: "requests"}}}, nil }, quota.Cost{Limit: "requests", N: 1}, 500, tenant.CodeInternal, ""},
		{"a zone that there is none of", func() (quota.Plan, error) {
			return quota.Plan{Units: []quota.Units{{Name: "mails", Limit: 1, Zone: "Atlantis/Poseidonis"}}}, nil
		}, quota.Cost{Limit: "mails", N: 1}, 500, tenant.CodeInternal, ""},
		{"no such limit", nil, quota.Cost{Limit: "request", N: 1}, 500, tenant.CodeInternal, ""},
		{"a cost below 0", nil, quota.Cost{Limit: "requests", N: -1}, 500, tenant.CodeInternal, ""},
		{"a slot that is not held", nil, quota.Cost{Limit: "none", N: 1}, 500, tenant.CodeInternal, ""},
		{"more than the plan ever has", nil, quota.Cost{Limit: "requests", N: 6}, 403, tenant.CodeForbidden, ""},
		{"units that the plan has none of", nil, quota.Cost{Limit: "mails", N: 1}, 429, tenant.CodeQuotaExceeded, ""},
		{"plans that can't be read", func() (quota.Plan, error) { return quota.Plan{}, errors.New("no database") }, quota.Cost{Limit: "requests", N: 1}, 503, tenant.CodeUnavailable, "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.plans == nil {
				test.plans = func() (quota.Plan, error) { return one, nil }
			}
			l, err := quota.New(quota.NewMemory(nil), test.plans, quota.Config{})
			require.NoError(t, err)
			defer l.Close(context.Background())
			w := ask(t, behind(t, l, quota.MiddlewareConfig{Cost: quota.Each(test.cost)}, ok), newTenant())
			detail := requireProblem(t, w, test.status, test.code)
			assert.Equal(t, test.retry, w.Header().Get("Retry-After"))
			assert.NotContains(t, detail, "database")
		})
	}
}

func TestMiddlewareLeavesErrorsToTheProgram(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{hourly("requests", 1)}}, quota.Config{})
	h := behind(t, l, quota.MiddlewareConfig{
		Cost: quota.Each(quota.Cost{Limit: "requests", N: 1}),
		OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
			assert.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeQuotaExceeded})
			w.WriteHeader(http.StatusTeapot)
		},
	}, ok)
	acme := newTenant()
	assert.Equal(t, http.StatusNoContent, ask(t, h, acme).Code)
	w := ask(t, h, acme)
	assert.Equal(t, http.StatusTeapot, w.Code)
	assert.Equal(t, `"requests";r=0;t=3600`, w.Header().Get("RateLimit"))
}

func TestMiddlewareNeedsToKnowWhatARequestCosts(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{}, quota.Config{})
	mw, err := l.NewMiddleware(quota.MiddlewareConfig{})
	require.ErrorContains(t, err, "Cost is nil")
	assert.Nil(t, mw)
}

func TestHandlerGivesBackWhatItHasNotUsed(t *testing.T) {
	t.Parallel()
	l, _ := inMemory(t, quota.Plan{Rates: []quota.Rate{hourly("requests", 1)}}, quota.Config{})
	h := behind(t, l, quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "requests", N: 1})},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in, _ := tenant.FromContext(r.Context())
			d, _ := quota.FromContext(r.Context())
			assert.NoError(t, l.Refund(r.Context(), in, d))
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
	acme := newTenant()
	for range 3 {
		assert.Equal(t, http.StatusServiceUnavailable, ask(t, h, acme).Code)
	}
	_, found := quota.FromContext(t.Context())
	assert.False(t, found)
}
