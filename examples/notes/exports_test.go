package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// startedView and exportView are an export as the API shows it.
type startedView struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type exportView struct {
	ID     string  `json:"id"`
	Status string  `json:"status"`
	Notes  int     `json:"notes"`
	Result *string `json:"result"`
}

// export starts an export and waits for its end.
func (a api) export(t testing.TB, p person, in tenantView) exportView {
	t.Helper()
	got := a.inTenant(t, p, in, "POST", "/v1/exports", "")
	started := as[startedView](t, got, 202)
	require.Equal(t, "running", started.Status)
	require.Equal(t, "/t/"+string(in.Slug)+"/v1/exports/"+started.ID, got.header.Get("Location"))
	return a.awaitExport(t, p, in, started.ID)
}

func (a api) awaitExport(t testing.TB, p person, in tenantView, id string) (e exportView) {
	t.Helper()
	require.Eventually(t, func() bool {
		e = as[exportView](t, a.inTenant(t, p, in, "GET", "/v1/exports/"+id, ""), 200)
		return e.Status != "running"
	}, time.Minute, 20*time.Millisecond)
	return e
}

func TestAnExportHasTheNotesOfItsTenantAlone(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, noteA, noteB, both := twoTenants(t, a)
	second := a.write(t, inA, both, "second of A")
	for _, of := range []struct {
		in    tenantView
		notes []noteView
	}{{inA, []noteView{noteA, second}}, {inB, []noteView{noteB}}} {
		e := a.export(t, both, of.in)
		assert.Equal(t, "done", e.Status)
		assert.Equal(t, len(of.notes), e.Notes)
		require.NotNil(t, e.Result)
		var notes []noteView
		require.NoError(t, json.Unmarshal([]byte(*e.Result), &notes))
		assert.Equal(t, of.notes, notes)
	}
	empty := a.newTenant(t, both)
	e := a.export(t, both, empty)
	assert.Equal(t, "[]", *e.Result)
	assert.Zero(t, e.Notes)
}

func TestTheLocationOfAnExportHasAPathPrefixIfTheRequestHadOne(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	acme := headers("X-Tenant-Slug", string(in.Slug))
	got := a.do(t, request{method: "POST", path: "/v1/exports", token: p.token, header: acme})
	e := as[startedView](t, got, 202)
	assert.Equal(t, "/v1/exports/"+e.ID, got.header.Get("Location"))
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: got.header.Get("Location"), token: p.token, header: acme}).status)
	got = a.do(t, request{method: "POST", path: "/t/" + string(in.Slug) + "/v1/exports", token: p.token})
	require.Equal(t, 202, got.status)
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: got.header.Get("Location"), token: p.token}).status)
}

func TestTheOtherTenantsExportIsOneThatNeverWas(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, _, _, both := twoTenants(t, a)
	ofB := a.export(t, both, inB)
	for _, w := range ways(t) {
		answer := func(id string) map[string]any {
			got := a.do(t, w.say(a, request{method: "GET", path: "/v1/exports/" + id, token: both.token}, inA))
			requireProblem(t, got, 404, tenant.CodeNotFound)
			d := as[map[string]any](t, got, 404)
			delete(d, "request_id")
			delete(d, "instance")
			return d
		}
		assert.Equal(t, answer(tenant.NewID().String()), answer(ofB.ID), w.name)
		assert.Equal(t, answer("no-id"), answer(ofB.ID), w.name)
	}
}

func TestWhoMayExport(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, viewer, stranger := a.newPerson(t), a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, owner)
	a.join(t, in, viewer, invite.RoleViewer)
	e := a.export(t, owner, in)
	requireProblem(t, a.inTenant(t, viewer, in, "POST", "/v1/exports", ""), 403, tenant.CodeForbidden)
	assert.Equal(t, e, as[exportView](t, a.inTenant(t, viewer, in, "GET", "/v1/exports/"+e.ID, ""), 200))
	for _, req := range []request{{method: "POST", path: "/v1/exports"}, {method: "GET", path: "/v1/exports/" + e.ID}} {
		requireProblem(t, a.inTenant(t, stranger, in, req.method, req.path, ""), 403, tenant.CodeNotAMember)
	}
}

