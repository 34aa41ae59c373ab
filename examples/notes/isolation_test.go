package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// twoTenants are A and B, with a note each, and someone who belongs to both: a client that
// may read either, and yet must never get at one by way of the other.
func twoTenants(t *testing.T, a api) (inA, inB tenantView, noteA, noteB noteView, both person) {
	t.Helper()
	ownerA, ownerB := a.newPerson(t), a.newPerson(t)
	both = a.newPerson(t)
	inA, inB = a.newTenant(t, ownerA), a.newTenant(t, ownerB)
	a.join(t, inA, both, invite.RoleAdmin)
	a.join(t, inB, both, invite.RoleAdmin)
	return inA, inB, a.write(t, inA, ownerA, "of A"), a.write(t, inB, ownerB, "of B"), both
}

func TestTheOtherTenantsNoteIsOneThatNeverWas(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, _, noteB, both := twoTenants(t, a)
	for _, w := range ways(t) {
		for _, req := range []request{
			{method: "GET"},
			{method: "GET", header: headers("If-None-Match", "*")},
			{method: "PATCH", body: `{"title":"taken over"}`},
			{method: "PATCH", body: `{"title":"taken over"}`, header: headers("If-Match", "*")},
			{method: "PATCH", body: `{"title":"taken over"}`, header: headers("If-Match", `"1"`)},
			{method: "PATCH", body: `{"title":"taken over"}`, header: headers("If-Match", `"99"`)},
			{method: "DELETE"},
			{method: "DELETE", header: headers("If-Match", `"1"`)},
			{method: "DELETE", header: headers("If-Match", `"99"`)},
		} {
			req.token = both.token
			answer := func(id string) map[string]any {
				req := req
				req.path = "/v1/notes/" + id
				got := a.do(t, w.say(a, req, inA))
				requireProblem(t, got, 404, "note_not_found")
				d := as[map[string]any](t, got, 404)
				delete(d, "request_id")
				delete(d, "instance") // the path that the client sent
				return d
			}
			assert.Equal(t, answer(tenant.NewID().String()), answer(noteB.ID), "%s %s: the answer tells that the note exists", w.name, req.method)
			assert.Equal(t, answer("no-id"), answer(noteB.ID), "%s %s", w.name, req.method)
		}
	}
	assert.Equal(t, []noteView{noteB}, a.notesOf(t, inB, both), "the row is untouched")
}

func TestACursorOfTheOtherTenantIsRefused(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, _, _, both := twoTenants(t, a)
	a.write(t, inB, both, "another of B")
	page := as[notesView](t, a.do(t, request{method: "GET", path: "/v1/notes?limit=1", token: both.token, header: headers("X-Tenant-Slug", string(inB.Slug))}), 200)
	require.NotNil(t, page.NextCursor)
	for _, w := range ways(t) {
		req := request{method: "GET", path: "/v1/notes?cursor=" + *page.NextCursor, token: both.token}
		requireProblem(t, a.do(t, w.say(a, req, inA)), 400, tenant.CodeBadRequest)
		next := as[notesView](t, a.do(t, w.say(a, req, inB)), 200)
		assert.Equal(t, []string{"of B"}, titles(next.Notes), w.name)
	}
}

func TestEachListHasTheNotesOfItsTenantAlone(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, noteA, noteB, both := twoTenants(t, a)
	for _, w := range ways(t) {
		req := request{method: "GET", path: "/v1/notes", token: both.token}
		assert.Equal(t, []noteView{noteA}, as[notesView](t, a.do(t, w.say(a, req, inA)), 200).Notes, w.name)
		assert.Equal(t, []noteView{noteB}, as[notesView](t, a.do(t, w.say(a, req, inB)), 200).Notes, w.name)
	}
}

func TestAStrangerReachesNothingByAnyWay(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	_, inB, _, noteB, both := twoTenants(t, a)
	stranger := a.newPerson(t)
	a.newTenant(t, stranger)
	for _, w := range ways(t) {
		for _, req := range []request{
			{method: "GET", path: "/v1/notes"},
			{method: "POST", path: "/v1/notes", body: `{"title":"x"}`},
			{method: "GET", path: "/v1/notes/" + noteB.ID},
			{method: "PATCH", path: "/v1/notes/" + noteB.ID, body: `{"title":"x"}`},
			{method: "DELETE", path: "/v1/notes/" + noteB.ID},
			{method: "POST", path: "/v1/exports"},
			{method: "GET", path: "/v1/exports/" + tenant.NewID().String()},
			{method: "GET", path: "/v1/members"},
			{method: "PATCH", path: "/v1/members/" + both.ID, body: `{"role":"viewer"}`},
			{method: "DELETE", path: "/v1/members/" + both.ID},
			{method: "GET", path: "/v1/invites"},
			{method: "POST", path: "/v1/invites", body: `{"email":"a@b.example","role":"viewer"}`},
			{method: "POST", path: "/v1/invites/" + tenant.NewID().String() + "/resend"},
			{method: "DELETE", path: "/v1/invites/" + tenant.NewID().String()},
			{method: "GET", path: "/v1/me"},
		} {
			req.token = stranger.token
			requireProblem(t, a.do(t, w.say(a, req, inB)), 403, tenant.CodeNotAMember)
		}
	}
	assert.Equal(t, []noteView{noteB}, a.notesOf(t, inB, both))
}

func TestRow10_SQLThatNamesTheOtherTenantsSchemaIsDenied(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, _, noteB, both := twoTenants(t, a)
	ctx := tenant.NewContext(t.Context(), tenant.Tenant{ID: inA.ID, Slug: inA.Slug, Status: tenant.StatusActive})
	table := pgx.Identifier{tenantdb.SchemaName(inB.ID), "note"}.Sanitize()
	for _, sql := range []string{
		`SELECT count(*) FROM ` + table,
		`UPDATE ` + table + ` SET title = 'taken over'`,
		`DELETE FROM ` + table,
		`INSERT INTO ` + table + ` (title, body, author) VALUES ('x', 'x', 'x')`,
	} {
		requireDenied(t, a.server.notes.db, ctx, sql)
	}
	requireDenied(t, a.server.notes.db, ctx, `SELECT count(*) FROM tenantwall.membership`)
	requireDenied(t, a.server.notes.db, ctx, `SELECT secret FROM tenantwall.notes_secret`)
	requireDenied(t, a.server.notes.db, ctx, `SELECT key FROM tenantwall.notes_token_key`)
	assert.Equal(t, []noteView{noteB}, a.notesOf(t, inB, both))
}

func requireDenied(t *testing.T, db *tenantdb.DB, ctx context.Context, sql string) {
	t.Helper()
	_, err := db.Exec(ctx, sql)
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr, sql)
	assert.Equal(t, "42501", pgErr.Code, sql)
}

func TestAMemberOfBothGetsEachWithOneToken(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	ada := a.signIn(t, "ada@acme.example")
	for slug, title := range map[string]string{"acme-corp": "Anvils are back in stock", "beta-industries": "Quarterly figures"} {
		got := a.do(t, request{method: http.MethodGet, path: "/v1/notes", token: ada.token, header: headers("X-Tenant-Slug", slug)})
		assert.Contains(t, titles(as[notesView](t, got, 200).Notes), title)
	}
}
