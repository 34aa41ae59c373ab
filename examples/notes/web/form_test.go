package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestRefusedFormIsShownAgainWithWhatWasTypedAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	wrong := func(field string) *tenant.Error {
		return &tenant.Error{Code: tenant.CodeValidationFailed, Fields: []tenant.FieldError{{Field: field, Message: "is <wrong>"}}}
	}
	const typed = `<typed> "text"`
	const kept = `&lt;typed&gt; &#34;text&#34;`
	for _, c := range []struct{ path, call, field string }{
		{"/web/login", "POST /v1/login", "email"},
		{"/web/notes", "POST /v1/notes", "title"},
		{"/web/notes", "POST /v1/notes", "body"},
		{"/web/notes/n", "PATCH /v1/notes/n", "title"},
		{"/web/notes/n", "PATCH /v1/notes/n", "body"},
		{"/web/invites", "POST /v1/invites", "email"},
		{"/web/keys", "POST /v1/api-keys", "name"},
		{"/web/tenants", "POST /v1/tenants", "name"},
		{"/web/tenants", "POST /v1/tenants", "slug"},
	} {
		api := &fakeAPI{}
		v := visit(t, api)
		v.signIn()
		api.refuse(c.call, wrong(c.field))
		status, _, body := v.do(http.MethodPost, c.path, url.Values{c.field: {typed}})
		assert.Equal(t, 422, status, c)
		assert.Contains(t, body, kept, c)
		assert.Contains(t, body, `aria-invalid="true" aria-describedby="wrong-`+c.field+`" autofocus`, c)
		assert.Contains(t, body, `id="wrong-`+c.field+`">Is &lt;wrong&gt;.`, c)
		assert.Contains(t, body, "<title>Refused: ", c)
		assert.NotContains(t, body, "<typed>", c)
		assert.NotContains(t, body, `role="alert"`, "it is told once: %v", c)
	}
}

// refuse has a call refused from now on.
func (f *fakeAPI) refuse(call string, err *tenant.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.fail = make(map[string]*tenant.Error)
	}
	f.fail[call] = err
}

func TestWhatIsWrongWithNoFieldIsToldAboveTheForm(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{fail: map[string]*tenant.Error{"POST /v1/invites": {Code: tenant.CodeSeatLimitReached}}}
	v := visit(t, api)
	v.signIn()
	status, _, body := v.do(http.MethodPost, "/web/invites", url.Values{"email": {"eve@elsewhere.example"}, "role": {"viewer"}})
	assert.Equal(t, 409, status)
	assert.Contains(t, body, `role="alert" tabindex="-1" autofocus`)
	assert.Contains(t, body, "The tenant&#39;s plan has no seat left.")
	assert.Contains(t, body, `value="eve@elsewhere.example"`)
	assert.Contains(t, body, "<option selected>viewer</option>")
	assert.NotContains(t, body, "aria-invalid")
}

func TestFormThatCantBeShownAgainIsToldWithItsRefusal(t *testing.T) {
	t.Parallel()
	over := &tenant.Error{Code: tenant.CodeQuotaExceeded, RetryAfter: 7_000_000_000}
	api := &fakeAPI{fail: map[string]*tenant.Error{"POST /v1/notes": over, "GET /v1/notes": over}}
	v := visit(t, api)
	v.signInRefused()
	status, h, body := v.do(http.MethodPost, "/web/notes", url.Values{"title": {"<kept>"}, "body": {"word for word"}})
	assert.Equal(t, 429, status)
	assert.Equal(t, "7", h.Get("Retry-After"))
	assert.Contains(t, body, "Try again in 7 s.")
	assert.Contains(t, body, "\n&lt;kept&gt;</textarea>")
	assert.Contains(t, body, "\nword for word</textarea>")
	assert.Contains(t, body, "Send it again")
	assert.Contains(t, body, `action="/web/notes"`)
}

// signInRefused signs in where the first page that follows is refused.
func (v visitor) signInRefused() {
	v.t.Helper()
	_, _, body := v.do(http.MethodPost, "/web/login", url.Values{"email": {"ada@acme.example"}})
	require.Contains(v.t, body, "Sign out")
}

func TestNoteThatWasOvertakenIsShownBesideWhatWasTyped(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{
		fail:  map[string]*tenant.Error{"PATCH /v1/notes/n": {Code: tenant.CodePreconditionFailed}},
		gives: map[string]any{"GET /v1/notes/n": map[string]any{"id": "n", "title": "theirs", "body": "their text"}},
	}
	v := visit(t, api)
	v.signIn()
	status, _, body := v.do(http.MethodPost, "/web/notes/n", url.Values{"title": {"mine"}, "body": {"my text"}, "etag": {`"1"`}})
	assert.Equal(t, 412, status)
	assert.Contains(t, body, `value="mine"`)
	assert.Contains(t, body, "\nmy text</textarea>")
	assert.Contains(t, body, "their text</pre>")
	assert.Contains(t, body, "Save mine over it")
}