// Without Temporal nothing is begun, what is done can be read, and all goes on when it is
// back.
func TestWithoutTemporalJobsAreUnavailable(t *testing.T) {
	t.Parallel()
	temporal, err := temporalserver.Start(t.Context(), temporalserver.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = temporal.Close() })
	a, _ := startOn(t, startServer(t), slog.New(slog.DiscardHandler), config{demo: true, temporal: temporalConfig{address: temporal.Addr()}})
	ada := a.signIn(t, "ada@acme.example")
	acme := tenantView{Slug: "acme-corp"}
	mine := a.newTenant(t, ada)
	done := a.export(t, ada, acme)
	assert.Equal(t, 3, done.Notes)

	require.NoError(t, temporal.Stop(t.Context()))
	before := a.notesOf(t, acme, ada)
	for _, req := range []request{
		{method: "POST", path: "/v1/exports", header: headers("X-Tenant-Slug", "acme-corp")},
		{method: "POST", path: "/v1/tenants", body: `{"slug":"gamma-labs","name":"x"}`},
		{method: "DELETE", path: "/v1/tenants/" + string(mine.Slug)},
	} {
		req.token = ada.token
		got := a.do(t, req)
		requireProblem(t, got, 503, tenant.CodeUnavailable)
		assert.NotEmpty(t, got.header.Get("Retry-After"))
	}
	wrong := request{method: "POST", path: "/v1/tenants", token: ada.token, body: `{"slug":"acme-corp","name":""}`}
	requireProblem(t, a.do(t, wrong), 422, tenant.CodeValidationFailed) // which it will be when Temporal is back, too
	taken := request{method: "POST", path: "/v1/tenants", token: ada.token, body: `{"slug":"acme-corp","name":"x"}`}
	requireProblem(t, a.do(t, taken), 409, tenant.CodeSlugTaken)
	assert.Equal(t, done, as[exportView](t, a.inTenant(t, ada, acme, "GET", "/v1/exports/"+done.ID, ""), 200))
	assert.Equal(t, before, a.notesOf(t, acme, ada), "the rest goes on")
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/readyz"}).status)

	require.NoError(t, temporal.Restart(t.Context()))
	require.Eventually(t, func() bool {
		return a.send(t, request{method: "POST", path: "/v1/tenants", token: ada.token, body: `{"slug":"gamma-labs","name":"x"}`}).status == 201
	}, time.Minute, 200*time.Millisecond)
	assert.Equal(t, "done", a.export(t, ada, acme).Status)
}

// However many are asked for at once, and whatever process is asked: as long as those of the
// plan run, there are no more.
func TestNoMoreExportsRunThanThePlanAllows(t *testing.T) {
	t.Parallel()
	pg, temporal := startServer(t), onTemporal(t)
	start := func() (api, *service) {
		return startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, operatorToken: "o", temporal: temporal})
	}
	a, first := start()
	b, second := start()
	first.server.jobs.stopWorker()
	second.server.jobs.stopWorker()
	ben, beta := a.signIn(t, "ben@beta.example"), tenantView{Slug: "beta-industries"}

	answers := make(chan response, 10)
	var group sync.WaitGroup
	for i := range cap(answers) {
		group.Go(func() { answers <- []api{a, b}[i%2].inTenant(t, ben, beta, "POST", "/v1/exports", "") })
	}
	group.Wait()
	close(answers)
	var begun []string
	for got := range answers {
		if got.status == 202 {
			begun = append(begun, as[startedView](t, got, 202).ID)
			continue
		}
		requireProblem(t, got, 429, tenant.CodeQuotaExceeded)
		assert.Equal(t, "1", got.header.Get("Retry-After"))
		assert.NotEmpty(t, got.header.Get("RateLimit"))
	}
	require.Len(t, begun, 2, "as many as the plan free allows")

	a.setPlan(t, beta, "pro")
	third := as[startedView](t, a.inTenant(t, ben, beta, "POST", "/v1/exports", ""), 202)
	c, _ := start() // with a worker that runs
	for _, id := range append(begun, third.ID) {
		assert.Equal(t, "done", c.awaitExport(t, ben, beta, id).Status)
	}
	c.setPlan(t, beta, "free")
	assert.Equal(t, "done", c.export(t, ben, beta).Status, "there is room again")
}

func TestOfExportsThatBeginAtOnceEachCountsTheOthers(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	made := a.newTenant(t, p)
	it, err := a.server.catalog.Lookup(t.Context(), tenant.BySlug(made.Slug))
	require.NoError(t, err)
	in := tenant.NewContext(t.Context(), it)
	for round := range 30 {
		var group sync.WaitGroup
		var begun atomic.Int64
		for range 8 {
			group.Go(func() {
				_, err := a.server.exports.begin(in, 2)
				if err == nil {
					begun.Add(1)
					return
				}
				assert.ErrorIs(t, err, errTooManyExports)
			})
		}
		group.Wait()
		require.EqualValues(t, 2, begun.Load(), "round %d", round)
		_, err := a.server.exports.db.Exec(in, `DELETE FROM export`)
		require.NoError(t, err)
	}
	for range 12 {
		_, err := a.server.exports.begin(in, quota.Unlimited)
		require.NoError(t, err)
	}
}

