package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

type switchView struct {
	Token     string      `json:"token"`
	ExpiresAt time.Time   `json:"expires_at"`
	Tenant    tenantName  `json:"tenant"`
	Role      invite.Role `json:"role"`
}

// trySwitch asks for a token for the tenant of a name.
func (a api) trySwitch(t testing.TB, p person, name string) response {
	t.Helper()
	return a.do(t, request{method: "POST", path: "/v1/switch", token: p.token, body: jsonOf(t, map[string]string{"tenant": name})})
}

func (a api) switchTo(t testing.TB, p person, name string) switchView {
	t.Helper()
	return as[switchView](t, a.trySwitch(t, p, name), 200)
}

func TestSwitchingGivesATokenForTheTenant(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in, other := a.newTenant(t, p), a.newTenant(t, p)
	mine := a.write(t, in, p, "in this tenant")
	for _, name := range []string{string(in.Slug), in.ID.String()} {
		got := a.trySwitch(t, p, name)
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		answer := as[switchView](t, got, 200)
		assert.Equal(t, tenantName{ID: in.ID, Slug: in.Slug, Name: in.Name}, answer.Tenant)
		assert.Equal(t, invite.RoleOwner, answer.Role)
		assert.WithinDuration(t, time.Now().Add(accesstoken.DefaultLifetime), answer.ExpiresAt, time.Minute)

		me := as[meView](t, a.do(t, request{method: "GET", path: "/v1/me", token: answer.Token}), 200)
		assert.Equal(t, &answer.Tenant, me.Tenant)
		list := as[notesView](t, a.do(t, request{method: "GET", path: "/v1/notes", token: answer.Token}), 200)
		assert.Equal(t, []noteView{mine}, list.Notes)

		inOther := a.switchTo(t, person{token: answer.Token}, string(other.Slug))
		assert.Equal(t, other.ID, inOther.Tenant.ID, "from one tenant to the next")
	}
}

func TestNobodySwitchesWhereTheyMayNotBe(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, stranger := a.newPerson(t), a.newPerson(t)
	in, suspended, gone := a.newTenant(t, owner), a.newTenant(t, owner), a.newTenant(t, owner)
	require.Equal(t, 204, a.do(t, request{method: "POST", path: "/admin/tenants/" + string(suspended.Slug) + "/suspend", token: a.server.operatorToken}).status)
	require.Equal(t, 202, a.do(t, request{method: "DELETE", path: "/v1/tenants/" + string(gone.Slug), token: owner.token}).status)

	requireProblem(t, a.trySwitch(t, stranger, string(in.Slug)), 403, tenant.CodeNotAMember)
	requireProblem(t, a.trySwitch(t, stranger, in.ID.String()), 403, tenant.CodeNotAMember)
	requireProblem(t, a.trySwitch(t, stranger, string(suspended.Slug)), 403, tenant.CodeNotAMember)
	requireProblem(t, a.trySwitch(t, owner, string(suspended.Slug)), 403, tenant.CodeTenantSuspended)
	requireProblem(t, a.trySwitch(t, owner, string(gone.Slug)), 410, tenant.CodeTenantGone)
	requireProblem(t, a.trySwitch(t, owner, gone.ID.String()), 410, tenant.CodeTenantGone)
	requireProblem(t, a.trySwitch(t, owner, "never-was"), 404, tenant.CodeTenantNotFound)
	requireProblem(t, a.trySwitch(t, owner, tenant.NewID().String()), 404, tenant.CodeTenantNotFound)
	for _, name := range []string{"", "Acme-Corp", "www", "a", "acme--corp", "acme_corp", "acme-corp ", "a\x00b", tenant.ID{}.String(), "{" + in.ID.String() + "}"} {
		requireProblem(t, a.trySwitch(t, owner, name), 400, tenant.CodeTenantInvalid)
	}
	requireProblem(t, a.do(t, request{method: "POST", path: "/v1/switch", body: `{"tenant":"acme-corp"}`}), 401, tenant.CodeUnauthenticated)
}
