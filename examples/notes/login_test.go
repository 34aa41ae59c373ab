package main

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func TestSigningIn(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	got := a.do(t, request{method: "POST", path: "/v1/login", body: `{"email":"Ada@ACME.example"}`})
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	answer := as[struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
		User      user      `json:"user"`
	}](t, got, 200)
	assert.Equal(t, "ada@acme.example", answer.User.Email)
	assert.WithinDuration(t, time.Now().Add(accesstoken.MaxLifetime), answer.ExpiresAt, time.Minute)
}

func TestSigningInWithANewAddressMakesAUser(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	email := strings.ToLower(rand.Text()) + "@new.example"
	first, again := a.signIn(t, email), a.signIn(t, email)
	assert.Equal(t, first.user, again.user)
	me := as[meView](t, a.do(t, request{method: "GET", path: "/v1/me", token: first.token}), 200)
	assert.Empty(t, me.Memberships)
	assert.Equal(t, first.user, me.User)
}

func TestCredentialsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	for name, header := range map[string][]string{
		"none":           {},
		"empty":          {"Authorization", ""},
		"no token":       {"Authorization", "Bearer "},
		"another scheme": {"Authorization", "Basic " + p.token},
		"no scheme":      {"Authorization", p.token},
		"nonsense":       {"Authorization", "Bearer nonsense"},
		"cut short":      {"Authorization", "Bearer " + p.token[:len(p.token)-2]},
		"the operator's": {"Authorization", "Bearer " + a.server.operatorToken},
		"a key":          {"X-API-Key", "some-key"},
	} {
		for _, path := range []string{"/v1/me", "/v1/notes", "/v1/tenants/acme-corp", "/t/acme-corp/v1/notes"} {
			got := a.do(t, request{method: "GET", path: path, header: headers(header...)})
			requireProblem(t, got, 401, tenant.CodeUnauthenticated)
			assert.Contains(t, got.header.Get("WWW-Authenticate"), "Bearer ", name)
		}
	}
	lower := a.do(t, request{method: "GET", path: "/v1/me", header: headers("Authorization", "bearer "+p.token)})
	assert.Equal(t, 200, lower.status, "the scheme's case does not matter (RFC 9110, 11.1)")
}

func TestTwoCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	for _, req := range []request{
		{method: "GET", path: "/v1/me"},
		{method: "GET", path: "/v1/notes"},
		{method: "POST", path: "/admin/tenants/acme-corp/resume"},
	} {
		for _, header := range [][]string{
			{"Authorization", "Bearer " + p.token, "X-API-Key", "some-key"},
			{"Authorization", "Bearer " + p.token, "X-API-Key", ""},
			{"Authorization", "Bearer " + p.token, "Authorization", "Bearer " + p.token},
		} {
			req.header = headers(header...)
			requireProblem(t, a.do(t, req), 400, tenant.CodeCredentialConflict)
		}
	}
}

type meView struct {
	User        user `json:"user"`
	Memberships []struct {
		Tenant tenantName `json:"tenant"`
		Role   string     `json:"role"`
	} `json:"memberships"`
	Tenant *tenantName `json:"tenant"`
}

func TestTheDemoDataAreThere(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	memberships := map[string]map[string]string{
		"ada@acme.example":     {"acme-corp": "owner", "beta-industries": "member"},
		"cleo@acme.example":    {"acme-corp": "member"},
		"ben@beta.example":     {"beta-industries": "owner"},
		"dora@nowhere.example": {},
	}
	for email, want := range memberships {
		p := a.signIn(t, email)
		me := as[meView](t, a.do(t, request{method: "GET", path: "/v1/me", token: p.token}), 200)
		assert.Equal(t, p.user, me.User)
		assert.Nil(t, me.Tenant)
		got := map[string]string{}
		for _, m := range me.Memberships {
			got[string(m.Tenant.Slug)] = m.Role
		}
		assert.Equal(t, want, got, email)
	}
	ada := a.signIn(t, "ada@acme.example")
	for slug, want := range map[string]tenantView{
		"acme-corp":       {Name: "Acme Corp", Plan: "pro"},
		"beta-industries": {Name: "Beta Industries", Plan: "free"},
	} {
		got := as[tenantView](t, a.do(t, request{method: "GET", path: "/v1/tenants/" + slug, token: ada.token}), 200)
		assert.Equal(t, want, tenantView{Name: got.Name, Plan: got.Plan})
		assert.Equal(t, "active", got.Status)
		assert.Len(t, a.notesOf(t, got, ada), 3)
	}
}

func TestMeTellsTheTenantOfTheRequest(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	for _, w := range ways(t) {
		me := as[meView](t, a.do(t, w.say(a, request{method: "GET", path: "/v1/me", token: p.token}, in)), 200)
		assert.Equal(t, &tenantName{ID: in.ID, Slug: in.Slug, Name: in.Name}, me.Tenant, w.name)
	}
}
