package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

type keysView struct {
	Keys []keyView `json:"api_keys"`
}

// inKeys sends a request to the routes of a tenant's keys.
func (a api) inKeys(t testing.TB, p person, in tenantView, method, path string, body any) response {
	t.Helper()
	req := request{method: method, path: "/v1/api-keys" + path, token: p.token, header: headers("X-Tenant-Slug", string(in.Slug))}
	if body != nil {
		req.body = jsonOf(t, body)
	}
	return a.do(t, req)
}

// mint makes a key with scopes.
func (a api) mint(t testing.TB, p person, in tenantView, scopes ...string) newKeyView {
	t.Helper()
	got := a.inKeys(t, p, in, "POST", "", map[string]any{"name": "nightly export", "scopes": scopes})
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	return as[newKeyView](t, got, 201)
}

// with sends a request with a key.
func (a api) withKey(t testing.TB, key, method, path, body string) response {
	t.Helper()
	return a.do(t, request{method: method, path: path, header: headers("X-API-Key", key), body: body})
}

func TestAKeyReadsAndWritesAsItsScopesSay(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	reader, both := a.mint(t, p, in, scopeRead), a.mint(t, p, in, scopeRead, scopeWrite)
	writer := a.mint(t, p, in, scopeWrite)
	assert.Equal(t, []string{scopeRead, scopeWrite}, both.Scopes)

	n := as[noteView](t, a.withKey(t, both.Key, "POST", "/v1/notes", `{"title":"By a key"}`), 201)
	assert.Equal(t, "API key nightly export", n.Author)
	list := as[notesView](t, a.withKey(t, reader.Key, "GET", "/v1/notes", ""), 200)
	assert.Equal(t, []string{"By a key"}, titles(list.Notes))
	assert.Equal(t, n, as[noteView](t, a.withKey(t, reader.Key, "GET", "/t/"+string(in.Slug)+"/v1/notes/"+n.ID, ""), 200))
	as[noteView](t, a.withKey(t, writer.Key, "PATCH", "/v1/notes/"+n.ID, `{"title":"Changed"}`), 200)
	for _, refused := range []response{
		a.withKey(t, writer.Key, "GET", "/v1/notes", ""), a.withKey(t, writer.Key, "GET", "/v1/notes/"+n.ID, ""),
		a.withKey(t, reader.Key, "POST", "/v1/notes", `{"title":"No"}`), a.withKey(t, reader.Key, "PATCH", "/v1/notes/"+n.ID, `{"title":"No"}`),
		a.withKey(t, reader.Key, "DELETE", "/v1/notes/"+n.ID, ""),
	} {
		requireProblem(t, refused, 403, tenant.CodeForbidden)
	}
	assert.Equal(t, 204, a.withKey(t, writer.Key, "DELETE", "/v1/notes/"+n.ID, "").status)
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/v1/notes", token: reader.Key}).status, "Authorization: Bearer")
}

func TestAKeyIsOfItsTenantAlone(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in, other := a.newTenant(t, p), a.newTenant(t, p)
	note := a.write(t, other, p, "another tenant's")
	key := a.mint(t, p, in, scopeRead, scopeWrite)
	requireProblem(t, a.withKey(t, key.Key, "GET", "/v1/notes/"+note.ID, ""), 404, "note_not_found")
	for _, w := range ways(t)[:4] {
		got := a.do(t, w.say(a, request{method: "GET", path: "/v1/notes", token: key.Key}, in))
		assert.Equal(t, 200, got.status, w.name)
		got = a.do(t, w.say(a, request{method: "GET", path: "/v1/notes", token: key.Key}, other))
		requireProblem(t, got, 403, tenant.CodeTenantMismatch)
	}
	list := as[keysView](t, a.inKeys(t, p, other, "GET", "", nil), 200)
	assert.Empty(t, list.Keys)
	requireProblem(t, a.inKeys(t, p, other, "DELETE", "/"+key.ID, nil), 404, tenant.CodeNotFound)
	requireProblem(t, a.inKeys(t, p, other, "POST", "/"+key.ID+"/rotate", map[string]string{"overlap": "0s"}), 404, tenant.CodeNotFound)
	assert.Equal(t, 200, a.withKey(t, key.Key, "GET", "/v1/notes", "").status)
}