// An export whose job is lost keeps its room only until somebody asks for it.
func TestLostExportsMakeRoom(t *testing.T) {
	t.Parallel()
	a, svc := startOn(t, startServer(t), slog.New(slog.DiscardHandler), config{demo: true, temporal: onTemporal(t)})
	svc.server.jobs.stopWorker()
	ben, beta := a.signIn(t, "ben@beta.example"), tenantView{Slug: "beta-industries"}
	it, err := a.server.catalog.Lookup(t.Context(), tenant.BySlug(beta.Slug))
	require.NoError(t, err)
	in := tenant.NewContext(t.Context(), it)
	beginAt := func(moment string) {
		_, err := a.server.exports.db.Exec(in, `UPDATE export SET created_at = `+moment)
		require.NoError(t, err)
	}
	ask := func() response { return a.inTenant(t, ben, beta, "POST", "/v1/exports", "") }
	for range 2 {
		started := as[startedView](t, ask(), 202)
		var id pgtype.UUID
		require.NoError(t, id.Scan(started.ID))
		require.NoError(t, a.server.jobs.client.TerminateWorkflow(in, exportJob(it.ID, id), "", "lost"))
	}
	beginAt(`now() + interval '1 hour'`)
	requireProblem(t, ask(), 429, tenant.CodeQuotaExceeded) // their jobs may have yet to start
	beginAt(`now() - interval '1 minute'`)
	assert.Equal(t, 202, ask().status)
	assert.Equal(t, 202, ask().status)
	requireProblem(t, ask(), 429, tenant.CodeQuotaExceeded)
}

// An export whose job has ended without a word, as that of a tenant that was suspended
// before it ran, has failed.
func TestRow40_AnExportOfATenantThatIsSuspendedBeforeItRunsFails(t *testing.T) {
	t.Parallel()
	temporal := onTemporal(t)
	pg := startServer(t)
	a, svc := startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, operatorToken: "o", temporal: temporal})
	ada, acme := a.signIn(t, "ada@acme.example"), tenantView{Slug: "acme-corp"}
	svc.server.jobs.stopWorker()
	started := as[startedView](t, a.inTenant(t, ada, acme, "POST", "/v1/exports", ""), 202)
	assert.Equal(t, "running", as[exportView](t, a.inTenant(t, ada, acme, "GET", "/v1/exports/"+started.ID, ""), 200).Status)
	require.Equal(t, 204, a.do(t, request{method: "POST", path: "/admin/tenants/acme-corp/suspend", token: "o"}).status)
	startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, temporal: temporal}) // with a worker that runs
	it, err := a.server.catalog.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	it.Status = tenant.StatusActive // for the question whether the job runs
	var id pgtype.UUID
	require.NoError(t, id.Scan(started.ID))
	require.Eventually(t, func() bool {
		runs, err := a.server.jobs.exportRuns(tenant.NewContext(t.Context(), it), it.ID, id)
		return err == nil && !runs
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, 204, a.do(t, request{method: "POST", path: "/admin/tenants/acme-corp/resume", token: "o"}).status)
	e := a.awaitExport(t, ada, acme, started.ID)
	assert.Equal(t, exportView{ID: started.ID, Status: "failed"}, e)
}

// A job outlives the process that took it on.
func TestAnExportGoesOnInTheNextProcess(t *testing.T) {
	t.Parallel()
	temporal := onTemporal(t)
	pg := startServer(t)
	log := slog.New(slog.DiscardHandler)
	first, err := startService(t.Context(), config{addr: "127.0.0.1:0", baseDomain: "localhost", databaseURL: pg.SuperuserURL("postgres"), demo: true, temporal: temporal}, log, io.Discard)
	require.NoError(t, err)
	a := api{url: first.url, server: first.server}
	ada, acme := a.signIn(t, "ada@acme.example"), tenantView{Slug: "acme-corp"}
	first.server.jobs.stopWorker()
	started := as[startedView](t, a.inTenant(t, ada, acme, "POST", "/v1/exports", ""), 202)
	require.NoError(t, first.close())

	second, _ := startOn(t, pg, log, config{demo: true, temporal: temporal})
	e := second.awaitExport(t, ada, acme, started.ID)
	assert.Equal(t, "done", e.Status)
	assert.Equal(t, 3, e.Notes)
}
