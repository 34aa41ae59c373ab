package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestANoteIsWrittenReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	named := headers("X-Tenant-Slug", string(in.Slug))

	made := a.do(t, request{method: "POST", path: "/v1/notes", token: p.token, header: named, body: `{"title":"Żółw & <co>","body":"line\nline"}`})
	n := as[noteView](t, made, 201)
	assert.Equal(t, "Żółw & <co>", n.Title)
	assert.Equal(t, "line\nline", n.Body)
	assert.Equal(t, p.Email, n.Author)
	assert.Equal(t, "/v1/notes/"+n.ID, made.header.Get("Location"))
	assert.Equal(t, "private, no-cache", made.header.Get("Cache-Control"))
	assert.Contains(t, made.header.Get("Vary"), "X-Tenant-Slug")

	at := "/v1/notes/" + n.ID
	read := a.do(t, request{method: "GET", path: at, token: p.token, header: named})
	assert.Equal(t, n, as[noteView](t, read, 200))
	assert.Equal(t, made.header.Get("ETag"), read.header.Get("ETag"))

	changed := a.do(t, request{method: "PATCH", path: at, token: p.token, header: named, body: `{"body":""}`})
	after := as[noteView](t, changed, 200)
	assert.Equal(t, n.Title, after.Title, "what is left out stays")
	assert.Empty(t, after.Body)
	assert.Equal(t, n.CreatedAt, after.CreatedAt)
	assert.NotEqual(t, n.UpdatedAt, after.UpdatedAt)
	assert.NotEqual(t, made.header.Get("ETag"), changed.header.Get("ETag"))

	gone := a.do(t, request{method: "DELETE", path: at, token: p.token, header: named})
	assert.Equal(t, 204, gone.status)
	for _, method := range []string{"GET", "DELETE"} {
		requireProblem(t, a.do(t, request{method: method, path: at, token: p.token, header: named}), 404, "note_not_found")
	}
	requireProblem(t, a.do(t, request{method: "PATCH", path: at, token: p.token, header: named, body: `{"title":"x"}`}), 404, "note_not_found")
}

func TestANoteWithoutABodyHasAnEmptyOne(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	got := a.do(t, request{method: "POST", path: "/v1/notes", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug)), body: `{"title":"t"}`})
	assert.Empty(t, as[noteView](t, got, 201).Body)
}

func TestANoteTakesAsMuchAsTheContractSays(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	note := map[string]string{"title": strings.Repeat("ż", 200), "body": strings.Repeat("b", 64<<10)}
	got := a.do(t, request{method: "POST", path: "/v1/notes", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug)), body: jsonOf(t, note)})
	n := as[noteView](t, got, 201)
	assert.Equal(t, note["title"], n.Title)
	assert.True(t, note["body"] == n.Body)
}

func TestNotesAreListedNewestFirstInPages(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	var want []string
	for i := range 25 {
		title := fmt.Sprintf("note %d", i)
		a.write(t, in, p, title)
		want = append([]string{title}, want...)
	}
	list := func(query string) notesView {
		got := a.do(t, request{method: "GET", path: "/v1/notes?" + query, token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))})
		return as[notesView](t, got, 200)
	}
	assert.Len(t, list("").Notes, 20, "the default")
	assert.Len(t, list("limit=&cursor=").Notes, 20, "empty is not given")
	assert.Nil(t, list("limit=25").NextCursor, "a page that ends with the last note has no next one")
	assert.Equal(t, []string{"note 24"}, titles(list("limit=1").Notes))

	var got []string
	query := "limit=7"
	for pages := 0; ; pages++ {
		require.Less(t, pages, 5)
		page := list(query)
		got = append(got, titles(page.Notes)...)
		if page.NextCursor == nil {
			break
		}
		query = "limit=7&cursor=" + *page.NextCursor
	}
	assert.Equal(t, want, got)
}

func titles(notes []noteView) []string {
	var titles []string
	for _, n := range notes {
		titles = append(titles, n.Title)
	}
	return titles
}

func TestATenantWithoutNotesHasAnEmptyList(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	got := a.do(t, request{method: "GET", path: "/v1/notes", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))})
	assert.JSONEq(t, `{"notes":[],"next_cursor":null}`, string(got.body))
}

func TestAStaleChangeIsRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	at := "/v1/notes/" + a.write(t, in, p, "first").ID
	named := func(more ...string) http.Header {
		return headers(append([]string{"X-Tenant-Slug", string(in.Slug)}, more...)...)
	}
	first := a.do(t, request{method: "GET", path: at, token: p.token, header: named()}).header.Get("ETag")
	second := a.do(t, request{method: "PATCH", path: at, token: p.token, header: named("If-Match", first), body: `{"title":"second"}`})
	require.Equal(t, "second", as[noteView](t, second, 200).Title)

	for _, match := range []string{first, `"99"`, "W/" + second.header.Get("ETag"), "nonsense", `""`, first + `, "99"`} {
		for _, method := range []string{"PATCH", "DELETE"} {
			req := request{method: method, path: at, token: p.token, header: named("If-Match", match)}
			if method == "PATCH" {
				req.body = `{"title":"lost"}`
			}
			requireProblem(t, a.do(t, req), 412, tenant.CodePreconditionFailed)
		}
	}
	assert.Equal(t, []string{"second"}, titles(a.notesOf(t, in, p)))

	third := a.do(t, request{method: "PATCH", path: at, token: p.token, header: named("If-Match", first+", "+second.header.Get("ETag")), body: `{"title":"third"}`})
	require.Equal(t, "third", as[noteView](t, third, 200).Title)
	assert.Equal(t, 200, a.do(t, request{method: "PATCH", path: at, token: p.token, header: named("If-Match", "*"), body: `{}`}).status)

	unknown := "/v1/notes/" + tenant.NewID().String()
	requireProblem(t, a.do(t, request{method: "DELETE", path: unknown, token: p.token, header: named("If-Match", "*")}), 404, "note_not_found")
	requireProblem(t, a.do(t, request{method: "DELETE", path: unknown, token: p.token, header: named("If-Match", first)}), 404, "note_not_found")
}

func TestAClientThatHasTheNoteIsToldSo(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	at := "/v1/notes/" + a.write(t, in, p, "note").ID
	get := func(more ...string) response {
		return a.do(t, request{method: "GET", path: at, token: p.token, header: headers(append([]string{"X-Tenant-Slug", string(in.Slug)}, more...)...)})
	}
	whole := get()
	tag := whole.header.Get("ETag")
	for _, has := range []string{tag, "W/" + tag, `"99", ` + tag, "*"} {
		got := get("If-None-Match", has)
		assert.Equal(t, 304, got.status, has)
		for _, name := range []string{"ETag", "Cache-Control", "Vary"} {
			assert.Equal(t, whole.header.Values(name), got.header.Values(name), "%s: %s", has, name)
		}
	}
	assert.Equal(t, 200, get("If-None-Match", `"99"`).status)
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	named := headers("X-Tenant-Slug", string(in.Slug))
	for _, path := range []string{"/", "/healthz", "/readyz", "/openapi.json", "/v1/me", "/v1/notes", "/v1/notes/" + a.write(t, in, p, "note").ID, "/v1/members", "/v1/tenants/" + string(in.Slug)} {
		got := a.do(t, request{method: "GET", path: path, token: p.token, header: named})
		head := a.do(t, request{method: "HEAD", path: path, token: p.token, header: named})
		assert.Equal(t, 200, head.status, path)
		assert.Empty(t, head.body, path)
		assert.Equal(t, got.header.Get("Content-Type"), head.header.Get("Content-Type"), path)
		assert.Equal(t, got.header.Get("ETag"), head.header.Get("ETag"), path)
	}
	assert.Equal(t, 404, a.do(t, request{method: "HEAD", path: "/v1/nothing"}).status)
}

func TestWhatARoleMayDo(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner := a.newPerson(t)
	in := a.newTenant(t, owner)
	a.inPro(t, in)
	note := a.write(t, in, owner, "note")
	for _, role := range []invite.Role{invite.RoleViewer, invite.RoleMember, invite.RoleAdmin} {
		p := a.newPerson(t)
		a.join(t, in, p, role)
		named := headers("X-Tenant-Slug", string(in.Slug))
		for _, path := range []string{"/v1/notes", "/v1/notes/" + note.ID, "/v1/members"} {
			assert.Equal(t, 200, a.do(t, request{method: "GET", path: path, token: p.token, header: named}).status, "%s %s", role, path)
		}
		for _, req := range []request{
			{method: "POST", path: "/v1/notes", body: `{"title":"by a member"}`},
			{method: "PATCH", path: "/v1/notes/" + note.ID, body: `{"title":"note"}`},
			{method: "DELETE", path: "/v1/notes/" + a.write(t, in, owner, "to delete").ID},
		} {
			req.token, req.header = p.token, named
			got := a.do(t, req)
			if role == invite.RoleViewer {
				requireProblem(t, got, 403, tenant.CodeForbidden)
			} else {
				assert.Less(t, got.status, 300, "%s %s", role, req.method)
			}
		}
	}
}

func TestMembersAreListed(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, viewer := a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, owner)
	a.join(t, in, viewer, invite.RoleViewer)
	type members struct {
		Members []struct {
			User     user   `json:"user"`
			Role     string `json:"role"`
			JoinedAt string `json:"joined_at"`
		} `json:"members"`
	}
	got := as[members](t, a.do(t, request{method: "GET", path: "/v1/members", token: viewer.token, header: headers("X-Tenant-Slug", string(in.Slug))}), 200)
	require.Len(t, got.Members, 2)
	assert.Equal(t, owner.user, got.Members[0].User)
	assert.Equal(t, "owner", got.Members[0].Role)
	assert.Equal(t, viewer.user, got.Members[1].User)
	assert.Equal(t, "viewer", got.Members[1].Role)
}
