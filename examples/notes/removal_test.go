package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// removalBound is how long a member who was removed or demoted gets in at most.
const removalBound = invite.MaxCacheTTL

// untilStatus asks until the answer has a status, and returns how long it had not: when the
// last one asked who got another answer. How long an answer takes is the machine's affair.
func (a api) untilStatus(t *testing.T, r request, status int) (_ response, not time.Duration) {
	t.Helper()
	for began := time.Now(); ; {
		asked := time.Since(began)
		got := a.do(t, r)
		if got.status == status {
			return got, not
		}
		not = asked
		require.Less(t, asked, 10*removalBound, "still %d: %s", got.status, got.body)
		time.Sleep(10 * time.Millisecond)
	}
}

func TestRow32_AMemberWhoIsRemovedIsOutThoughTheTokenLives(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, _, member, _ := a.crew(t)
	token := a.switchTo(t, member, string(in.Slug)).Token
	mine := request{method: "GET", path: "/v1/notes", token: token}
	require.Equal(t, 200, a.do(t, mine).status)

	require.Equal(t, 204, a.inTenant(t, owner, in, "DELETE", "/v1/members/"+member.ID, "").status)
	for _, path := range []string{"/v1/notes", "/v1/members", "/v1/me", "/v1/tenants/" + string(in.Slug)} {
		requireProblem(t, a.do(t, request{method: "GET", path: path, token: token}), 403, tenant.CodeNotAMember)
	}
	requireProblem(t, a.inTenant(t, member, in, "GET", "/v1/notes", ""), 403, tenant.CodeNotAMember)
	requireProblem(t, a.trySwitch(t, member, string(in.Slug)), 403, tenant.CodeNotAMember)
	requireProblem(t, a.trySwitch(t, person{token: token}, string(in.Slug)), 403, tenant.CodeNotAMember)

	a.join(t, in, member, invite.RoleMember)
	requireProblem(t, a.do(t, mine), 401, tenant.CodeUnauthenticated) // the token of the first time
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes", token: a.switchTo(t, member, string(in.Slug)).Token}).status)
}

func TestRow32_AMemberWhoIsDemotedHasTheOldRoleNoMore(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, admin, _, _ := a.crew(t)
	before := a.switchTo(t, admin, string(in.Slug))
	require.Equal(t, invite.RoleAdmin, before.Role)
	require.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/invites", token: before.Token}).status)

	require.Equal(t, 200, a.inTenant(t, owner, in, "PATCH", "/v1/members/"+admin.ID, `{"role":"viewer"}`).status)
	for _, r := range []request{
		{method: "GET", path: "/v1/invites"},
		{method: "GET", path: "/v1/notes"},
		{method: "POST", path: "/v1/notes", body: `{"title":"x"}`},
		{method: "POST", path: "/v1/switch", body: `{"tenant":"` + string(in.Slug) + `"}`},
	} {
		r.token = before.Token
		got := a.do(t, r)
		requireProblem(t, got, 401, tenant.CodeUnauthenticated)
		assert.Contains(t, got.header.Get("WWW-Authenticate"), "invalid_token")
	}
	after := a.switchTo(t, admin, string(in.Slug))
	assert.Equal(t, invite.RoleViewer, after.Role)
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes", token: after.Token}).status)
	requireProblem(t, a.do(t, request{method: "POST", path: "/v1/notes", token: after.Token, body: `{"title":"x"}`}), 403, tenant.CodeForbidden)
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/invites", token: after.Token}), 403, tenant.CodeForbidden)
}

// Another process learns of it by its cache alone, so this is the bound that is promised.
func TestRow32_AMemberIsOutOfEveryProcessWithinTheBound(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	here, _ := startOn(t, pg, testLog(), config{demo: true, operatorToken: "o", temporal: onTemporal(t)})
	there, _ := startOn(t, pg, testLog(), config{demo: true, operatorToken: "o"})
	in, owner, admin, member, viewer := here.crew(t)
	tokenOf := map[string]string{}
	for _, p := range []person{admin, member, viewer} {
		tokenOf[p.ID] = here.switchTo(t, p, string(in.Slug)).Token
	}
	acme := headers("X-Tenant-Slug", string(in.Slug))
	for name, c := range map[string]struct {
		who    person
		change request
		ask    request
		status int
		code   tenant.Code
	}{
		"removed, with the tenant's token":   {member, request{method: http.MethodDelete}, request{method: "GET", path: "/v1/notes", token: tokenOf[member.ID]}, 403, tenant.CodeNotAMember},
		"removed, with a token of no tenant": {viewer, request{method: http.MethodDelete}, request{method: "GET", path: "/v1/notes", token: viewer.token, header: acme}, 403, tenant.CodeNotAMember},
		"demoted, with the tenant's token":   {admin, request{method: http.MethodPatch, body: `{"role":"viewer"}`}, request{method: "POST", path: "/v1/notes", token: tokenOf[admin.ID], body: `{"title":"x"}`}, 401, tenant.CodeUnauthenticated},
	} {
		before := c.ask
		require.Contains(t, []int{200, 201}, there.do(t, before).status, "%s: the other process has seen them", name)
		change := c.change
		change.path, change.token, change.header = "/v1/members/"+c.who.ID, owner.token, acme
		require.Contains(t, []int{200, 204}, here.do(t, change).status, name)
		got, took := there.untilStatus(t, c.ask, c.status)
		requireProblem(t, got, c.status, c.code)
		assert.LessOrEqual(t, took, removalBound, name)
		t.Logf("%s: out of the other process after %s", name, took.Round(time.Millisecond))
	}
}
