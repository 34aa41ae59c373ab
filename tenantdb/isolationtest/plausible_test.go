package isolationtest_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// things is a service of things with ids of a form: it refuses others for that, as 400. Deleting
// is answered 204, whether or not there was such a thing; a leaky one deletes any.
func things(form string, make func() string, leaky bool) http.Handler {
	owners, valid := map[string]string{}, regexp.MustCompile(form)
	return service(func(me string, w http.ResponseWriter, r *http.Request) {
		id, inThing := strings.CutPrefix(r.URL.Path, "/things/")
		switch {
		case r.Method == http.MethodPost:
			id := make()
			owners[id] = me
			respond(w, http.StatusCreated, map[string]string{"id": id})
		case inThing && !valid.MatchString(id):
			refuse(w, http.StatusBadRequest, "this is no id")
		case r.Method == http.MethodDelete:
			if owners[id] == me || leaky {
				delete(owners, id)
			}
			w.WriteHeader(http.StatusNoContent)
		case owners[id] == me:
			respond(w, http.StatusOK, map[string]string{"id": id})
		default:
			refuse(w, http.StatusNotFound, "no such thing")
		}
	})
}

func ofThings(t *testing.T, handler http.Handler) *isolationtest.Report {
	t.Helper()
	named := func(name string) isolationtest.Tenant {
		return isolationtest.Tenant{Credential: bearer(name), Called: []string{name}}
	}
	report, err := isolationtest.Check(t.Context(), isolationtest.Config{
		Handler: handler, A: named("alpha"), B: named("omega"),
		Routes: []isolationtest.Route{{Method: "POST", Path: "/things"}, {Method: "GET", Path: "/things/{id}"}, {Method: "DELETE", Path: "/things/{id}"}},
	})
	assert.NoError(t, err)
	return report
}

func TestIDsThatNeverWereHaveTheFormOfTheService(t *testing.T) {
	t.Parallel()
	random := func(alphabet string, n int) string {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		for i := range b {
			b[i] = alphabet[int(b[i])%len(alphabet)]
		}
		return string(b)
	}
	const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for form, id := range map[string]func() string{
		`^[0-9a-f]{24}$`:                        func() string { return random("0123456789abcdef", 24) },
		`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`:         func() string { return "01K" + random(crockford, 23) },
		`^thing_[0-7][0-9a-hjkmnp-tv-z]{25}$`:   func() string { return "thing_01k" + strings.ToLower(random(crockford, 23)) },
		`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-\w{12}$`: func() string { return fmt.Sprintf("0190a1b2-c3d4-7e5f-8a9b-%s", random("0123456789abcdef", 12)) },
	} {
		report := ofThings(t, things(form, id, false))
		assert.True(t, report.Clean(), "%s: %s", form, report)
	}
}

// A service that answers 204 whatever it is asked to delete is clean, as long as it deletes nothing.
func TestDeletingThatIsAnsweredAlikeIsNoConfusion(t *testing.T) {
	t.Parallel()
	report := ofThings(t, things(`.`, rand.Text, false))
	assert.True(t, report.Clean(), "%s", report)
	report = ofThings(t, things(`.`, rand.Text, true))
	assert.Contains(t, report.String(), "\nwrite: DELETE /things/{id}: B's requests")
}

// Who is signed out is refused everywhere, which proves nothing.
func TestARouteThatShutsBOutIsTold(t *testing.T) {
	t.Parallel()
	out, secrets := map[string]bool{}, map[string]string{"name-of-alpha": "a", "name-of-omega": "o"}
	report := check(t, service(func(me string, w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/things/")
		switch {
		case out[me]:
			refuse(w, http.StatusUnauthorized, "sign in")
		case r.URL.Path == "/logout":
			out[me] = me == "omega"
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodDelete: // whosever it is
			delete(secrets, name)
			w.WriteHeader(http.StatusNoContent)
		default:
			respond(w, http.StatusOK, map[string]string{"me": me})
		}
	}),
		isolationtest.Route{Method: "GET", Path: "/me"},
		isolationtest.Route{Method: "POST", Path: "/logout", Query: map[string]string{"name": "{name}"}},
		isolationtest.Route{Method: "DELETE", Path: "/things/{name}"})
	assert.False(t, report.Clean())
	text := report.String()
	assert.Contains(t, text, "\nnot proved: DELETE /things/{name}: after POST /logout, B's own request GET /me was answered 401")
	assert.False(t, slices.Contains(report.Walked, "DELETE /things/{name}"), "it was not walked")
}
