package isolationtest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// A leak is one in whatever form it leaves: text or id of A's in what B is answered.
func TestLeaksInDisguiseAreFound(t *testing.T) {
	t.Parallel()
	id := tenant.NewID()
	const text = "the <secret> of/alpha"
	escaped := func(s string) string {
		var out strings.Builder
		for _, c := range s {
			fmt.Fprintf(&out, `\u%04x`, c)
		}
		return out.String()
	}
	entities := func(s string) string {
		var out strings.Builder
		for _, c := range s {
			fmt.Fprintf(&out, "&#x%x;", c)
		}
		return out.String()
	}
	percent := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	quoted := func(s string) string {
		b, err := json.Marshal(s)
		require.NoError(t, err)
		return string(b)
	}
	for way, body := range map[string]string{
		"escapes of JSON":         `{"a":"` + escaped(text) + `"}`,
		"escaped slashes":         `{"a":"` + strings.ReplaceAll(text, "/", `\/`) + `"}`,
		"what Go escapes":         quoted(text),
		"JSON in JSON":            quoted(quoted(text)),
		"entities of HTML":        "<p>" + html.EscapeString(text) + "</p>",
		"numbers of HTML":         "<p>" + entities(text) + "</p>",
		"percent-encoding":        "/notes?after=" + percent(text),
		"percent of percent":      "/notes?after=" + percent(percent(text)),
		"base64":                  `{"cursor":"` + base64.StdEncoding.EncodeToString([]byte("page 2 after "+text)) + `"}`,
		"base64 of URLs":          `{"cursor":"` + base64.RawURLEncoding.EncodeToString([]byte(`{"after":"`+text+`"}`)) + `"}`,
		"base64 in percent":       "?cursor=" + percent(base64.StdEncoding.EncodeToString([]byte("after "+text))),
		"upper case":              strings.ToUpper(text),
		"an id in upper case":     strings.ToUpper(id.String()),
		"an id without dashes":    strings.ReplaceAll(id.String(), "-", ""),
		"an id's bytes in base64": `"` + base64.StdEncoding.EncodeToString(id[:]) + `"`,
		"an id of C#":             "{" + strings.ToUpper(id.String()) + "}",
	} {
		for _, inHeader := range []bool{false, true} {
			handler := service(func(me string, w http.ResponseWriter, r *http.Request) {
				said := "nothing"
				if me == "omega" {
					said = body
				}
				if inHeader {
					w.Header().Set("X-Note", said)
					said = ""
				}
				_, _ = fmt.Fprint(w, said)
			})
			report, err := isolationtest.Check(t.Context(), isolationtest.Config{
				Handler: handler, Routes: []isolationtest.Route{{Method: "GET", Path: "/notes"}},
				A: isolationtest.Tenant{Credential: bearer("alpha"), Marks: []string{text, id.String()}},
				B: isolationtest.Tenant{Credential: bearer("omega")},
			})
			require.NoError(t, err)
			assert.Contains(t, report.String(), "\ndata: GET /notes: B's ordinary request", "%s: %s", way, body)
		}
	}
}

// What a service keeps with a cookie is each tenant's own, also when the client that is given
// has a jar: else one tenant's session would be used by the other.
func TestEachTenantHasItsOwnCookies(t *testing.T) {
	t.Parallel()
	for _, leak := range []bool{false, true} {
		sessions := map[string]string{}
		mixed := 0
		handler := service(func(me string, w http.ResponseWriter, r *http.Request) {
			if cookie, err := r.Cookie("session"); err == nil {
				if of := sessions[cookie.Value]; of != me {
					mixed++
				}
				if latest := sessions["latest"]; leak && latest != "" {
					me = latest // whoever signed in last
				}
			} else {
				value := fmt.Sprint("session-", len(sessions))
				sessions[value] = me
				http.SetCookie(w, &http.Cookie{Name: "session", Value: value, Path: "/"})
				if me == "alpha" {
					sessions["latest"] = me
				}
			}
			respond(w, http.StatusOK, map[string]string{"text": "the secret of " + me})
		})
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		report, err := isolationtest.Check(t.Context(), isolationtest.Config{
			Handler: handler, Client: &http.Client{Jar: jar}, Routes: []isolationtest.Route{{Method: "GET", Path: "/home"}},
			A: isolationtest.Tenant{Credential: bearer("alpha"), Marks: []string{"secret of alpha"}},
			B: isolationtest.Tenant{Credential: bearer("omega"), Marks: []string{"secret of omega"}},
		})
		require.NoError(t, err)
		assert.Zero(t, mixed, "a cookie of the other tenant")
		assert.Equal(t, leak, len(report.Findings) > 0, "%s", report)
	}
}

// Several servers answer in turn, each in its own way. That tells nothing of A, and hides
// nothing either.
func TestServersThatTakeTurns(t *testing.T) {
	t.Parallel()
	for _, leak := range []bool{false, true} {
		for servers := 2; servers <= 3; servers++ {
			inner := &leaky{}
			if leak {
				inner.leak = "says whose it is"
			}
			calls := 0
			handler := service(func(_ string, w http.ResponseWriter, r *http.Request) {
				calls++
				name := []string{"red", "green", "blue"}[calls%servers]
				w.Header().Set("Server", name)
				w.Header().Set("X-Node-"+name, "here")
				inner.ServeHTTP(w, r)
			})
			cfg := config("")
			cfg.Handler = handler
			report, err := isolationtest.Check(t.Context(), cfg)
			require.NoError(t, err)
			if leak {
				assert.Contains(t, report.String(), "\nexistence: GET /v1/notes/{id}: A's id in the path: $.detail")
				assert.NotContains(t, report.String(), "header Server is")
				assert.NotContains(t, report.String(), "header X-Node")
			} else {
				assert.True(t, report.Clean(), "%s", report)
			}
		}
	}
}