func TestAKeyIsForNoRouteThatNamesNoScope(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	key := a.mint(t, p, in, scopeRead, scopeWrite)
	d := document(t)
	for _, route := range documentedRoutes(t) {
		method, path, _ := strings.Cut(route, " ")
		op, _ := d.at(d["paths"], path, strings.ToLower(method))
		security := fmt.Sprint(op["security"])
		if !strings.Contains(security, "accessToken") || strings.Contains(security, "apiKey") {
			continue
		}
		path = strings.NewReplacer("{slug}", string(in.Slug), "{id}", tenant.NewID().String(), "{user_id}", tenant.NewID().String()).Replace(path)
		requireProblem(t, a.withKey(t, key.Key, method, path, ""), 403, tenant.CodeForbidden)
	}
}

func TestAKeyAndAnythingElseAreTwoCredentials(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	key := a.mint(t, p, a.newTenant(t, p), scopeRead).Key
	for _, header := range [][]string{
		{"X-API-Key", key, "X-API-Key", key}, {"X-API-Key", key, "Authorization", "Bearer " + key},
		{"X-API-Key", key, "Authorization", "Bearer " + p.token}, {"Authorization", "Bearer " + key, "Authorization", "Bearer " + p.token},
	} {
		requireProblem(t, a.do(t, request{method: "GET", path: "/v1/notes", header: headers(header...)}), 400, tenant.CodeCredentialConflict)
	}
}

func TestARotatedKeyWorksForTheOverlap(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	key := a.mint(t, p, in, scopeRead)
	next := as[newKeyView](t, a.inKeys(t, p, in, "POST", "/"+key.ID+"/rotate", map[string]string{"overlap": "10m"}), 201)
	assert.NotEqual(t, key.Key, next.Key)
	assert.Equal(t, key.Scopes, next.Scopes)
	for _, text := range []string{key.Key, next.Key} {
		assert.Equal(t, 200, a.withKey(t, text, "GET", "/v1/notes", "").status)
	}
	last := as[newKeyView](t, a.inKeys(t, p, in, "POST", "/"+next.ID+"/rotate", map[string]string{"overlap": "0s"}), 201)
	requireProblem(t, a.withKey(t, next.Key, "GET", "/v1/notes", ""), 401, tenant.CodeUnauthenticated)
	assert.Equal(t, 200, a.withKey(t, last.Key, "GET", "/v1/notes", "").status)
	requireProblem(t, a.inKeys(t, p, in, "POST", "/"+next.ID+"/rotate", map[string]string{"overlap": "0s"}), 404, tenant.CodeNotFound)
	for _, overlap := range []any{map[string]string{}, map[string]string{"overlap": "1"}, map[string]string{"overlap": "-1s"}, map[string]string{"overlap": "720h1ns"}, map[string]int{"overlap": 600}} {
		d := requireProblem(t, a.inKeys(t, p, in, "POST", "/"+last.ID+"/rotate", overlap), 422, tenant.CodeValidationFailed)
		require.Len(t, d.Errors, 1)
		assert.Equal(t, "overlap", d.Errors[0].Field)
	}
	as[newKeyView](t, a.inKeys(t, p, in, "POST", "/"+last.ID+"/rotate", map[string]string{"overlap": "720h"}), 201)
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	key := a.mint(t, p, in, scopeRead)
	assert.Equal(t, 200, a.withKey(t, key.Key, "GET", "/v1/notes", "").status)
	require.Eventually(t, func() bool {
		return as[keysView](t, a.inKeys(t, p, in, "GET", "", nil), 200).Keys[0].LastUsedAt != nil
	}, 60*time.Second, 100*time.Millisecond, "the use is written down")
	for range 2 {
		assert.Equal(t, 204, a.inKeys(t, p, in, "DELETE", "/"+key.ID, nil).status)
		got := a.withKey(t, key.Key, "GET", "/v1/notes", "")
		requireProblem(t, got, 401, tenant.CodeUnauthenticated)
		assert.Contains(t, got.header.Get("WWW-Authenticate"), "invalid_token")
	}
	list := as[keysView](t, a.inKeys(t, p, in, "GET", "", nil), 200)
	require.Len(t, list.Keys, 1)
	assert.NotNil(t, list.Keys[0].RevokedAt)
	assert.Nil(t, list.Keys[0].ExpiresAt)
	assert.NotContains(t, jsonOf(t, list), key.Key[30:])
}

