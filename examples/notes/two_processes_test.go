package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// twin is two processes of the service on one PostgreSQL and one Redis, each of which
// reaches Redis by a line of its own.
type twin struct {
	here, there         api
	lineHere, lineThere *wire.Proxy
}

func startTwin(t *testing.T) twin {
	t.Helper()
	pg := startServer(t)
	redis, err := localserver.StartRedis(t.Context(), localserver.RedisConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = redis.Close() })
	w := twin{lineHere: wire.NewProxy(t, redis.URL()), lineThere: wire.NewProxy(t, redis.URL())}
	w.here, _ = startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, operatorToken: "o", redisURL: w.lineHere.URL(redis.URL()), temporal: onTemporal(t)})
	w.there, _ = startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true, operatorToken: "o", redisURL: w.lineThere.URL(redis.URL()), temporal: onTemporal(t)})
	w.connected(t)
	return w
}

func (w twin) connected(t *testing.T) {
	t.Helper()
	for _, a := range []api{w.here, w.there} {
		a.untilRedis(t, "connected")
	}
}

// untilRedis waits until the service says so of Redis, ready all the while.
func (a api) untilRedis(t *testing.T, state string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return as[readiness](t, a.do(t, request{method: "GET", path: "/readyz"}), 200).Redis == state
	}, 30*time.Second, 10*time.Millisecond)
}

// crossing is something that one process does, and by which the other is to refuse.
type crossing struct {
	name string

	// begin is what the other process answers as yet, and what is then done in this one.
	begin  func(t *testing.T, in tenantView, owner, member person) (ask request, do func())
	status int
	code   tenant.Code
}

