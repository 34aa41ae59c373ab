package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestRow22_SuspensionIsInForceOnTheNextRequest(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	note := a.write(t, in, p, "note")
	operator := func(do string) {
		got := a.do(t, request{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/" + do, token: a.server.operatorToken})
		assert.Equal(t, 204, got.status)
		assert.Empty(t, got.body)
	}
	for range 2 { // the second time changes nothing
		operator("suspend")
		for _, w := range ways(t) {
			for _, req := range []request{
				{method: "GET", path: "/v1/notes"},
				{method: "POST", path: "/v1/notes", body: `{"title":"x"}`},
				{method: "DELETE", path: "/v1/notes/" + note.ID},
				{method: "GET", path: "/v1/members"},
			} {
				req.token = p.token
				requireProblem(t, a.do(t, w.say(a, req, in)), 403, tenant.CodeTenantSuspended)
			}
		}
	}
	at := "/v1/tenants/" + string(in.Slug)
	shown := as[tenantView](t, a.do(t, request{method: "GET", path: at, token: p.token}), 200)
	assert.Equal(t, "suspended", shown.Status)
	requireProblem(t, a.do(t, request{method: "PATCH", path: at, token: p.token, body: `{"name":"x"}`}), 403, tenant.CodeTenantSuspended)
	requireProblem(t, a.do(t, request{method: "DELETE", path: at, token: p.token}), 403, tenant.CodeTenantSuspended)
	requireProblem(t, a.do(t, request{method: "GET", path: at, token: a.newPerson(t).token}), 403, tenant.CodeNotAMember)

	for range 2 {
		operator("resume")
		assert.Equal(t, []noteView{note}, a.notesOf(t, in, p))
	}
}

func TestTheOperatorSetsThePlan(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	set := func(body string) response {
		return a.do(t, request{method: "PUT", path: "/admin/tenants/" + string(in.Slug) + "/plan", token: a.server.operatorToken, body: body})
	}
	assert.Equal(t, 204, set(`{"plan":"pro"}`).status)
	for _, body := range []string{`{"plan":"platinum"}`, `{"plan":""}`, `{}`, `{"plan":null}`} {
		requireProblem(t, set(body), 422, tenant.CodeValidationFailed)
	}
	shown := as[tenantView](t, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(in.Slug), token: p.token}), 200)
	assert.Equal(t, "pro", shown.Plan)
}

func TestOnlyTheOperatorReachesTheAdminRoutes(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	for _, token := range []string{"", p.token, "operator", a.server.operatorToken + "x", a.server.operatorToken[1:]} {
		for _, req := range []request{
			{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/suspend"},
			{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/resume"},
			{method: "PUT", path: "/admin/tenants/" + string(in.Slug) + "/plan", body: `{"plan":"pro"}`},
			{method: "POST", path: "/admin/tenants/never-was/suspend"},
		} {
			req.token = token
			requireProblem(t, a.do(t, req), 401, tenant.CodeUnauthenticated)
		}
	}
	requireProblem(t, a.do(t, request{method: "POST", path: "/admin/tenants/never-was/suspend", token: a.server.operatorToken}), 404, tenant.CodeTenantNotFound)
	assert.Equal(t, in, as[tenantView](t, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(in.Slug), token: p.token}), 200))
}