func TestKeysAreForAdminsAndAbove(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, admin, member := a.newPerson(t), a.newPerson(t), a.newPerson(t)
	in := a.newTenant(t, owner)
	a.join(t, in, admin, invite.RoleAdmin)
	a.join(t, in, member, invite.RoleMember)
	key := a.mint(t, admin, in, scopeRead)
	for _, r := range []response{
		a.inKeys(t, member, in, "POST", "", map[string]any{"name": "n", "scopes": []string{scopeRead}}),
		a.inKeys(t, member, in, "GET", "", nil),
		a.inKeys(t, member, in, "POST", "/"+key.ID+"/rotate", map[string]string{"overlap": "0s"}),
		a.inKeys(t, member, in, "DELETE", "/"+key.ID, nil),
	} {
		requireProblem(t, r, 403, tenant.CodeForbidden)
	}
	assert.Equal(t, 200, a.withKey(t, key.Key, "GET", "/v1/notes", "").status)
}

func TestAKeyThatCantBeIsToldWhy(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	for field, bodies := range map[string][]string{
		"name":          {`{"scopes":["notes:read"]}`, `{"name":"","scopes":["notes:read"]}`, `{"name":1,"scopes":["notes:read"]}`, `{"name":null,"scopes":["notes:read"]}`},
		"scopes":        {`{"name":"n"}`, `{"name":"n","scopes":[]}`, `{"name":"n","scopes":["notes:admin"]}`, `{"name":"n","scopes":"notes:read"}`, `{"name":"n","scopes":[null]}`},
		"expires_at":    {`{"name":"n","scopes":["notes:read"],"expires_at":"2001-01-01T00:00:00Z"}`, `{"name":"n","scopes":["notes:read"],"expires_at":"tomorrow"}`, `{"name":"n","scopes":["notes:read"],"expires_at":1}`},
		"allowed_cidrs": {`{"name":"n","scopes":["notes:read"],"allowed_cidrs":["300.0.0.0/8"]}`, `{"name":"n","scopes":["notes:read"],"allowed_cidrs":["10.0.0.1/8"]}`, `{"name":"n","scopes":["notes:read"],"allowed_cidrs":"10.0.0.0/8"}`},
	} {
		for _, body := range bodies {
			got := a.do(t, request{method: "POST", path: "/v1/api-keys", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug)), body: body})
			d := requireProblem(t, got, 422, tenant.CodeValidationFailed)
			require.Len(t, d.Errors, 1, body)
			assert.Equal(t, field, d.Errors[0].Field, body)
		}
	}
	assert.Empty(t, as[keysView](t, a.inKeys(t, p, in, "GET", "", nil), 200).Keys)
}

