package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/examples/notes/web"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// fakeAPI answers as the service would, of what these tests need. That the page works with
// the service itself is tested in a browser.
type fakeAPI struct {
	mu    sync.Mutex
	calls []string
	sent  map[string]string        // the last body, by method and path
	fail  map[string]*tenant.Error // by method and path
	gives map[string]any           // by method and path, in place of what follows; a func() is called
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.calls = append(f.calls, call)
	if f.sent == nil {
		f.sent = make(map[string]string)
	}
	f.sent[call] = string(body)
	err, given := f.fail[call], f.gives[call]
	f.mu.Unlock()
	if act, is := given.(func()); is {
		act()
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if call != "POST /v1/login" && r.Header.Get("Authorization") != "Bearer a-token" {
		problem.Write(w, r, &tenant.Error{Code: tenant.CodeUnauthenticated})
		return
	}
	acme := map[string]string{"id": "1", "slug": "acme", "name": "<Acme>"}
	answers := map[string]any{
		"POST /v1/login": map[string]any{"token": "a-token", "expires_at": time.Now().Add(10 * time.Minute), "user": map[string]string{"id": "u", "email": "ada@acme.example"}},
		"GET /v1/me":     map[string]any{"user": map[string]string{"id": "u", "email": "ada@acme.example"}, "memberships": []any{map[string]any{"tenant": acme, "role": "owner"}}},
		"GET /v1/notes":  map[string]any{"notes": []any{map[string]any{"id": "n", "title": `<script>alert(1)</script>`, "body": `"><img src=x>`}}, "next_cursor": nil},
	}
	if given != nil {
		answers[call] = given
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answers[call])
}

// body is what was sent last.
func (f *fakeAPI) body(call string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent[call]
}

func (f *fakeAPI) called(call string) (times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == call {
			times++
		}
	}
	return times
}

// visitor is a browser without scripts.
type visitor struct {
	t    *testing.T
	url  string
	jar  http.CookieJar
	http *http.Client
}

func visit(t *testing.T, api http.Handler, change ...func(*web.Config)) visitor {
	t.Helper()
	cfg := web.Config{API: api, Host: "localhost", Key: key, Accounts: []web.Account{{Email: "ada@acme.example", Tenant: "acme"}}}
	for _, c := range change {
		c(&cfg)
	}
	h, err := web.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return visitor{t: t, url: server.URL, jar: jar, http: &http.Client{Jar: jar}}
}

func (v visitor) do(method, path string, form url.Values, header ...string) (status int, h http.Header, body string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := v.http.Do(r)
	require.NoError(v.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	return resp.StatusCode, resp.Header, string(text)
}

func (v visitor) signIn() {
	v.t.Helper()
	status, _, body := v.do(http.MethodPost, "/web/login", url.Values{"email": {"ada@acme.example"}})
	require.Equal(v.t, http.StatusOK, status)
	require.Contains(v.t, body, "Signed in as ada@acme.example.")
}

func TestWhatTenantsWroteIsEscaped(t *testing.T) {
	t.Parallel()
	v := visit(t, &fakeAPI{})
	v.signIn()
	_, _, body := v.do(http.MethodGet, "/web/notes", nil)
	assert.NotContains(t, body, "<script>alert")
	assert.NotContains(t, body, "<img")
	assert.NotContains(t, body, "<Acme>")
	assert.Contains(t, body, "&lt;script&gt;alert(1)&lt;/script&gt;")
	_, _, body = v.do(http.MethodGet, "/web/notes?q="+url.QueryEscape(`"><script>`), nil)
	assert.NotContains(t, body, `"><script>`)
}

func TestFormsOfOtherSitesAreRefusedBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{}
	v := visit(t, api)
	v.signIn()
	form := url.Values{"title": {"x"}}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		status, _, body := v.do(http.MethodPost, "/web/notes", form, header...)
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, body, "sent by another site")
		assert.NotContains(t, body, "Send it again", "it is not for the page to send what another site wants")
	}
	assert.Zero(t, api.called("POST /v1/notes"))
	status, _, _ := v.do(http.MethodPost, "/web/notes", form, "Sec-Fetch-Site", "same-origin")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, 1, api.called("POST /v1/notes"))
	status, _, _ = v.do(http.MethodGet, "/web/notes/n/delete", nil)
	assert.Equal(t, http.StatusMethodNotAllowed, status, "nothing is changed by a link")
}

func TestEveryAnswerSaysWhatABrowserMayDo(t *testing.T) {
	t.Parallel()
	v := visit(t, &fakeAPI{})
	for _, path := range []string{"/", "/web/notes", "/web/static/app.js", "/web/nowhere"} {
		_, h, _ := v.do(http.MethodGet, path, nil)
		policy := h.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", path)
		assert.Contains(t, policy, "frame-ancestors 'none'", path)
		assert.NotContains(t, policy, "unsafe", path)
		assert.Contains(t, policy, "form-action 'self'", path)
		assert.Contains(t, policy, "base-uri 'none'", path)
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
		assert.Equal(t, "same-origin", h.Get("Referrer-Policy"), path)
		assert.Equal(t, "same-origin", h.Get("Cross-Origin-Opener-Policy"), path)
	}
	v.signIn()
	for _, path := range []string{"/", "/web/notes", "/web/nowhere"} {
		_, h, _ := v.do(http.MethodGet, path, nil)
		assert.Equal(t, "no-store", h.Get("Cache-Control"), path)
	}
}

