package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// inPro makes a tenant's plan one with seats enough.
func (a api) inPro(t testing.TB, in tenantView) {
	t.Helper()
	got := a.do(t, request{method: "PUT", path: "/admin/tenants/" + string(in.Slug) + "/plan", token: a.server.operatorToken, body: `{"plan":"pro"}`})
	require.Equal(t, 204, got.status)
}

// inTenant is a request of someone in a tenant.
func (a api) inTenant(t testing.TB, p person, in tenantView, method, path, body string) response {
	t.Helper()
	return a.do(t, request{method: method, path: "/t/" + string(in.Slug) + path, token: p.token, body: body})
}

func (a api) membersOf(t testing.TB, p person, in tenantView) map[string]invite.Role {
	t.Helper()
	list := as[struct{ Members []memberView }](t, a.inTenant(t, p, in, "GET", "/v1/members", ""), 200)
	roles := map[string]invite.Role{}
	for _, m := range list.Members {
		roles[m.User.Email] = m.Role
	}
	return roles
}

// crew is a tenant with someone in each role.
func (a api) crew(t testing.TB) (in tenantView, owner, admin, member, viewer person) {
	t.Helper()
	owner, admin, member, viewer = a.newPerson(t), a.newPerson(t), a.newPerson(t), a.newPerson(t)
	in = a.newTenant(t, owner)
	a.inPro(t, in)
	a.join(t, in, admin, invite.RoleAdmin)
	a.join(t, in, member, invite.RoleMember)
	a.join(t, in, viewer, invite.RoleViewer)
	return in, owner, admin, member, viewer
}

func TestEveryMemberSeesTheMembers(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, admin, member, viewer := a.crew(t)
	want := map[string]invite.Role{owner.Email: "owner", admin.Email: "admin", member.Email: "member", viewer.Email: "viewer"}
	for _, p := range []person{owner, admin, member, viewer} {
		assert.Equal(t, want, a.membersOf(t, p, in))
	}
}

func TestARoleIsChangedAndInForceAtOnce(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, _, member, _ := a.crew(t)
	for _, step := range []struct {
		role   invite.Role
		status int
	}{{"viewer", 403}, {"member", 201}, {"viewer", 403}, {"admin", 201}, {"owner", 201}} {
		got := as[memberView](t, a.inTenant(t, owner, in, "PATCH", "/v1/members/"+member.ID, fmt.Sprintf(`{"role":%q}`, step.role)), 200)
		assert.Equal(t, step.role, got.Role)
		assert.Equal(t, member.user, got.User)
		assert.Equal(t, step.status, a.inTenant(t, member, in, "POST", "/v1/notes", `{"title":"x"}`).status, step.role)
	}
	again := as[memberView](t, a.inTenant(t, owner, in, "PATCH", "/v1/members/"+member.ID, `{"role":"owner"}`), 200)
	assert.Equal(t, invite.RoleOwner, again.Role, "the role that they have")
}

func TestRow29_NobodyGivesOrTakesARoleAboveTheirOwn(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, admin, member, viewer := a.crew(t)
	for _, c := range []struct {
		who          person
		method, path string
		body         string
	}{
		{admin, "PATCH", "/v1/members/" + member.ID, `{"role":"owner"}`},
		{admin, "PATCH", "/v1/members/" + admin.ID, `{"role":"owner"}`},
		{admin, "PATCH", "/v1/members/" + owner.ID, `{"role":"viewer"}`},
		{admin, "DELETE", "/v1/members/" + owner.ID, ""},
		{admin, "POST", "/v1/invites", `{"email":"a@b.example","role":"owner"}`},
		{member, "PATCH", "/v1/members/" + member.ID, `{"role":"admin"}`},
		{member, "PATCH", "/v1/members/" + viewer.ID, `{"role":"viewer"}`},
		{member, "DELETE", "/v1/members/" + viewer.ID, ""},
		{member, "DELETE", "/v1/members/" + tenant.NewID().String(), ""},
		{member, "POST", "/v1/invites", `{"email":"a@b.example","role":"viewer"}`},
		{member, "GET", "/v1/invites", ""},
		{viewer, "PATCH", "/v1/members/" + viewer.ID, `{"role":"owner"}`},
		{viewer, "DELETE", "/v1/members/" + owner.ID, ""},
	} {
		requireProblem(t, a.inTenant(t, c.who, in, c.method, c.path, c.body), 403, tenant.CodeForbidden)
	}
	assert.Equal(t, map[string]invite.Role{owner.Email: "owner", admin.Email: "admin", member.Email: "member", viewer.Email: "viewer"}, a.membersOf(t, owner, in))
}

func TestMembersAreRemovedAndLeave(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, admin, member, viewer := a.crew(t)
	assert.Equal(t, 204, a.inTenant(t, viewer, in, "DELETE", "/v1/members/"+viewer.ID, "").status, "oneself")
	assert.Equal(t, 204, a.inTenant(t, admin, in, "DELETE", "/v1/members/"+member.ID, "").status)
	for _, p := range []person{viewer, member} {
		requireProblem(t, a.inTenant(t, p, in, "GET", "/v1/notes", ""), 403, tenant.CodeNotAMember)
		requireProblem(t, a.inTenant(t, p, in, "DELETE", "/v1/members/"+p.ID, ""), 403, tenant.CodeNotAMember)
	}
	requireProblem(t, a.inTenant(t, admin, in, "DELETE", "/v1/members/"+member.ID, ""), 404, tenant.CodeNotFound)
	assert.Equal(t, map[string]invite.Role{owner.Email: "owner", admin.Email: "admin"}, a.membersOf(t, owner, in))
}

func TestRow30_TheLastOwnerStays(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, _, member, _ := a.crew(t)
	requireProblem(t, a.inTenant(t, owner, in, "DELETE", "/v1/members/"+owner.ID, ""), 409, tenant.CodeLastOwner)
	requireProblem(t, a.inTenant(t, owner, in, "PATCH", "/v1/members/"+owner.ID, `{"role":"admin"}`), 409, tenant.CodeLastOwner)

	require.Equal(t, 200, a.inTenant(t, owner, in, "PATCH", "/v1/members/"+member.ID, `{"role":"owner"}`).status)
	var racing sync.WaitGroup
	statuses := make([]int, 2)
	for i, p := range []person{owner, member} {
		racing.Go(func() {
			statuses[i] = a.send(t, request{method: "DELETE", path: "/t/" + string(in.Slug) + "/v1/members/" + p.ID, token: p.token}).status
		})
	}
	racing.Wait()
	assert.ElementsMatch(t, []int{204, 409}, statuses, "two owners leave at once, one stays")
}

func TestWhatIsNoMembersIDIsFoundNowhere(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, _, _, both := twoTenants(t, a)
	members, err := a.server.members.OfUser(t.Context(), both.ID)
	require.NoError(t, err)
	require.Len(t, members, 2)
	for m, err := range a.server.members.OfTenant(t.Context(), inB.ID) {
		require.NoError(t, err)
		if m.UserID == both.ID {
			continue
		}
		for _, id := range []string{m.UserID, tenant.NewID().String(), "me", "%00", "%ff", "%27", both.ID + "0", both.Email} {
			requireProblem(t, a.inTenant(t, both, inA, "PATCH", "/v1/members/"+id, `{"role":"viewer"}`), 404, tenant.CodeNotFound)
			requireProblem(t, a.inTenant(t, both, inA, "DELETE", "/v1/members/"+id, ""), 404, tenant.CodeNotFound)
		}
	}
}