func (w twin) crossings() []crossing {
	invites := func(in tenantView, p person) request {
		return request{method: "GET", path: "/v1/invites", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))}
	}
	return []crossing{
		{"suspend", func(t *testing.T, in tenantView, owner, _ person) (request, func()) {
			return invites(in, owner), func() {
				require.Equal(t, 204, w.here.do(t, request{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/suspend", token: "o"}).status)
			}
		}, 403, tenant.CodeTenantSuspended},
		{"rename", func(t *testing.T, in tenantView, owner, _ person) (request, func()) {
			return invites(in, owner), func() {
				body := `{"slug":"` + newSlug() + `"}`
				require.Equal(t, 200, w.here.do(t, request{method: "PATCH", path: "/v1/tenants/" + string(in.Slug), token: owner.token, body: body}).status)
			}
		}, 410, tenant.CodeTenantGone},
		{"delete", func(t *testing.T, in tenantView, owner, _ person) (request, func()) {
			return invites(in, owner), func() { w.delete(t, in, owner) }
		}, 410, tenant.CodeTenantGone},
		{"demote", func(t *testing.T, in tenantView, owner, member person) (request, func()) {
			return invites(in, member), func() {
				require.Equal(t, 200, w.here.inTenant(t, owner, in, "PATCH", "/v1/members/"+member.ID, `{"role":"viewer"}`).status)
			}
		}, 403, tenant.CodeForbidden},
		{"revoke a key", func(t *testing.T, in tenantView, owner, _ person) (request, func()) {
			key := w.here.mint(t, owner, in, scopeRead)
			return readNotes(key), func() {
				require.Equal(t, 204, w.here.inKeys(t, owner, in, "DELETE", "/"+key.ID, nil).status)
			}
		}, 401, tenant.CodeUnauthenticated},
		{"rotate a key", func(t *testing.T, in tenantView, owner, _ person) (request, func()) {
			key := w.here.mint(t, owner, in, scopeRead)
			return readNotes(key), func() {
				next := as[newKeyView](t, w.here.inKeys(t, owner, in, "POST", "/"+key.ID+"/rotate", map[string]string{"overlap": "0s"}), 201)
				require.Equal(t, 200, w.there.do(t, readNotes(next)).status, "the new one is good everywhere at once")
			}
		}, 401, tenant.CodeUnauthenticated},
		{"delete a key's tenant", func(t *testing.T, in tenantView, owner, _ person) (request, func()) {
			return readNotes(w.here.mint(t, owner, in, scopeRead)), func() { w.delete(t, in, owner) }
		}, 410, tenant.CodeTenantGone},
	}
}

func (w twin) delete(t *testing.T, in tenantView, owner person) {
	t.Helper()
	require.Equal(t, 202, w.here.do(t, request{method: "DELETE", path: "/v1/tenants/" + string(in.Slug), token: owner.token}).status)
}

// readNotes asks for the notes of a key's tenant.
func readNotes(key newKeyView) request {
	return request{method: "GET", path: "/v1/notes", header: headers("X-API-Key", key.Key)}
}

// start makes a tenant of the crossing's own, which the other process serves until do.
func (c crossing) start(t *testing.T, w twin) (ask request, do func()) {
	t.Helper()
	owner, member := w.here.newPerson(t), w.here.newPerson(t)
	in := w.here.newTenant(t, owner)
	w.here.join(t, in, member, "admin")
	ask, do = c.begin(t, in, owner, member)
	w.there.untilStatus(t, ask, 200)
	return ask, do
}

// run lets each crossing happen, and holds the other process to the bound.
func (w twin) run(t *testing.T, state string) {
	t.Helper()
	for _, c := range w.crossings() {
		ask, do := c.start(t, w)
		do()
		got, served := w.there.untilStatus(t, ask, c.status)
		requireProblem(t, got, c.status, c.code)
		t.Logf("%s, %s: served by the other process for %s", state, c.name, served.Round(100*time.Microsecond))
		assert.Less(t, served, resolve.MaxCacheTTL, "%s, %s", state, c.name)
		requireProblem(t, w.there.do(t, ask), c.status, c.code)
	}
}

// Rows 22, 32, 34.
func TestRow22_WhatOneProcessChangesTheOtherRefusesWithinTheBound(t *testing.T) {
	t.Parallel()
	w := startTwin(t)
	w.run(t, "connected")

	w.lineThere.Cut()
	w.there.untilRedis(t, "away")
	w.run(t, "the other one cut off")
	w.lineThere.Restore()
	w.connected(t)

	w.lineHere.Cut()
	w.here.untilRedis(t, "away")
	w.run(t, "this one cut off") // found by following the events
	w.lineHere.Restore()
	w.connected(t)

	w.lineThere.Delay(time.Hour, time.Hour)
	w.run(t, "Redis hangs")
	w.lineThere.Delay(0, 0)
	w.connected(t)
}

// What is changed while the other one is cut off is known the moment it is back.
func TestRow22_AfterTheCutNothingIsStale(t *testing.T) {
	t.Parallel()
	w := startTwin(t)
	for _, c := range w.crossings() {
		ask, do := c.start(t, w)
		w.lineThere.Cut()
		w.there.untilRedis(t, "away")
		require.Equal(t, 200, w.there.do(t, ask).status, "Redis is not needed")
		do()
		w.lineThere.Restore()
		w.connected(t)
		if c.name == "demote" { // memberships are not dropped: they never live longer than the bound
			w.there.untilStatus(t, ask, c.status)
		}
		requireProblem(t, w.there.do(t, ask), c.status, c.code)
	}
}

// Row 34. With the tenant all that is known of its keys goes, also where one was in use.
func TestRow22_AKeyOfAPurgedTenantIsGoodNowhere(t *testing.T) {
	t.Parallel()
	w := startTwin(t)
	owner := w.here.newPerson(t)
	in := w.here.newTenant(t, owner)
	used, unused := w.here.mint(t, owner, in, scopeRead), w.here.mint(t, owner, in, scopeRead)
	w.there.untilStatus(t, readNotes(used), 200)
	w.lineHere.Cut() // it can't tell
	w.here.untilRedis(t, "away")
	w.delete(t, in, owner)
	require.NoError(t, w.here.server.catalog.PurgeTenant(t.Context(), in.ID, 0))
	got, took := w.there.untilStatus(t, readNotes(used), 410)
	requireProblem(t, got, 410, tenant.CodeTenantGone)
	assert.Less(t, took, resolve.MaxCacheTTL)
	requireProblem(t, w.there.do(t, readNotes(unused)), 401, tenant.CodeUnauthenticated)
	for _, key := range []newKeyView{used, unused} {
		w.there.server.keys.ForgetAll()
		requireProblem(t, w.there.do(t, readNotes(key)), 401, tenant.CodeUnauthenticated)
	}
}

// A tenant that was asked for before there was one.
func TestRow22_ANewTenantIsFoundByTheOtherProcessAtOnce(t *testing.T) {
	t.Parallel()
	w := startTwin(t)
	owner, slug := w.here.newPerson(t), newSlug()
	ask := request{method: "GET", path: "/v1/notes", token: owner.token, header: headers("X-Tenant-Slug", slug)}
	requireProblem(t, w.there.do(t, ask), 404, tenant.CodeTenantNotFound)
	body := `{"slug":"` + slug + `","name":"New"}`
	require.Equal(t, 201, w.here.do(t, request{method: "POST", path: "/v1/tenants", token: owner.token, body: body}).status)
	_, took := w.there.untilStatus(t, ask, 200)
	assert.Less(t, took, resolve.MaxCacheTTL)
}

// The caches of members and of keys, too, hear from the other process, and not only by asking
// again.
func TestRow22_ChangesOfMembersAndKeysAreToldToTheOtherProcess(t *testing.T) {
	t.Parallel()
	w := startTwin(t)
	owner, member := w.here.newPerson(t), w.here.newPerson(t)
	in := w.here.newTenant(t, owner)
	w.here.join(t, in, member, invite.RoleAdmin)
	key := w.here.mint(t, owner, in, scopeRead)
	told := make(chan resolve.Change, 100)
	for _, kind := range []resolve.Kind{resolve.KindMember, resolve.KindKey} {
		t.Cleanup(w.there.server.caches.bus.Subscribe(kind, func(c resolve.Change) { told <- c }))
	}
	hears := func(want resolve.Change) {
		t.Helper()
		for {
			select {
			case c := <-told:
				if c == want {
					return
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("nobody has told of %v", want)
			}
		}
	}
	require.Equal(t, 200, w.here.inTenant(t, owner, in, "PATCH", "/v1/members/"+member.ID, `{"role":"viewer"}`).status)
	hears(resolve.Change{Kind: resolve.KindMember, Tenant: in.ID, Subject: member.ID})
	require.Equal(t, 204, w.here.inKeys(t, owner, in, "DELETE", "/"+key.ID, nil).status)
	hears(resolve.Change{Kind: resolve.KindKey, Tenant: in.ID, Subject: key.ID})
}

func TestWithoutRedisTheServiceIsReady(t *testing.T) {
	t.Parallel()
	a, _ := startOn(t, startServer(t), slog.New(slog.DiscardHandler), config{demo: true, redisURL: "redis://:secret-word@127.0.0.1:1/0"})
	ready := as[readiness](t, a.do(t, request{method: "GET", path: "/readyz"}), 200)
	assert.Equal(t, "away", ready.Redis)
	ada := a.signIn(t, "ada@acme.example")
	for range 5 {
		assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/t/acme-corp/v1/notes", token: ada.token}).status)
	}
	ready = as[readiness](t, a.do(t, request{method: "GET", path: "/readyz"}), 200)
	assert.Positive(t, ready.Cache.Hits)
	assert.Positive(t, ready.Cache.Tenants)
}