func TestStaticFilesAreServedAndNothingElseIsThere(t *testing.T) {
	t.Parallel()
	v := visit(t, &fakeAPI{})
	for name, mediaType := range map[string]string{"app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		status, h, body := v.do(http.MethodGet, "/web/static/"+name, nil)
		assert.Equal(t, http.StatusOK, status, name)
		assert.Contains(t, h.Get("Content-Type"), mediaType)
		assert.Equal(t, "public, max-age=300", h.Get("Cache-Control"))
		assert.NotEmpty(t, body)
	}
	for _, path := range []string{"/web/static/", "/web/static/nothing.js", "/web/static/app.js/", "/web/static/..%2fstatic", "/web/static/.", "/web/static/%2e"} {
		status, h, body := v.do(http.MethodGet, path, nil)
		assert.Equal(t, http.StatusNotFound, status, path)
		assert.NotContains(t, h.Get("Content-Type"), "text/plain", path)
		assert.NotContains(t, body, `href="app.js"`, path)
	}
}

func TestSessionIsSealedAndOutOfReachOfScripts(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		h, err := web.New(web.Config{API: &fakeAPI{}, Host: "localhost", Key: key, Secure: secure})
		require.NoError(t, err)
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/web/login", strings.NewReader("email=ada@acme.example"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		require.Len(t, cookies, 1)
		c := cookies[0]
		assert.True(t, c.HttpOnly)
		assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
		assert.Equal(t, secure, c.Secure)
		assert.Equal(t, secure, strings.HasPrefix(c.Name, "__Host-"))
		assert.NotContains(t, c.Value, "a-token")

		signedIn := func(value string, key []byte) bool {
			h, err := web.New(web.Config{API: &fakeAPI{}, Host: "localhost", Key: key, Secure: secure})
			require.NoError(t, err)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: c.Name, Value: value})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return strings.Contains(w.Body.String(), "Sign out")
		}
		assert.True(t, signedIn(c.Value, key))
		assert.False(t, signedIn(c.Value[:len(c.Value)-2]+"AA", key), "one that was tampered with")
		assert.False(t, signedIn("", key))
		assert.False(t, signedIn("%%%", key))
		assert.False(t, signedIn(c.Value, []byte("another key of 32 bytes, really.")), "one that was sealed with another key")
	}
}

func TestWhatTheServiceRefusesIsToldWithItsStatus(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{fail: map[string]*tenant.Error{
		"POST /v1/notes":      {Code: tenant.CodeValidationFailed, Fields: []tenant.FieldError{{Field: "title", Message: "is too long"}}},
		"DELETE /v1/notes/n":  {Code: tenant.CodeForbidden, Detail: "the role is too small"},
		"GET /v1/notes/gone":  {Code: tenant.CodeNotFound},
		"GET /v1/quota":       {Code: tenant.CodeUnavailable},
		"POST /v1/api-keys":   {Code: tenant.CodeQuotaExceeded},
		"POST /v1/exports":    {Code: tenant.CodeQuotaExceeded},
		"GET /v1/exports/e":   {Code: tenant.CodeNotFound},
		"POST /v1/invites":    {Code: tenant.CodeSeatLimitReached},
		"GET /v1/members":     {Code: tenant.CodeNotAMember},
		"POST /v1/switch":     {Code: tenant.CodeNotAMember},
		"POST /v1/tenants":    {Code: tenant.CodeSlugTaken},
		"DELETE /v1/invites/": {Code: tenant.CodeNotFound},
	}}
	v := visit(t, api)
	v.signIn()
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"POST", "/web/notes", 422, "Is too long."},
		{"POST", "/web/notes/n/delete", 403, "The role is too small."},
		{"GET", "/web/notes/gone", 404, "not_found"},
		{"GET", "/web/usage", 503, "unavailable"},
		{"GET", "/web/usage/meters", 503, "unavailable"},
		{"POST", "/web/keys", 429, "quota_exceeded"},
		{"POST", "/web/exports", 429, "quota_exceeded"},
		{"GET", "/web/exports/e", 404, "not_found"},
		{"POST", "/web/invites", 409, "seat_limit_reached"},
		{"GET", "/web/people", 403, "not_a_member"},
		{"POST", "/web/tenants", 409, "The slug belongs to a tenant"},
		{"POST", "/web/tenant", 403, "not_a_member"},
		{"GET", "/web/attack", 404, "no other tenant"},
		{"GET", "/web/nowhere", 404, "not_found"},
	} {
		var form url.Values
		if c.method == http.MethodPost {
			form = url.Values{"title": {"x"}}
		}
		status, _, body := v.do(c.method, c.path, form)
		assert.Equal(t, c.status, status, "%s %s", c.method, c.path)
		assert.Contains(t, body, c.code, "%s %s", c.method, c.path)
	}
}

func TestWhoeverIsNotSignedInIsSentToSignIn(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{}
	v := visit(t, api)
	for _, path := range []string{"/", "/web/notes", "/web/keys", "/web/attack", "/web/exports/x"} {
		status, _, body := v.do(http.MethodGet, path, nil)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "Sign in as", path)
	}
	v.signIn()
	_, _, body := v.do(http.MethodPost, "/web/logout", url.Values{})
	assert.Contains(t, body, "Sign in as")
	assert.Empty(t, v.jar.Cookies(mustParse(t, v.url)))

	none := visit(t, api, func(cfg *web.Config) { cfg.Accounts = nil })
	_, _, body = none.do(http.MethodGet, "/", nil)
	assert.Contains(t, body, "your identity provider")
	assert.NotContains(t, body, "/web/login")
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func TestNewRefusesSettingsThatCantBe(t *testing.T) {
	t.Parallel()
	_, err := web.New(web.Config{Key: key})
	require.ErrorContains(t, err, "API is nil")
	_, err = web.New(web.Config{API: &fakeAPI{}, Key: []byte("short")})
	require.ErrorContains(t, err, "must have 32")
}
