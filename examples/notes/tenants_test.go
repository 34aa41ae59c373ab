package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestAUserCreatesATenantAndOwnsIt(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	slug := newSlug()
	got := a.do(t, request{method: "POST", path: "/v1/tenants", token: p.token, body: jsonOf(t, map[string]string{"slug": slug, "name": "Gamma & Söhne"})})
	in := as[tenantView](t, got, 201)
	assert.Equal(t, tenantView{ID: in.ID, Slug: tenant.Slug(slug), Name: "Gamma & Söhne", Status: "active", Plan: "free"}, in)
	assert.Equal(t, "/v1/tenants/"+slug, got.header.Get("Location"))
	assert.Equal(t, in, as[tenantView](t, a.do(t, request{method: "GET", path: got.header.Get("Location"), token: p.token}), 200))

	me := as[meView](t, a.do(t, request{method: "GET", path: "/v1/me", token: p.token}), 200)
	assert.Len(t, me.Memberships, 1)
	assert.Equal(t, "owner", me.Memberships[0].Role)
	a.write(t, in, p, "it can be used at once")
}

func TestASlugIsGivenOnce(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	body := jsonOf(t, map[string]string{"slug": newSlug(), "name": "x"})
	statuses := make([]int, 8)
	var racing sync.WaitGroup
	for i := range statuses {
		p := a.newPerson(t)
		racing.Go(func() {
			statuses[i] = a.send(t, request{method: "POST", path: "/v1/tenants", token: p.token, body: body}).status
		})
	}
	racing.Wait()
	assert.ElementsMatch(t, []int{201, 409, 409, 409, 409, 409, 409, 409}, statuses)
	requireProblem(t, a.do(t, request{method: "POST", path: "/v1/tenants", token: a.newPerson(t).token, body: body}), 409, tenant.CodeSlugTaken)
}

func TestRow21_ARenamedTenantLeavesItsOldSlugGone(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	before := a.newTenant(t, p)
	note := a.write(t, before, p, "stays")
	rename := func(from tenant.Slug, body string) response {
		return a.do(t, request{method: "PATCH", path: "/v1/tenants/" + string(from), token: p.token, body: body})
	}
	slug := newSlug()
	after := as[tenantView](t, rename(before.Slug, fmt.Sprintf(`{"slug":%q,"name":"Renamed"}`, slug)), 200)
	assert.Equal(t, tenantView{ID: before.ID, Slug: tenant.Slug(slug), Name: "Renamed", Status: "active", Plan: "free"}, after)
	assert.Equal(t, []noteView{note}, a.notesOf(t, after, p))

	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(before.Slug), token: p.token}), 410, tenant.CodeTenantGone)
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/notes", token: p.token, header: headers("X-Tenant-Slug", string(before.Slug))}), 410, tenant.CodeTenantGone)
	requireProblem(t, a.do(t, request{method: "GET", path: "/t/" + string(before.Slug) + "/v1/notes", token: p.token}), 410, tenant.CodeTenantGone)
	takeOver := jsonOf(t, map[string]string{"slug": string(before.Slug), "name": "x"})
	requireProblem(t, a.do(t, request{method: "POST", path: "/v1/tenants", token: a.newPerson(t).token, body: takeOver}), 409, tenant.CodeSlugTaken)

	name := as[tenantView](t, rename(after.Slug, `{"name":"Only the name"}`), 200)
	assert.Equal(t, after.Slug, name.Slug)
	assert.Equal(t, name, as[tenantView](t, rename(after.Slug, `{}`), 200), "nothing to change")
	other := a.newTenant(t, p)
	requireProblem(t, rename(after.Slug, fmt.Sprintf(`{"slug":%q,"name":"x"}`, other.Slug)), 409, tenant.CodeSlugTaken)
	assert.Equal(t, name, as[tenantView](t, a.do(t, request{method: "GET", path: "/v1/tenants/" + slug, token: p.token}), 200))
}

func TestRow22_ADeletedTenantIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	note := a.write(t, in, p, "note")
	gone := as[tenantView](t, a.do(t, request{method: "DELETE", path: "/v1/tenants/" + string(in.Slug), token: p.token}), 202)
	assert.Equal(t, "deleted", gone.Status)

	for _, w := range ways(t) {
		for _, path := range []string{"/v1/notes", "/v1/notes/" + note.ID, "/v1/members", "/v1/me"} {
			requireProblem(t, a.do(t, w.say(a, request{method: "GET", path: path, token: p.token}, in)), 410, tenant.CodeTenantGone)
		}
	}
	for _, req := range []request{
		{method: "GET", path: "/v1/tenants/" + string(in.Slug), token: p.token},
		{method: "PATCH", path: "/v1/tenants/" + string(in.Slug), token: p.token, body: `{"name":"x"}`},
		{method: "DELETE", path: "/v1/tenants/" + string(in.Slug), token: p.token},
		{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/suspend", token: a.server.operatorToken},
		{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/resume", token: a.server.operatorToken},
	} {
		requireProblem(t, a.do(t, req), 410, tenant.CodeTenantGone)
	}
	me := as[meView](t, a.do(t, request{method: "GET", path: "/v1/me", token: p.token}), 200)
	assert.Empty(t, me.Memberships)
	again := jsonOf(t, map[string]string{"slug": string(in.Slug), "name": "x"})
	requireProblem(t, a.do(t, request{method: "POST", path: "/v1/tenants", token: p.token, body: again}), 409, tenant.CodeSlugTaken)
}

func TestWhoMayDoWhatWithATenant(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, admin, viewer, stranger := a.newPerson(t), a.newPerson(t), a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, owner)
	a.join(t, in, admin, invite.RoleAdmin)
	a.join(t, in, viewer, invite.RoleViewer)
	at := "/v1/tenants/" + string(in.Slug)
	for _, p := range []person{owner, admin, viewer} {
		assert.Equal(t, in, as[tenantView](t, a.do(t, request{method: "GET", path: at, token: p.token}), 200))
	}
	for _, req := range []request{{method: "PATCH", body: `{"name":"x"}`}, {method: "PATCH", body: `nonsense`}, {method: "DELETE"}} {
		req.path = at
		for p, code := range map[person]tenant.Code{admin: tenant.CodeForbidden, viewer: tenant.CodeForbidden, stranger: tenant.CodeNotAMember} {
			req.token = p.token
			requireProblem(t, a.do(t, req), 403, code)
		}
	}
	requireProblem(t, a.do(t, request{method: "GET", path: at, token: stranger.token}), 403, tenant.CodeNotAMember)
	assert.Equal(t, in, as[tenantView](t, a.do(t, request{method: "GET", path: at, token: owner.token}), 200))
}

func TestATokenForOneTenantIsNoneForAnother(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in, other := a.newTenant(t, p), a.newTenant(t, p)
	token := a.tokenFor(t, p.token, in)
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(in.Slug), token: token}).status)
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(other.Slug), token: token}), 403, tenant.CodeTenantMismatch)
}

func TestSlugsInThePathThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	for _, slug := range []string{"Acme-Corp", "www", "a", "acme--corp", "-acme", "acme-", "acme%2Fcorp", "%00", "%ff", "%C4%85cme", "1acme"} {
		for _, req := range []request{
			{method: "GET", path: "/v1/tenants/" + slug, token: p.token},
			{method: "POST", path: "/admin/tenants/" + slug + "/suspend", token: a.server.operatorToken},
		} {
			requireProblem(t, a.do(t, req), 400, tenant.CodeTenantInvalid)
		}
	}
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/tenants/never-was", token: p.token}), 404, tenant.CodeTenantNotFound)
}
