package isolationtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// bearer is a credential.
func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// of is a tenant of the leaky service.
func of(name string) isolationtest.Tenant {
	return isolationtest.Tenant{
		Credential: bearer(name),
		Names:      []isolationtest.Naming{isolationtest.ByHeader("X-Tenant-Slug", name)},
		Called:     []string{name},
	}
}

// config is a check of the leaky service.
func config(leak string) isolationtest.Config {
	return isolationtest.Config{
		Handler: &leaky{leak: leak},
		A:       of("alpha"),
		B:       of("omega"),
		Routes: []isolationtest.Route{
			{Method: "GET", Path: "/v1/notes"},
			{Method: "POST", Path: "/v1/notes", Body: `{"title":"{mark}"}`},
			{Method: "GET", Path: "/v1/notes/{id}"},
			{Method: "PATCH", Path: "/v1/notes/{id}", Body: `{"title":"other"}`},
			{Method: "DELETE", Path: "/v1/notes/{id}"},
			{Method: "POST", Path: "/v1/notes/{id}/comments", Body: `{"text":"{mark}"}`},
			{Method: "GET", Path: "/v1/notes/{id}/comments/{comment_id}"},
			{Method: "GET", Path: "/v1/search", Query: map[string]string{"note_id": "{note_id}"}},
			{Method: "POST", Path: "/v1/links", Body: `{"note_id":"{note_id}"}`},
		},
	}
}

func TestNothingIsFoundInACleanService(t *testing.T) {
	t.Parallel()
	report, err := isolationtest.Check(t.Context(), config(""))
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%s", report)
	assert.Len(t, report.Walked, 9)
	assert.Greater(t, report.Requests, 100)
	isolationtest.Run(t, config(""))
}

func TestEachPlantedLeakIsFound(t *testing.T) {
	t.Parallel()
	for leak, want := range leaks {
		t.Run(leak, func(t *testing.T) {
			t.Parallel()
			report, err := isolationtest.Check(t.Context(), config(leak))
			require.NoError(t, err)
			assert.Contains(t, report.String(), "\n"+want+": ")
			assert.False(t, report.Clean())
		})
	}
}

func TestRunFailsTheTestWithEachFinding(t *testing.T) {
	t.Parallel()
	watch := &watched{ctx: t.Context()}
	isolationtest.Run(watch, config("lists all"))
	require.NotEmpty(t, watch.errors)
	assert.Contains(t, strings.Join(watch.errors, "\n"), "data: GET /v1/notes: B's ordinary request")
	assert.Empty(t, watch.fatal)

	cfg := config("")
	cfg.Routes[1].Body = `{}`
	watch = &watched{ctx: t.Context()}
	isolationtest.Run(watch, cfg)
	assert.Contains(t, strings.Join(watch.errors, "\n"), "not proved: POST /v1/notes: B's own request was answered 422")

	watch = &watched{ctx: t.Context()}
	isolationtest.Run(watch, isolationtest.Config{})
	assert.NotEmpty(t, watch.fatal)
}

// watched is a test that fails without being one.
type watched struct {
	ctx           context.Context
	errors, fatal []string
}

func (w *watched) Helper()             {}
func (w *watched) Logf(string, ...any) {}
func (w *watched) Errorf(format string, args ...any) {
	w.errors = append(w.errors, fmt.Sprintf(format, args...))
}
func (w *watched) Fatalf(format string, args ...any) {
	w.fatal = append(w.fatal, fmt.Sprintf(format, args...))
}
func (w *watched) Context() context.Context { return w.ctx }

