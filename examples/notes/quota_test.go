package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// startPlanned starts a service with the plans of the contract.
func startPlanned(t *testing.T, pg *localserver.Postgres) api {
	t.Helper()
	a, _ := startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, operatorToken: "o", plans: plans(), temporal: onTemporal(t)})
	return a
}

// list asks for the notes of a tenant.
func (a api) list(t testing.TB, in tenantView, p person) response {
	t.Helper()
	return a.do(t, request{method: "GET", path: "/v1/notes", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))})
}

func (a api) quotaOf(t testing.TB, in tenantView, p person) quotaView {
	t.Helper()
	return as[quotaView](t, a.do(t, request{method: "GET", path: "/v1/quota", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))}), 200)
}

func TestFreeTenantIsCutOffAndItsNeighbourLosesNothing(t *testing.T) {
	t.Parallel()
	a := startPlanned(t, startServer(t))
	ada := a.newPerson(t)
	free, pro := a.newTenant(t, ada), a.newTenant(t, ada)
	a.setPlan(t, pro, "pro")

	var allowed, refused atomic.Int64
	begun := time.Now()
	var group sync.WaitGroup
	for range 60 {
		group.Go(func() {
			got := a.list(t, free, ada)
			switch got.status {
			case 200:
				allowed.Add(1)
			case 429:
				refused.Add(1)
				requireProblem(t, got, 429, tenant.CodeQuotaExceeded)
				assert.Equal(t, `"requests";q=20;w=20`, got.header.Get("RateLimit-Policy"))
				assert.Regexp(t, `^"requests";r=0;t=(19|20)$`, got.header.Get("RateLimit"))
				assert.Equal(t, "1", got.header.Get("Retry-After"))
			}
		})
		group.Go(func() { assert.Equal(t, 200, a.list(t, pro, ada).status) })
	}
	group.Wait()
	assert.EqualValues(t, 60, allowed.Load()+refused.Load())
	assert.GreaterOrEqual(t, allowed.Load(), int64(20))
	assert.LessOrEqual(t, allowed.Load(), 21+int64(time.Since(begun).Seconds()), "the burst, and one a second")

	wait, err := strconv.Atoi(a.list(t, free, ada).header.Get("Retry-After"))
	if err == nil { // it is not a second later already
		time.Sleep(time.Duration(wait) * time.Second)
	}
	assert.Equal(t, 200, a.list(t, free, ada).status, "as Retry-After has promised")
}

func TestWhoIsRefusedBeforeTakesNothingFromTheTenant(t *testing.T) {
	t.Parallel()
	a := startPlanned(t, startServer(t))
	ada, stranger := a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, ada)
	viewer := a.newPerson(t)
	a.join(t, in, viewer, invite.RoleViewer)
	for range 30 {
		requireProblem(t, a.list(t, in, stranger), 403, tenant.CodeNotAMember)
		requireProblem(t, a.list(t, in, person{token: "forged"}), 401, tenant.CodeUnauthenticated)
		got := a.do(t, request{method: "POST", path: "/v1/notes", token: viewer.token, header: headers("X-Tenant-Slug", string(in.Slug)), body: `{"title":"t","body":""}`})
		requireProblem(t, got, 403, tenant.CodeForbidden)
		assert.Empty(t, got.header.Get("RateLimit"))
	}
	assert.Equal(t, quotaView{
		Plan:   "free",
		Limits: []limitView{{"requests", 20, 20, 0}, {"exports", 2, 2, 0}},
		Seats:  seatsView{Used: 2, Limit: 3},
	}, a.quotaOf(t, in, ada))
}

func TestQuotaTellsWhatIsLeftAndTakesNothing(t *testing.T) {
	t.Parallel()
	a := startPlanned(t, startServer(t))
	ada := a.newPerson(t)
	in := a.newTenant(t, ada)
	for range 30 {
		a.quotaOf(t, in, ada)
	}
	begun := time.Now()
	for range 5 {
		require.Equal(t, 200, a.list(t, in, ada).status)
	}
	got := a.quotaOf(t, in, ada)
	back := min(int64(time.Since(begun).Seconds())+1, 5) // one a second comes back meanwhile
	assert.GreaterOrEqual(t, got.Limits[0].Remaining, int64(15))
	assert.LessOrEqual(t, got.Limits[0].Remaining, 15+back)
	assert.LessOrEqual(t, got.Limits[0].ResetSeconds, int64(5))
	assert.GreaterOrEqual(t, got.Limits[0].ResetSeconds, 5-back)
	assert.Equal(t, seatsView{Used: 1, Limit: 3}, got.Seats)

	me := a.do(t, request{method: "GET", path: "/v1/me", token: ada.token})
	assert.Equal(t, 200, me.status)
	assert.Empty(t, me.header.Get("RateLimit"), "it is for no tenant")
	me = a.do(t, request{method: "GET", path: "/v1/me", token: ada.token, header: headers("X-Tenant-Slug", string(in.Slug))})
	assert.NotEmpty(t, me.header.Get("RateLimit"))
}

