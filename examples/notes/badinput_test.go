package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

// badBody is a body that no route takes.
type badBody struct {
	name   string
	body   string
	header http.Header
	status int
	code   tenant.Code
}

func badBodies() []badBody {
	const valid = `{"title":"x","slug":"t-x","name":"x","email":"x@x","plan":"pro"}`
	plain := func(contentType string) http.Header { return http.Header{"Content-Type": {contentType}} }
	return []badBody{
		{"no body", "", http.Header{"Content-Type": {"application/json"}}, 400, tenant.CodeBadRequest},
		{"no JSON", `title=x`, nil, 400, tenant.CodeBadRequest},
		{"half a JSON object", `{"title":"x"`, nil, 400, tenant.CodeBadRequest},
		{"an array", `[]`, nil, 400, tenant.CodeBadRequest},
		{"a text", `"title"`, nil, 400, tenant.CodeBadRequest},
		{"null", `null`, nil, 400, tenant.CodeBadRequest},
		{"trailing data", `{} {}`, nil, 400, tenant.CodeBadRequest},
		{"a trailing bracket", `{}]`, nil, 400, tenant.CodeBadRequest},
		{"an unknown field", `{"colour":"red"}`, nil, 400, tenant.CodeBadRequest},
		{"a field of another case", `{"Title":"x"}`, nil, 400, tenant.CodeBadRequest},
		{"a field of another case, of tenants", `{"Slug":"x"}`, nil, 400, tenant.CodeBadRequest},
		{"a field twice", `{"title":"x","title":"x","slug":"a","slug":"b","email":"a","email":"b","plan":"free","plan":"pro","tenant":"a","tenant":"b","role":"a","role":"b","token":"a","token":"b"}`, nil, 400, tenant.CodeBadRequest},
		{"invalid UTF-8", "{\"title\":\"\xff\"}", nil, 400, tenant.CodeBadRequest},
		{"a byte order mark", "\ufeff" + `{"title":"x"}`, nil, 400, tenant.CodeBadRequest},
		{"half a character", `{"title":"\ud83d"}`, nil, 400, tenant.CodeBadRequest},
		{"the other half of a character", `{"title":"\ude00"}`, nil, 400, tenant.CodeBadRequest},
		{"half a character in a name", `{"tit\ud83dle":"x"}`, nil, 400, tenant.CodeBadRequest},
		{"the halves the wrong way round", `{"title":"\ude00\ud83d"}`, nil, 400, tenant.CodeBadRequest},
		{"a zero byte", "{\"title\":\"\x00\"}", nil, 400, tenant.CodeBadRequest},
		{"a deep nest", strings.Repeat(`{"a":`, 20_000), nil, 400, tenant.CodeBadRequest},
		{"over 1 MiB", `{"title":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, tenant.CodePayloadTooLarge},
		{"12 MiB", strings.Repeat(" ", 12<<20), nil, 413, tenant.CodePayloadTooLarge},
		{"a form", valid, plain("application/x-www-form-urlencoded"), 415, tenant.CodeUnsupportedMediaType},
		{"plain text", valid, plain("text/plain"), 415, tenant.CodeUnsupportedMediaType},
		{"JSON of another kind", valid, plain("application/merge-patch+json"), 415, tenant.CodeUnsupportedMediaType},
		{"another charset", valid, plain("application/json; charset=latin1"), 415, tenant.CodeUnsupportedMediaType},
		{"no content type", valid, plain(""), 415, tenant.CodeUnsupportedMediaType},
		{"a broken content type", valid, plain("application/json; ="), 415, tenant.CodeUnsupportedMediaType},
		{"compressed", valid, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, 415, tenant.CodeUnsupportedMediaType},
	}
}

func TestBadBodiesAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	note := a.write(t, in, p, "note")
	for _, to := range []request{
		{method: "POST", path: "/v1/notes", token: p.token},
		{method: "PATCH", path: "/v1/notes/" + note.ID, token: p.token},
		{method: "POST", path: "/v1/tenants", token: p.token},
		{method: "PATCH", path: "/v1/tenants/" + string(in.Slug), token: p.token},
		{method: "POST", path: "/v1/login"},
		{method: "POST", path: "/v1/switch", token: p.token},
		{method: "PATCH", path: "/v1/members/" + p.ID, token: p.token},
		{method: "POST", path: "/v1/invites", token: p.token},
		{method: "POST", path: "/v1/invites/preview"},
		{method: "POST", path: "/v1/invites/accept", token: p.token},
		{method: "PUT", path: "/admin/tenants/" + string(in.Slug) + "/plan", token: a.server.operatorToken},
	} {
		for _, bad := range badBodies() {
			req := to
			req.body, req.header = bad.body, with(bad.header, "X-Tenant-Slug", string(in.Slug))
			got := a.do(t, req)
			assert.Equal(t, bad.status, got.status, "%s %s: %s: %.300s", to.method, to.path, bad.name, got.body)
			assert.Contains(t, string(got.body), `"code":"`+string(bad.code)+`"`, "%s %s: %s", to.method, to.path, bad.name)
		}
	}
	a.requireUnchanged(t, p, in, note)
}

// requireUnchanged demands that someone still has one tenant, as it was, with one note.
func (a api) requireUnchanged(t testing.TB, p person, in tenantView, note noteView) {
	t.Helper()
	assert.Equal(t, []noteView{note}, a.notesOf(t, in, p), "nothing is written")
	got := as[tenantView](t, a.do(t, request{method: "GET", path: "/v1/tenants/" + string(in.Slug), token: p.token}), 200)
	assert.Equal(t, in, got, "nothing is written")
	belongs, err := a.server.members.OfUser(t.Context(), p.ID)
	require.NoError(t, err)
	assert.Len(t, belongs, 1, "no tenant is made")
}

func TestFieldsThatAreNotValidAreToldByName(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	note := a.write(t, in, p, "note")
	taken := string(in.Slug)
	for _, to := range []struct {
		method, path string
		body         any
		fields       []string
	}{
		{"POST", "/v1/notes", `{}`, []string{"title"}},
		{"POST", "/v1/notes", `{"title":""}`, []string{"title"}},
		{"POST", "/v1/notes", map[string]string{"title": strings.Repeat("ż", 201)}, []string{"title"}},
		{"POST", "/v1/notes", map[string]string{"title": "x", "body": strings.Repeat("b", 64<<10+1)}, []string{"body"}},
		{"POST", "/v1/notes", map[string]string{"title": "x", "body": strings.Repeat("ż", 32<<10+1)}, []string{"body"}},
		{"POST", "/v1/notes", `{"title":"a\u0000b","body":"a\u0000b"}`, []string{"title", "body"}},
		{"POST", "/v1/notes", `{"title":null}`, []string{"title"}},
		{"POST", "/v1/notes", `{"title":1,"body":{}}`, []string{"title", "body"}},
		{"PATCH", "/v1/notes/" + note.ID, `{"title":""}`, []string{"title"}},
		{"PATCH", "/v1/notes/" + note.ID, `{"title":null,"body":null}`, []string{"title", "body"}},
		{"PATCH", "/v1/notes/" + note.ID, `{"title":["x"]}`, []string{"title"}},
		{"PATCH", "/v1/notes/" + note.ID, `{"body":"\u0000"}`, []string{"body"}},
		{"POST", "/v1/tenants", `{}`, []string{"slug", "name"}},
		{"POST", "/v1/tenants", `{"slug":"UPPER","name":"x"}`, []string{"slug"}},
		{"POST", "/v1/tenants", `{"slug":"www","name":"x"}`, []string{"slug"}},
		{"POST", "/v1/tenants", `{"slug":"acme.corp","name":"x"}`, []string{"slug"}},
		{"POST", "/v1/tenants", `{"slug":"a\u0000b","name":"x"}`, []string{"slug"}},
		{"POST", "/v1/tenants", `{"slug":"xn--acme","name":"x"}`, []string{"slug"}},
		{"POST", "/v1/tenants", map[string]string{"slug": strings.Repeat("a", 49), "name": "x"}, []string{"slug"}},
		{"POST", "/v1/tenants", map[string]string{"slug": newSlug(), "name": ""}, []string{"name"}},
		{"POST", "/v1/tenants", map[string]string{"slug": newSlug(), "name": "a\x00b"}, []string{"name"}},
		{"POST", "/v1/tenants", map[string]string{"slug": newSlug(), "name": strings.Repeat("n", 201)}, []string{"name"}},
		{"PATCH", "/v1/tenants/" + taken, `{"slug":"UPPER","name":""}`, []string{"slug", "name"}},
		{"PATCH", "/v1/tenants/" + taken, map[string]string{"slug": newSlug(), "name": "a\nb"}, []string{"name"}},
		{"PATCH", "/v1/tenants/" + taken, map[string]string{"slug": "api", "name": "fine"}, []string{"slug"}},
		{"POST", "/v1/login", `{}`, []string{"email"}},
		{"POST", "/v1/login", `{"email":"nobody"}`, []string{"email"}},
		{"POST", "/v1/login", `{"email":"a\u0000@b.example"}`, []string{"email"}},
		{"POST", "/v1/login", `{"email":"Ada <ada@acme.example>"}`, []string{"email"}},
		{"POST", "/v1/login", map[string]string{"email": strings.Repeat("a", 250) + "@b.example"}, []string{"email"}},
		{"POST", "/v1/switch", `{}`, []string{"tenant"}},
		{"POST", "/v1/switch", `{"tenant":null}`, []string{"tenant"}},
		{"POST", "/v1/switch", `{"tenant":7}`, []string{"tenant"}},
		{"PATCH", "/v1/members/" + p.ID, `{}`, []string{"role"}},
		{"PATCH", "/v1/members/" + p.ID, `{"role":""}`, []string{"role"}},
		{"PATCH", "/v1/members/" + p.ID, `{"role":"Owner"}`, []string{"role"}},
		{"PATCH", "/v1/members/" + p.ID, `{"role":"god"}`, []string{"role"}},
		{"POST", "/v1/invites", `{}`, []string{"email", "role"}},
		{"POST", "/v1/invites", `{"email":"nobody","role":"god"}`, []string{"email", "role"}},
		{"POST", "/v1/invites", `{"email":"a@b.example\r\nBcc: c@d.example","role":"member"}`, []string{"email"}},
		{"POST", "/v1/invites", `{"email":"a@b.example,c@d.example","role":"member"}`, []string{"email"}},
		{"POST", "/v1/invites", `{"email":"ą@b.example","role":"member"}`, []string{"email"}},
		{"POST", "/v1/invites/preview", `{}`, []string{"token"}},
		{"PUT", "/admin/tenants/" + taken + "/plan", `{}`, []string{"plan"}},
		{"PUT", "/admin/tenants/" + taken + "/plan", `{"plan":"gold"}`, []string{"plan"}},
		{"PUT", "/admin/tenants/" + taken + "/plan", `{"plan":"\u0000"}`, []string{"plan"}},
		{"POST", "/v1/invites/accept", `{"token":null}`, []string{"token"}},
		{"GET", "/demo/outbox?email=nobody", nil, []string{"email"}},
		{"GET", "/v1/notes?limit=0", nil, []string{"limit"}},
		{"GET", "/v1/notes?limit=101", nil, []string{"limit"}},
		{"GET", "/v1/notes?limit=-1", nil, []string{"limit"}},
		{"GET", "/v1/notes?limit=many", nil, []string{"limit"}},
		{"GET", "/v1/notes?limit=99999999999999999999", nil, []string{"limit"}},
	} {
		req := request{method: to.method, path: to.path, token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))}
		if strings.HasPrefix(to.path, "/admin/") {
			req.token = a.server.operatorToken
		}
		switch body := to.body.(type) {
		case string:
			req.body = body
		case map[string]string:
			req.body = jsonOf(t, body)
		}
		d := requireProblem(t, a.do(t, req), 422, tenant.CodeValidationFailed)
		var told []string
		for _, e := range d.Errors {
			told = append(told, e.Field)
			assert.NotEmpty(t, e.Message)
		}
		assert.ElementsMatch(t, to.fields, told, "%s %s %.200s", to.method, to.path, req.body)
	}
	a.requireUnchanged(t, p, in, note)
}

func TestQueriesThatCantBeReadAreRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	for range 3 {
		a.write(t, in, p, "note")
	}
	named := headers("X-Tenant-Slug", string(in.Slug))
	list := as[notesView](t, a.do(t, request{method: "GET", path: "/v1/notes?limit=1", token: p.token, header: named}), 200)
	good := *list.NextCursor
	for _, query := range []string{
		"cursor=x", "cursor=" + good[:len(good)-1], "cursor=" + good + "A", "cursor=B" + good[1:], "cursor=" + strings.ToLower(good),
		"cursor=" + good + "=", "cursor=" + strings.Repeat("A", len(good)), "cursor=%00", "cursor=%ff",
		"cursor=" + good + "&cursor=" + good, "limit=1&limit=2", "limit=%zz", "a;b",
	} {
		got := a.do(t, request{method: "GET", path: "/v1/notes?" + query, token: p.token, header: named})
		assert.Equal(t, 400, got.status, "%s: %s", query, got.body)
		requireProblem(t, got, 400, tenant.CodeBadRequest)
	}
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes?cursor=" + good, token: p.token, header: named}).status)
}

func TestWhatIsNoIDIsTheIDOfNoNote(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	note := a.write(t, in, p, "note")
	for _, id := range []string{
		"1", "no-such-note", strings.ToUpper(note.ID), strings.ReplaceAll(note.ID, "-", ""), "{" + note.ID + "}", "urn:uuid:" + note.ID,
		note.ID + "%20", note.ID + "%00", "%ff", "%27%20OR%201=1", note.ID + "0", "00000000-0000-0000-0000-000000000000",
	} {
		for _, req := range []request{{method: "GET"}, {method: "PATCH", body: `{"title":"x"}`}, {method: "DELETE"}} {
			req.path, req.token, req.header = "/v1/notes/"+id, p.token, headers("X-Tenant-Slug", string(in.Slug))
			requireProblem(t, a.do(t, req), 404, "note_not_found")
		}
	}
	a.requireUnchanged(t, p, in, note)
}

func TestWhatTheRouterRefusesIsAProblemToo(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	for _, path := range []string{
		"/v1", "/v1/", "/v1/nothing", "/v2/notes", "/v1/notes/", "/healthz/", "/healthzz", "/t/", "/t/acme-corp", "/t/acme-corp/v1/nothing",
		"/v1/api-keys/", "/v1/api-keys/x/rotate/", "/v1/quota/", "/v1/exports/", "/v1/imports", "/demo", "/.well-known", "/v1/invites/a/b", "/admin", "/admin/tenants/acme-corp", "/favicon.ico",
	} {
		for _, method := range []string{"GET", "POST", "BREW"} {
			requireProblem(t, a.do(t, request{method: method, path: path, token: p.token}), 404, tenant.CodeNotFound)
		}
	}
	for _, req := range []request{
		{method: "PUT", path: "/v1/notes"}, {method: "POST", path: "/v1/notes/" + tenant.NewID().String()}, {method: "DELETE", path: "/v1/me"},
		{method: "GET", path: "/v1/switch"}, {method: "PUT", path: "/v1/invites"}, {method: "GET", path: "/v1/invites/preview"}, {method: "PUT", path: "/v1/invites/accept"},
		{method: "GET", path: "/v1/members/" + p.ID}, {method: "POST", path: "/demo/outbox"}, {method: "POST", path: "/.well-known/jwks.json"},
		{method: "GET", path: "/v1/login"}, {method: "PUT", path: "/v1/api-keys"}, {method: "GET", path: "/v1/api-keys/x"}, {method: "POST", path: "/"}, {method: "POST", path: "/healthz"}, {method: "GET", path: "/v1/tenants"},
		{method: "GET", path: "/admin/tenants/acme-corp/suspend"}, {method: "PUT", path: "/t/acme-corp/v1/notes"}, {method: "BREW", path: "/v1/notes"},
	} {
		got := a.do(t, req)
		requireProblem(t, got, 405, tenant.CodeMethodNotAllowed)
		assert.NotEmpty(t, got.header.Get("Allow"), "%s %s", req.method, req.path)
	}
}

func TestOptionsOfNoResourceIsAProblemToo(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", strings.TrimPrefix(startAPI(t).url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	got := response{status: res.StatusCode, header: res.Header, body: body}
	requireProblem(t, got, 400, tenant.CodeBadRequest)
	assert.NotEmpty(t, got.header.Get("X-Request-ID"))
}

func TestARequestIDIsKeptOrMade(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	for _, path := range []string{"/healthz", "/v1/nothing", "/v1/notes", "/t/Acme/v1/notes"} {
		assert.Equal(t, "mine-1.2_3", a.do(t, request{method: "GET", path: path, header: headers("X-Request-ID", "mine-1.2_3")}).header.Get("X-Request-ID"), path)
		first := a.do(t, request{method: "GET", path: path, header: headers("X-Request-ID", "two words")}).header.Get("X-Request-ID")
		second := a.do(t, request{method: "GET", path: path}).header.Get("X-Request-ID")
		assert.NotEqual(t, "two words", first, path)
		assert.NotEqual(t, first, second, path)
	}
	got := a.do(t, request{method: "GET", path: "/v1/nothing", header: headers("X-Request-ID", "mine")})
	assert.Equal(t, "mine", requireProblem(t, got, 404, tenant.CodeNotFound).RequestID)
}