// A route that a tenant can't use itself proves nothing by refusing the other.
func TestWhatProvesNothingIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*isolationtest.Config)
		want   string
	}{
		"a credential that is none": {
			func(c *isolationtest.Config) { c.B.Credential = bearer("nobody") },
			"not proved: POST /v1/notes: B's own request was answered 401",
		},
		"a route that is not there": {
			func(c *isolationtest.Config) {
				c.Routes = append(c.Routes, isolationtest.Route{Method: "GET", Path: "/v1/nothing"})
			},
			"not proved: GET /v1/nothing: A's own request was answered 404",
		},
		"a route that writes and is not there": {
			func(c *isolationtest.Config) {
				c.Routes = append(c.Routes, isolationtest.Route{Method: "PUT", Path: "/v1/notes/{id}"})
			},
			"not proved: PUT /v1/notes/{id}: A's own request was answered 405",
		},
		"an id that nobody creates": {
			func(c *isolationtest.Config) {
				c.Routes = append(c.Routes, isolationtest.Route{Method: "GET", Path: "/v1/members/{user_id}"})
			},
			"not proved: GET /v1/members/{user_id}: nothing is known for user_id in the path of both tenants",
		},
		"an answer without an id": {
			func(c *isolationtest.Config) { c.Routes[5].ID = "comment.id" },
			"not proved: POST /v1/notes/{id}/comments: its answer has no field comment.id and no Location",
		},
	} {
		cfg := config("")
		test.change(&cfg)
		report, err := isolationtest.Check(t.Context(), cfg)
		require.NoError(t, err, name)
		assert.Contains(t, report.String(), "\n"+test.want, name)
		assert.Empty(t, report.Findings, "%s: %s", name, report)
		assert.False(t, report.Clean())
	}
}

func TestSkippedRoutesAreNotCalled(t *testing.T) {
	t.Parallel()
	cfg := config("lists all")
	cfg.Skip = map[string]string{"GET /v1/notes": "everybody may see all titles"}
	report, err := isolationtest.Check(t.Context(), cfg)
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%s", report)
	assert.NotContains(t, report.Walked, "GET /v1/notes")
}

func TestGivenMarksAndParamsAreLookedFor(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		me := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.URL.Path == "/motd":
			respond(w, 200, map[string]string{"text": "the secret of alpha"})
		case r.URL.Path == "/users/u-"+me, r.URL.Path == "/users/u-alpha" && r.Method == "GET":
			respond(w, 200, map[string]string{"name": "somebody"})
		default:
			refuse(w, 404, "no such user")
		}
	})
	cfg := isolationtest.Config{
		Handler: handler,
		A:       isolationtest.Tenant{Credential: bearer("alpha"), Params: map[string]string{"user_id": "u-alpha"}, Marks: []string{"secret of alpha"}},
		B:       isolationtest.Tenant{Credential: bearer("omega"), Params: map[string]string{"user_id": "u-omega"}},
		Routes:  []isolationtest.Route{{Method: "get", Path: "/motd"}, {Method: "GET", Path: "/users/{user_id}"}},
	}
	report, err := isolationtest.Check(t.Context(), cfg)
	require.NoError(t, err)
	assert.Contains(t, report.String(), `data: GET /motd: B's ordinary request: the answer has "secret of alpha" of A`)
	assert.Contains(t, report.String(), `data: GET /users/{user_id}: A's user_id in the path: status is "200", and "404" otherwise`)
}

// Tenants that are named by host and by path.
func TestEachNamingIsTried(t *testing.T) {
	t.Parallel()
	for leak, want := range map[string]string{
		"":     "",
		"host": "data: GET /notes/{id}: the host alpha.example.com of A beside B's",
		"path": "data: GET /notes/{id}: B's credential with the path /t/alpha of A",
	} {
		var both leaky
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			me := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			host, _, _ := strings.Cut(r.Host, ".example.com")
			rest, inPath := strings.CutPrefix(r.URL.Path, "/t/")
			slug, path, _ := strings.Cut(rest, "/")
			switch {
			case leak == "host" && strings.HasSuffix(r.Host, ".example.com"):
				me = host
			case leak == "path" && inPath:
				me = slug
			case strings.HasSuffix(r.Host, ".example.com") && host != me, inPath && slug != me:
				refuse(w, 403, "another tenant")
				return
			}
			if inPath {
				r.URL.Path = "/" + path
			}
			r.URL.Path = "/v1" + r.URL.Path
			r.Header.Set("Authorization", "Bearer "+me)
			both.ServeHTTP(w, r)
		})
		named := func(slug string) isolationtest.Tenant {
			return isolationtest.Tenant{Credential: bearer(slug), Names: []isolationtest.Naming{
				isolationtest.ByHost(slug + ".example.com"), isolationtest.ByPath("/t/" + slug),
			}}
		}
		report, err := isolationtest.Check(t.Context(), isolationtest.Config{
			Handler: handler, A: named("alpha"), B: named("omega"),
			Routes: []isolationtest.Route{{Method: "POST", Path: "/notes", Body: `{"title":"{mark}"}`}, {Method: "GET", Path: "/notes/{id}"}},
		})
		require.NoError(t, err)
		if want == "" {
			assert.True(t, report.Clean(), "%s", report)
			continue
		}
		assert.Contains(t, report.String(), "\n"+want)
	}
}