func TestPlanThatTheOperatorSetsIsInForceOnTheNextRequest(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	redis, err := localserver.StartRedis(t.Context(), localserver.RedisConfig{})
	require.NoError(t, err)
	defer redis.Close()
	start := func() api {
		a, _ := startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, operatorToken: "o", plans: plans(), redisURL: redis.URL(), temporal: onTemporal(t)})
		return a
	}
	a, other := start(), start()
	ada := a.newPerson(t)
	in := a.newTenant(t, ada)
	for a.list(t, in, ada).status == 200 {
	}
	assert.Equal(t, 429, other.list(t, in, ada).status, "processes count together")

	a.setPlan(t, in, "pro")
	got := a.list(t, in, ada)
	assert.Equal(t, 200, got.status)
	assert.Equal(t, `"requests";q=1000;w=10`, got.header.Get("RateLimit-Policy"))
	view := a.quotaOf(t, in, ada)
	assert.Equal(t, "pro", view.Plan)
	assert.Equal(t, seatsView{Used: 1, Limit: 50}, view.Seats)
	begun := time.Now()
	require.Eventually(t, func() bool {
		asked := time.Since(begun)
		if other.list(t, in, ada).header.Get("RateLimit-Policy") == `"requests";q=1000;w=10` {
			return true
		}
		assert.Less(t, asked, resolve.MaxCacheTTL, "in the other process within the bound")
		return false
	}, time.Minute, 20*time.Millisecond)

	got = a.do(t, request{method: "PUT", path: "/admin/tenants/" + string(in.Slug) + "/plan", token: "o", body: `{"plan":"gold"}`})
	d := requireProblem(t, got, 422, tenant.CodeValidationFailed)
	assert.Equal(t, []tenant.FieldError{{Field: "plan", Message: "must be one of [free pro]"}}, d.Errors)
}

func (a api) setPlan(t testing.TB, in tenantView, plan string) {
	t.Helper()
	got := a.do(t, request{method: "PUT", path: "/admin/tenants/" + string(in.Slug) + "/plan", token: "o", body: fmt.Sprintf(`{"plan":%q}`, plan)})
	require.Equal(t, http.StatusNoContent, got.status, "%s", got.body)
}

// A job above the plan's number waits for its turn, in whatever process it runs, and gets it
// when another one ends.
func TestSlotsOfExportsAreThoseOfThePlanInAllProcesses(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	redis, err := localserver.StartRedis(t.Context(), localserver.RedisConfig{})
	require.NoError(t, err)
	defer redis.Close()
	var slots [2]exportSlots
	var it tenant.Tenant
	for i := range slots {
		a, _ := startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, plans: plans(), redisURL: redis.URL()})
		slots[i] = exportSlots{a.server.quotas.limiter}
		it, err = a.server.catalog.Lookup(t.Context(), tenant.BySlug("beta-industries"))
		require.NoError(t, err)
	}
	var held []func()
	for i := range 2 { // as many as the plan free allows
		release, _, err := slots[i].Acquire(t.Context(), it, writeExportName)
		require.NoError(t, err)
		require.NotNil(t, release)
		held = append(held, release)
	}
	for _, s := range slots {
		release, after, err := s.Acquire(t.Context(), it, writeExportName)
		require.NoError(t, err)
		assert.Nil(t, release)
		assert.Positive(t, after)
		other, _, err := s.Acquire(t.Context(), it, "another activity")
		require.NoError(t, err)
		require.NotNil(t, other, "other work is not counted")
		other()
	}
	held[0]()
	release, _, err := slots[1].Acquire(t.Context(), it, writeExportName)
	require.NoError(t, err)
	require.NotNil(t, release, "a slot has come back")
	release()
	held[1]()
}

// Row 38: without Redis each process counts for itself. Nobody is shut out, and nobody gets
// more than the plan's rate from one process.
func TestRow38_ServiceWithoutRedisKeepsToThePlan(t *testing.T) {
	t.Parallel()
	a, _ := startOn(t, startServer(t), slog.New(slog.DiscardHandler),
		config{demo: true, operatorToken: "o", plans: plans(), redisURL: "redis://127.0.0.1:1/0", temporal: onTemporal(t)})
	ada := a.newPerson(t)
	in := a.newTenant(t, ada)
	begun, allowed := time.Now(), 0
	for range 100 {
		if a.list(t, in, ada).status != 200 {
			break
		}
		allowed++
	}
	assert.GreaterOrEqual(t, allowed, 20)
	assert.LessOrEqual(t, allowed, 21+int(time.Since(begun).Seconds()))
	assert.Equal(t, "free", a.quotaOf(t, in, ada).Plan)
}
