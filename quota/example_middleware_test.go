package quota_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// Requests take one of the plan's requests, and writes take five. The middleware stands
// behind what finds out the tenant, and behind what asks who acts.
func ExampleLimiter_NewMiddleware() {
	plans, err := quota.NewPlans("free", quota.Plan{
		Name:  "free",
		Rates: []quota.Rate{{Name: "requests", Limit: 1, Per: time.Minute, Burst: 6}},
	})
	if err != nil {
		panic(err)
	}
	limiter, err := quota.New(quota.NewMemory(nil), plans, quota.Config{})
	if err != nil {
		panic(err)
	}
	defer limiter.Close(context.Background())
	limit, err := limiter.NewMiddleware(quota.MiddlewareConfig{
		Cost: func(r *http.Request) (quota.Request, error) {
			cost := quota.Cost{Limit: "requests", N: 1}
			if r.Method == http.MethodPost {
				cost.N = 5
			}
			return quota.Request{Costs: []quota.Cost{cost}}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	h := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))

	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive}
	ctx := tenant.NewContext(context.Background(), acme) // the middleware of package resolve does this
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodGet} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/v1/notes", http.NoBody))
		fmt.Println(w.Code, w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"))
	}
	// Output:
	// 204 "requests";q=6;w=360 "requests";r=1;t=300
	// 204 "requests";q=6;w=360 "requests";r=0;t=360
	// 429 "requests";q=6;w=360 "requests";r=0;t=360
}

// A tenant that signed up on the 31st.
func ExampleMonthlyPeriod() {
	for _, at := range []time.Time{
		time.Date(2028, time.January, 31, 9, 0, 0, 0, time.UTC),
		time.Date(2028, time.March, 1, 9, 0, 0, 0, time.UTC),
		time.Date(2028, time.March, 31, 9, 0, 0, 0, time.UTC),
	} {
		fmt.Println(quota.MonthlyPeriod(at, 31, time.UTC))
	}
	// Output:
	// 2028-01-31T00:00:00Z/2028-02-29T00:00:00Z
	// 2028-02-29T00:00:00Z/2028-03-31T00:00:00Z
	// 2028-03-31T00:00:00Z/2028-04-30T00:00:00Z
}

// A handler behind the middleware tells what is left, and gives back what it did not need.
func ExampleDecision() {
	plans, _ := quota.NewPlans("free", quota.Plan{Name: "free", Units: []quota.Units{{Name: "pages", Limit: 100}}})
	limiter, _ := quota.New(quota.NewMemory(nil), plans, quota.Config{})
	defer limiter.Close(context.Background())
	limit, _ := limiter.NewMiddleware(quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "pages", N: 10})})

	h := limit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t, _ := tenant.FromContext(r.Context())
		decision, _ := quota.FromContext(r.Context())
		pages, _ := decision.Limit("pages")
		fmt.Println(decision.Allowed, pages.Remaining, "of", pages.Limit)
		fmt.Println(limiter.Refund(r.Context(), t, decision)) // nothing was printed after all
	}))
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive}
	ctx := tenant.NewContext(context.Background(), acme)
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/pages", http.NoBody))
	}
	// Output:
	// true 90 of 100
	// <nil>
	// true 90 of 100
	// <nil>
}
