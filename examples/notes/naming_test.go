package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// way is one way of naming a tenant in a request.
type way struct {
	name string
	say  func(a api, r request, in tenantView) request
}

// ways are all there are. The token's tenant needs a token that was made for it, which
// the way asks for itself.
func ways(t testing.TB) []way {
	return []way{
		{"slug in the header", func(_ api, r request, in tenantView) request {
			r.header = with(r.header, "X-Tenant-Slug", string(in.Slug))
			return r
		}},
		{"id in the header", func(_ api, r request, in tenantView) request {
			r.header = with(r.header, "X-Tenant-ID", in.ID.String())
			return r
		}},
		{"subdomain", func(_ api, r request, in tenantView) request {
			r.host = string(in.Slug) + ".localhost:8080"
			return r
		}},
		{"path", func(_ api, r request, in tenantView) request {
			r.path = "/t/" + string(in.Slug) + r.path
			return r
		}},
		{"the token's tenant", func(a api, r request, in tenantView) request {
			r.token = a.tokenFor(t, r.token, in)
			return r
		}},
	}
}

// tokenFor is a token of the same user, made for a tenant from the user's membership; of
// one who is no member, it is a token that the service would not give.
func (a api) tokenFor(t testing.TB, token string, in tenantView) string {
	t.Helper()
	claims, err := a.server.tokens.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	m, err := a.server.members.Get(t.Context(), in.ID, claims.Principal.ID)
	if err != nil {
		require.ErrorIs(t, err, invite.ErrNotAMember)
		m = invite.Member{TenantID: in.ID, Role: invite.RoleOwner, Version: 1}
	}
	made, _, err := a.server.tokens.ofMember(userOf(claims.Principal), m)
	require.NoError(t, err)
	return made
}

func with(h http.Header, name, value string) http.Header {
	if h = h.Clone(); h == nil {
		h = http.Header{}
	}
	h.Add(name, value)
	return h
}

func TestEachWayOfNamingLeadsToTheTenant(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in, other := a.newTenant(t, p), a.newTenant(t, p)
	mine := a.write(t, in, p, "in this tenant")
	a.write(t, other, p, "in the other")
	for _, w := range ways(t) {
		list := as[notesView](t, a.do(t, w.say(a, request{method: "GET", path: "/v1/notes", token: p.token}, in)), 200)
		assert.Equal(t, []string{"in this tenant"}, titles(list.Notes), w.name)
		got := as[noteView](t, a.do(t, w.say(a, request{method: "GET", path: "/v1/notes/" + mine.ID, token: p.token}, in)), 200)
		assert.Equal(t, mine, got, w.name)
	}
}

func TestAllWaysOfNamingAtOnceAgree(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	req := request{method: "GET", path: "/v1/notes", token: p.token}
	for _, w := range ways(t) {
		req = w.say(a, req, in)
	}
	assert.Equal(t, 200, a.do(t, req).status)
}

func TestRow18_TwoWaysThatDisagreeAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in, other := a.newTenant(t, p), a.newTenant(t, p)
	for i, first := range ways(t) {
		for j, second := range ways(t) {
			if i == j {
				continue
			}
			got := a.do(t, second.say(a, first.say(a, request{method: "GET", path: "/v1/notes", token: p.token}, in), other))
			if first.name == "the token's tenant" || second.name == "the token's tenant" {
				requireProblem(t, got, 403, tenant.CodeTenantMismatch)
			} else {
				requireProblem(t, got, 400, tenant.CodeTenantConflict)
			}
		}
	}
}

func TestNothingElseNamesATenant(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	slug, id := string(in.Slug), in.ID.String()
	for name, req := range map[string]request{
		"nothing":             {method: "GET", path: "/v1/notes"},
		"a query parameter":   {method: "GET", path: "/v1/notes?tenant=" + slug + "&tenant_id=" + id + "&slug=" + slug + "&X-Tenant-Slug=" + slug},
		"X-Forwarded-Host":    {method: "GET", path: "/v1/notes", header: headers("X-Forwarded-Host", slug+".localhost")},
		"Forwarded":           {method: "GET", path: "/v1/notes", header: headers("Forwarded", "host="+slug+".localhost")},
		"Origin":              {method: "GET", path: "/v1/notes", header: headers("Origin", "http://"+slug+".localhost")},
		"Referer":             {method: "GET", path: "/v1/notes", header: headers("Referer", "http://"+slug+".localhost/t/"+slug+"/")},
		"a cookie":            {method: "GET", path: "/v1/notes", header: headers("Cookie", "tenant="+slug)},
		"another base domain": {method: "GET", path: "/v1/notes", host: slug + ".example.com"},
		"a like base domain":  {method: "GET", path: "/v1/notes", host: slug + ".evil-localhost"},
		"the base domain":     {method: "GET", path: "/v1/notes", host: "localhost"},
		"a reserved host":     {method: "GET", path: "/v1/notes", host: "www.localhost"},
	} {
		req.token = p.token
		assert.Equal(t, tenant.CodeTenantRequired, requireProblem(t, a.do(t, req), 400, tenant.CodeTenantRequired).Code, name)
	}
	for _, field := range []string{"tenant", "tenant_id", "slug"} {
		body := jsonOf(t, map[string]string{"title": "x", field: slug})
		requireProblem(t, a.do(t, request{method: "POST", path: "/v1/notes", token: p.token, body: body}), 400, tenant.CodeTenantRequired)
	}
	assert.Empty(t, a.notesOf(t, in, p))
}