// The clock is that of a bubble, and moves for the service's sleep alone: however busy the
// machine, nothing else takes time.
func TestTimingIsMeasuredWhenAskedFor(t *testing.T) {
	t.Parallel()
	for _, leak := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			service := new(leaky)
			slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, isNote := strings.CutPrefix(r.URL.Path, "/v1/notes/")
				me := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				service.mu.Lock()
				others := slices.ContainsFunc(service.notes, func(n *note) bool { return n.ID == id && n.tenant != me })
				service.mu.Unlock()
				if leak && isNote && others {
					time.Sleep(time.Millisecond)
				}
				service.ServeHTTP(w, r)
			})
			cfg := config("")
			cfg.Handler, cfg.URL, cfg.Client = nil, "http://service.example", &http.Client{Transport: within{slow}}
			cfg.Routes = cfg.Routes[1:3]
			cfg.TimingSamples = 40
			report, err := isolationtest.Check(t.Context(), cfg)
			require.NoError(t, err)
			if leak {
				assert.Contains(t, report.String(), "\ntiming: GET /v1/notes/{id}: A's id in the path: it takes 1ms, and 0s for ids that never were")
			} else {
				assert.True(t, report.Clean(), "%s", report)
			}
		})
	}
}

// within calls a handler without a network, at which the clock of a bubble would stand still.
type within struct{ handler http.Handler }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func TestSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*isolationtest.Config){
		"Handler or Config.URL":                func(c *isolationtest.Config) { c.Handler = nil },
		"not both":                             func(c *isolationtest.Config) { c.URL = "http://127.0.0.1:1" },
		`URL "here"`:                           func(c *isolationtest.Config) { c.Handler, c.URL = nil, "here" },
		"need a Credential each":               func(c *isolationtest.Config) { c.B.Credential = nil },
		"TimingSamples is 29":                  func(c *isolationtest.Config) { c.TimingSamples = 29 },
		"have the same user_id":                func(c *isolationtest.Config) { c.A.Params = map[string]string{"user_id": "u"}; c.B.Params = c.A.Params },
		"there is no route":                    func(c *isolationtest.Config) { c.Routes = nil },
		"is given twice":                       func(c *isolationtest.Config) { c.Routes = append(c.Routes, c.Routes[0]) },
		`"/x" has no method`:                   func(c *isolationtest.Config) { c.Routes[0] = isolationtest.Route{Path: "/x"} },
		"a query goes into Query":              func(c *isolationtest.Config) { c.Routes[0].Path = "/v1/notes?x=y" },
		"a parameter is to be like {id}":       func(c *isolationtest.Config) { c.Routes[0].Path = "/v1/{notes" },
		`Skip has "GET /nothing", which is no`: func(c *isolationtest.Config) { c.Skip = map[string]string{"GET /nothing": "x"} },
		"no reason":                            func(c *isolationtest.Config) { c.Skip = map[string]string{"GET /v1/notes": ""} },
		"invalid character":                    func(c *isolationtest.Config) { c.OpenAPI = []byte("openapi: 3.1.0") },
		"none of version 3":                    func(c *isolationtest.Config) { c.OpenAPI = []byte(`{"swagger":"2.0"}`) },
	} {
		cfg := config("")
		change(&cfg)
		_, err := isolationtest.Check(t.Context(), cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestAServiceThatLimitsTheRateIsWaitedFor(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	service := new(leaky)
	cfg := config("")
	cfg.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 30 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		service.ServeHTTP(w, r)
	})
	report, err := isolationtest.Check(t.Context(), cfg)
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%s", report)
}

