package web_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/examples/notes/web"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestWhateverGoesWrongIsAPageLikeTheOthers(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	api := &fakeAPI{gives: map[string]any{"GET /v1/members": func() { panic("a secret of the program") }}}
	v := visit(t, api, func(cfg *web.Config) { cfg.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	v.signIn()
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/web/nowhere", 404, "There is nothing at this address."},
		{"GET", "/web/invites", 405, "The address does not take this method."},
		{"DELETE", "/web/notes", 405, "The address does not take this method."},
		{"GET", "/web/people", 500, "That is our fault."},
	} {
		status, h, body := v.do(c.method, c.path, nil)
		assert.Equal(t, c.status, status, c)
		assert.Equal(t, "text/html; charset=utf-8", h.Get("Content-Type"), c)
		assert.Contains(t, body, c.text, c)
		assert.Contains(t, body, "Sign out", "%v: whoever is signed in goes on from there", c)
		assert.NotContains(t, body, "a secret", c)
		assert.Equal(t, c.status == 405, h.Get("Allow") != "", c)
	}
	assert.Contains(t, log.String(), "a secret of the program")
}

func TestNobodyIsSignedOutBecauseTheServiceHasNoAnswer(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{}
	v := visit(t, api)
	v.signIn()
	api.refuse("GET /v1/me", &tenant.Error{Code: tenant.CodeUnavailable, RetryAfter: time.Second})
	for _, path := range []string{"/", "/web/notes", "/web/nowhere"} {
		status, _, body := v.do(http.MethodGet, path, nil)
		assert.NotEqual(t, 200, status, path)
		assert.NotContains(t, body, "Sign in as", path)
	}
	api.refuse("GET /v1/me", nil)
	_, _, body := v.do(http.MethodGet, "/web/notes", nil)
	assert.Contains(t, body, "Sign out")

	api.refuse("GET /v1/me", &tenant.Error{Code: tenant.CodeUnauthenticated})
	_, _, body = v.do(http.MethodGet, "/web/notes", nil)
	assert.Contains(t, body, "Sign in as", "who is known no more is")
}

func TestSignInsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{}
	v := visit(t, api)
	for range 60 {
		v.signIn()
	}
	status, h, body := v.do(http.MethodPost, "/web/login", url.Values{"email": {"ada@acme.example"}})
	for range 60 { // one or more may have been given back, where the machine is slow
		if status == 429 {
			break
		}
		status, h, body = v.do(http.MethodPost, "/web/login", url.Values{"email": {"ada@acme.example"}})
	}
	assert.Equal(t, 429, status)
	assert.Equal(t, "2", h.Get("Retry-After"))
	assert.Contains(t, body, "This address has signed in too often; wait a moment.")
	assert.Contains(t, body, `value="ada@acme.example"`)
}

func TestSessionEndsAfterEightHoursWhateverIsDoneInIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := web.New(web.Config{API: &fakeAPI{}, Host: "localhost", Key: key})
		require.NoError(t, err)
		var cookie *http.Cookie
		ask := func(method, path, form string) string {
			r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if cookie != nil {
				r.AddCookie(cookie)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				cookie = c
			}
			return w.Body.String()
		}
		ask("POST", "/web/login", "email=ada@acme.example")
		for range 47 { // each time with another token
			time.Sleep(10 * time.Minute)
			require.Contains(t, ask("GET", "/web/notes", ""), "Sign out")
		}
		time.Sleep(11 * time.Minute)
		assert.NotContains(t, ask("GET", "/", ""), "Sign out")
	})
}

func TestSignInTakesNothingOfTheSessionBefore(t *testing.T) {
	t.Parallel()
	acme, beta := map[string]string{"id": "1", "slug": "acme", "name": "Acme"}, map[string]string{"id": "2", "slug": "beta", "name": "Beta"}
	api := &fakeAPI{gives: map[string]any{
		"GET /v1/me": map[string]any{
			"user":        map[string]string{"id": "u", "email": "ada@acme.example"},
			"memberships": []any{map[string]any{"tenant": acme, "role": "owner"}, map[string]any{"tenant": beta, "role": "owner"}},
		},
		"POST /v1/exports": map[string]any{"id": "e", "status": "running"},
		"GET /v1/quota":    map[string]any{},
		"GET /v1/exports/e": map[string]any{
			"id": "e", "status": "done", "notes": 1, "result": `[{"title":"<b>"}]`,
		},
	}}
	v := visit(t, api)
	v.signIn()
	_, _, _ = v.do(http.MethodPost, "/web/tenant", url.Values{"tenant": {"beta"}})
	_, _, body := v.do(http.MethodPost, "/web/exports", url.Values{})
	assert.Contains(t, body, "The export is done")
	assert.Contains(t, body, "&lt;b&gt;")
	_, _, body = v.do(http.MethodGet, "/web/usage", nil)
	assert.Contains(t, body, `href="/web/exports/e"`)
	before := v.jar.Cookies(mustParse(t, v.url))[0].Value

	v.signIn()
	assert.NotEqual(t, before, v.jar.Cookies(mustParse(t, v.url))[0].Value)
	_, _, body = v.do(http.MethodGet, "/web/usage", nil)
	assert.Contains(t, body, `<option value="acme" selected>`)
	assert.NotContains(t, body, `href="/web/exports/e"`)
	status, _, _ := v.do(http.MethodGet, "/web/logout", nil)
	assert.Equal(t, 405, status, "a link signs nobody out")
}

func TestExportIsDownloadedAsAFileThatIsKeptNowhere(t *testing.T) {
	t.Parallel()
	const result = `[{"title":"<b>"}]`
	api := &fakeAPI{gives: map[string]any{
		"GET /v1/exports/e": map[string]any{"id": "e", "status": "done", "notes": 1, "result": result},
		"GET /v1/exports/r": map[string]any{"id": "r", "status": "running"},
	}}
	v := visit(t, api)
	v.signIn()
	status, h, body := v.do(http.MethodGet, "/web/exports/e/download", nil)
	assert.Equal(t, 200, status)
	assert.Equal(t, result, body) //nolint:testifylint // to the letter
	assert.Equal(t, `attachment; filename="notes-of-acme.json"`, h.Get("Content-Disposition"))
	assert.Equal(t, "application/json", h.Get("Content-Type"))
	assert.Equal(t, "no-store", h.Get("Cache-Control"))
	status, _, body = v.do(http.MethodGet, "/web/exports/r/download", nil)
	assert.Equal(t, 404, status)
	assert.Contains(t, body, "The export has no result yet.")
}

func TestWhoeverSwitchesStaysInTheSection(t *testing.T) {
	t.Parallel()
	v := visit(t, &fakeAPI{})
	v.signIn()
	v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for tab, want := range map[string]string{"people": "/web/people", "keys": "/web/keys", "": "/web/notes", "//evil.example": "/web/notes", "../x": "/web/notes"} {
		status, h, _ := v.do(http.MethodPost, "/web/tenant", url.Values{"tenant": {"acme"}, "tab": {tab}})
		assert.Equal(t, http.StatusSeeOther, status)
		assert.Equal(t, want, h.Get("Location"), tab)
	}
}