func TestTextIsStoredAsItWasTyped(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{gives: map[string]any{"GET /v1/notes/n": map[string]any{"id": "n", "title": "t", "body": "\nfirst"}}}
	v := visit(t, api)
	v.signIn()
	_, _, _ = v.do(http.MethodPost, "/web/notes", url.Values{"title": {"t"}, "body": {"a\r\nb\rc\nd"}})
	assert.JSONEq(t, `{"title":"t","body":"a\nb\nc\nd"}`, api.body("POST /v1/notes"))
	_, _, body := v.do(http.MethodGet, "/web/notes/n", nil)
	assert.Contains(t, body, ">\n\nfirst</textarea>", "a parser drops the first newline")
}

func TestFormThatIsTooLongIsRefusedAsAPage(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{}
	v := visit(t, api)
	v.signIn()
	status, h, body := v.do(http.MethodPost, "/web/notes", url.Values{"title": {"t"}, "body": {strings.Repeat("x", 300<<10)}})
	assert.Equal(t, 413, status)
	assert.Contains(t, h.Get("Content-Type"), "text/html")
	assert.Contains(t, body, "The form is too long.")
	assert.Zero(t, api.called("POST /v1/notes"))
}

func TestNobodyIsOfferedARoleAboveTheirOwn(t *testing.T) {
	t.Parallel()
	acme := map[string]string{"id": "1", "slug": "acme", "name": "Acme"}
	for role, want := range map[string]string{"admin": "<option>viewer</option><option selected>member</option><option>admin</option></select>", "member": ""} {
		api := &fakeAPI{gives: map[string]any{"GET /v1/me": map[string]any{
			"user": map[string]string{"id": "u", "email": "ada@acme.example"}, "memberships": []any{map[string]any{"tenant": acme, "role": role}},
		}}}
		v := visit(t, api)
		v.signIn()
		_, _, body := v.do(http.MethodGet, "/web/people", nil)
		assert.Contains(t, body, want)
		assert.Equal(t, role == "admin", strings.Contains(body, "Invitations"), role)
	}
}

func TestListsAreShownInParts(t *testing.T) {
	t.Parallel()
	var members, invites, keys []any
	for i := range 45 {
		members = append(members, map[string]any{"user": map[string]string{"id": fmt.Sprint(i), "email": fmt.Sprintf("member%02d@x.example", i)}, "role": "member"})
		invites = append(invites, map[string]any{"id": fmt.Sprint(i), "email": fmt.Sprintf("guest%02d@x.example", i), "status": "pending"})
		keys = append(keys, map[string]any{"id": fmt.Sprint(i), "name": fmt.Sprintf("key%02d", i)})
	}
	next := "a+cursor"
	api := &fakeAPI{gives: map[string]any{
		"GET /v1/members":  map[string]any{"members": members},
		"GET /v1/invites":  map[string]any{"invites": invites},
		"GET /v1/api-keys": map[string]any{"api_keys": keys},
		"GET /v1/notes":    map[string]any{"notes": []any{map[string]any{"id": "n", "title": "needle"}}, "next_cursor": next},
	}}
	v := visit(t, api)
	v.signIn()
	_, _, body := v.do(http.MethodGet, "/web/people", nil)
	assert.Contains(t, body, "member19@")
	assert.NotContains(t, body, "member20@")
	assert.Contains(t, body, `href="/web/people?members=2#members"`)
	assert.Contains(t, body, `href="/web/people?invitations=2#invitations"`)
	_, _, body = v.do(http.MethodGet, "/web/people?members=3&invitations=2", nil)
	assert.Contains(t, body, "member44@")
	assert.NotContains(t, body, "member39@")
	assert.Contains(t, body, "guest20@")
	assert.Contains(t, body, `href="/web/people?invitations=2&amp;members=2#members"`)
	assert.Contains(t, body, `href="/web/people?invitations=3&amp;members=3#invitations"`)
	for _, odd := range []string{"0", "-1", "99", "x", "99999999999999999999"} {
		status, _, _ := v.do(http.MethodGet, "/web/people?members="+odd, nil)
		assert.Equal(t, 200, status, odd)
	}
	_, _, body = v.do(http.MethodGet, "/web/keys?keys=2", nil)
	assert.Contains(t, body, "key20")
	assert.NotContains(t, body, "key40")

	_, _, body = v.do(http.MethodGet, "/web/notes?q=needle", nil)
	assert.Contains(t, body, `href="/web/notes?cursor=a%2Bcursor&amp;q=needle"`)
	assert.NotContains(t, body, "← Newest")
	_, _, body = v.do(http.MethodGet, "/web/notes?cursor=c", nil)
	assert.Contains(t, body, `<a href="/web/notes" rel="prev">← Newest</a>`)
}

func TestListShowsTheBeginningOfALongNote(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{gives: map[string]any{"GET /v1/notes": map[string]any{"notes": []any{map[string]any{"id": "n", "title": "t", "body": strings.Repeat("é", 10_000)}}}}}
	v := visit(t, api)
	v.signIn()
	_, _, body := v.do(http.MethodGet, "/web/notes", nil)
	assert.Contains(t, body, strings.Repeat("é", 280)+"…</p>")
	assert.NotContains(t, body, strings.Repeat("é", 281))
}