func TestRow16_MalformedNamesAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	for name, req := range map[string]request{
		"upper case in the header":  {header: headers("X-Tenant-Slug", "Acme-Corp")},
		"upper case in the path":    {path: "/t/Acme-Corp/v1/notes"},
		"upper case in the host":    {host: "Acme-Corp.localhost"},
		"empty header":              {header: headers("X-Tenant-Slug", "")},
		"two slugs in the header":   {header: headers("X-Tenant-Slug", "acme-corp, beta-industries")},
		"two headers":               {header: headers("X-Tenant-Slug", "acme-corp", "X-Tenant-Slug", "beta-industries")},
		"a reserved slug":           {header: headers("X-Tenant-Slug", "www")},
		"a system schema":           {header: headers("X-Tenant-Slug", "pg_catalog")},
		"too short":                 {header: headers("X-Tenant-Slug", "a")},
		"too long":                  {header: headers("X-Tenant-Slug", "a2345678901234567890123456789012345678901234567890")},
		"two hyphens":               {header: headers("X-Tenant-Slug", "xn--acme")},
		"a homograph":               {header: headers("X-Tenant-Slug", "аcme-corp")},
		"an id in the slug header":  {header: headers("X-Tenant-Slug", tenant.NewID().String())},
		"a slug in the id header":   {header: headers("X-Tenant-ID", "acme-corp")},
		"an upper-case id":          {header: headers("X-Tenant-ID", "0199C0DE-0000-7000-8000-00000000ABCD")},
		"a zero id":                 {header: headers("X-Tenant-ID", tenant.ID{}.String())},
		"two labels in the host":    {host: "a.acme-corp.localhost"},
		"an IDN host":               {host: "xn--acme-corp.localhost"},
		"an escaped slash":          {path: "/t/acme-corp%2Fbeta-industries/v1/notes"},
		"an escaped slug":           {path: "/t/acme%2Dcorp/v1/notes"},
		"a dot segment":             {path: "/t/acme-corp/v1/notes/%2e%2e"},
		"a dot for the tenant":      {path: "/t/%2e%2e/v1/notes"},
		"a zero byte in the tenant": {path: "/t/acme%00corp/v1/notes"},
	} {
		req.method, req.token = "GET", p.token
		if req.path == "" {
			req.path = "/v1/notes"
		}
		got := a.do(t, req)
		assert.Equal(t, tenant.CodeTenantInvalid, requireProblem(t, got, 400, tenant.CodeTenantInvalid).Code, name)
	}
}

func TestUnknownAndForeignTenantsAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p, stranger := a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, p)
	unknown := tenantView{ID: tenant.NewID(), Slug: "never-was"}
	for _, w := range ways(t) {
		req := request{method: "GET", path: "/v1/notes", token: stranger.token}
		requireProblem(t, a.do(t, w.say(a, req, in)), 403, tenant.CodeNotAMember)
		if w.name == "the token's tenant" {
			requireProblem(t, a.do(t, w.say(a, req, unknown)), 403, tenant.CodeNotAMember) // the token is refused first
		} else {
			requireProblem(t, a.do(t, w.say(a, req, unknown)), 404, tenant.CodeTenantNotFound)
		}
	}
}

func TestTheLocationOfANoteStaysBelowTheTenantsPath(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	made := a.do(t, request{method: "POST", path: "/t/" + string(in.Slug) + "/v1/notes", token: p.token, body: `{"title":"x"}`})
	n := as[noteView](t, made, 201)
	require.Equal(t, "/t/"+string(in.Slug)+"/v1/notes/"+n.ID, made.header.Get("Location"))
	assert.Equal(t, n, as[noteView](t, a.do(t, request{method: "GET", path: made.header.Get("Location"), token: p.token}), 200))
}

func TestTheDocumentNamesThePathThatTheClientAskedFor(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	path := "/t/" + string(in.Slug) + "/v1/notes/no-such-note"
	d := requireProblem(t, a.do(t, request{method: "GET", path: path + "?secret=1", token: p.token}), 404, "note_not_found")
	assert.Equal(t, path, d.Instance)
}