// Ids that count up in each tenant, as in schemas of their own: A has the higher one.
func TestIDsThatCountUpInEachTenant(t *testing.T) {
	t.Parallel()
	for _, leak := range []bool{false, true} {
		var mu sync.Mutex
		count := map[string]int{}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			me := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/notes/"))
			switch {
			case r.Method == http.MethodPost:
				count[me]++
				respond(w, http.StatusCreated, map[string]int{"id": count[me]})
			case id >= 1 && (id <= count[me] || leak && id <= count["alpha"]):
				respond(w, http.StatusOK, map[string]int{"id": id})
			default:
				refuse(w, http.StatusNotFound, "no such note")
			}
		})
		report, err := isolationtest.Check(t.Context(), isolationtest.Config{
			Handler: handler, A: isolationtest.Tenant{Credential: bearer("alpha")}, B: isolationtest.Tenant{Credential: bearer("omega")},
			Routes: []isolationtest.Route{{Method: "POST", Path: "/notes"}, {Method: "GET", Path: "/notes/{id}"}},
		})
		require.NoError(t, err)
		if leak {
			assert.Contains(t, report.String(), "\ndata: GET /notes/{id}: A's id in the path: status is \"200\"")
		} else {
			assert.True(t, report.Clean(), "%s", report)
		}
	}
}

// What B has under the same id is B's, and no leak.
func TestAnIDThatBothHaveProvesNothing(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		me := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if r.URL.Path == "/notes/the-alpha" || r.URL.Path == "/notes/the-omega" {
			respond(w, http.StatusOK, map[string]string{"text": "the secret of " + me})
			return
		}
		refuse(w, http.StatusNotFound, "no such note")
	})
	tenantOf := func(name string) isolationtest.Tenant {
		return isolationtest.Tenant{Credential: bearer(name), Params: map[string]string{"id": "the-" + name}, Marks: []string{"secret of " + name}}
	}
	report, err := isolationtest.Check(t.Context(), isolationtest.Config{
		Handler: handler, A: tenantOf("alpha"), B: tenantOf("omega"),
		Routes: []isolationtest.Route{{Method: "GET", Path: "/notes/{id}"}},
	})
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	assert.Contains(t, report.String(), "not proved: GET /notes/{id}: A's id in the path: B has a thing of the same id")
}

func TestValuesThatAreNoSecretMayBeTold(t *testing.T) {
	t.Parallel()
	cfg := config("says forbidden")
	cfg.Public = []string{"id", "note_id"}
	report, err := isolationtest.Check(t.Context(), cfg)
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%s", report)
	cfg = config("reads by id without the tenant")
	cfg.Public = []string{"id"}
	report, err = isolationtest.Check(t.Context(), cfg)
	require.NoError(t, err)
	assert.NotEmpty(t, report.Findings, "that it is there, and nothing more")
}

func TestAServiceThatCannotBeCheckedIsAnError(t *testing.T) {
	t.Parallel()
	limited := config("")
	limited.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "61")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := isolationtest.Check(t.Context(), limited)
	require.ErrorContains(t, err, "answering 429: give both tenants a plan without a limit")

	away := config("")
	server := httptest.NewServer(nil)
	away.Handler, away.URL = nil, server.URL+"/"
	server.Close()
	_, err = isolationtest.Check(t.Context(), away)
	require.ErrorContains(t, err, "call the service")

	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = isolationtest.Check(over, config(""))
	require.ErrorIs(t, err, context.Canceled)

	panics := config("")
	panics.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err = isolationtest.Check(t.Context(), panics)
	require.Error(t, err)
	require.NotErrorIs(t, err, context.Canceled)
}