func TestAKeyIsGoodFromItsNetworksAndUntilItsEnd(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	mint := func(more map[string]any) newKeyView {
		body := map[string]any{"name": "n", "scopes": []string{scopeRead}}
		maps.Copy(body, more)
		return as[newKeyView](t, a.inKeys(t, p, in, "POST", "", body), 201)
	}
	home := mint(map[string]any{"allowed_cidrs": []string{"::ffff:127.0.0.0/104", "2001:db8::/32"}})
	assert.Equal(t, []string{"127.0.0.0/8", "2001:db8::/32"}, home.AllowedCIDRs)
	assert.Equal(t, 200, a.withKey(t, home.Key, "GET", "/v1/notes", "").status)
	elsewhere := mint(map[string]any{"allowed_cidrs": []string{"192.0.2.7"}})
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/notes", header: headers("X-API-Key", elsewhere.Key, "X-Forwarded-For", "192.0.2.7")}), 403, tenant.CodeForbidden)

	expires := time.Now().Add(5 * time.Second).UTC()
	short := mint(map[string]any{"expires_at": expires.Format(time.RFC3339Nano)})
	require.NotNil(t, short.ExpiresAt)
	assert.WithinDuration(t, expires, *short.ExpiresAt, time.Millisecond)
	if got := a.withKey(t, short.Key, "GET", "/v1/notes", "").status; time.Now().Before(expires) {
		assert.Equal(t, 200, got)
	}
	time.Sleep(time.Until(expires))
	requireProblem(t, a.withKey(t, short.Key, "GET", "/v1/notes", ""), 401, tenant.CodeUnauthenticated)
}

func TestTheKeysOfATenantFollowItsStatusAtOnce(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	key := a.mint(t, p, in, scopeRead).Key
	for range 2 {
		assert.Equal(t, 200, a.withKey(t, key, "GET", "/v1/notes", "").status)
		assert.Equal(t, 204, a.do(t, request{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/suspend", token: "operator-of-the-tests"}).status)
		requireProblem(t, a.withKey(t, key, "GET", "/v1/notes", ""), 403, tenant.CodeTenantSuspended)
		assert.Equal(t, 204, a.do(t, request{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/resume", token: "operator-of-the-tests"}).status)
	}
	assert.Equal(t, 202, a.do(t, request{method: "DELETE", path: "/v1/tenants/" + string(in.Slug), token: p.token}).status)
	requireProblem(t, a.withKey(t, key, "GET", "/v1/notes", ""), 410, tenant.CodeTenantGone)
}

// Row 34. Two processes on one database: what one revokes, the other refuses within 2 s.
func TestRow34_AnotherProcessRefusesARevokedKeyWithinTheBound(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	first, _ := startOn(t, pg, testLog(), config{demo: true})
	second, _ := startOn(t, pg, testLog(), config{demo: true})
	ada, acme := first.signIn(t, "ada@acme.example"), tenantView{Slug: "acme-corp"}
	key := first.mint(t, ada, acme, scopeRead)
	for _, a := range []api{first, second} {
		assert.Equal(t, 200, a.withKey(t, key.Key, "GET", "/v1/notes", "").status)
	}
	assert.Equal(t, 204, first.inKeys(t, ada, acme, "DELETE", "/"+key.ID, nil).status)
	ask := request{method: "GET", path: "/v1/notes", header: headers("X-API-Key", key.Key)}
	refused, served := second.untilStatus(t, ask, 401)
	assert.Less(t, served, apikey.MaxTTL)
	requireProblem(t, refused, 401, tenant.CodeUnauthenticated)
	requireProblem(t, first.do(t, ask), 401, tenant.CodeUnauthenticated)
}

// The document's description of a key holds what the list shows, to the field.
func TestTheListOfKeysHasTheFieldsOfTheContract(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	p := a.newPerson(t)
	in := a.newTenant(t, p)
	a.mint(t, p, in, scopeRead)
	var list map[string][]map[string]any
	require.NoError(t, json.NewDecoder(bytes.NewReader(a.inKeys(t, p, in, "GET", "", nil).body)).Decode(&list))
	require.Len(t, list["api_keys"], 1)
	var names []string
	for name := range list["api_keys"][0] {
		names = append(names, name)
	}
	assert.ElementsMatch(t, []string{"id", "name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"}, names)
}
