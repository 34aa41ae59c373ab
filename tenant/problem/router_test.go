package problem_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// routes is a mux with a handler of each kind that a router must leave alone.
func routes() *http.ServeMux {
	mux := http.NewServeMux()
	say := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "said by a handler: "+r.PathValue("id"))
		}
	}
	mux.HandleFunc("GET /v1/notes", say(http.StatusOK))
	mux.HandleFunc("POST /v1/notes", say(http.StatusCreated))
	mux.HandleFunc("GET /v1/notes/{id}", say(http.StatusNotFound))
	mux.HandleFunc("DELETE /v1/notes/{id}", say(http.StatusMethodNotAllowed))
	mux.HandleFunc("GET /v1/gone", http.NotFound)
	mux.Handle("GET /v1/never", http.NotFoundHandler())
	mux.HandleFunc("GET /v1/tree/", say(http.StatusOK))
	mux.HandleFunc("GET admin.example/", say(http.StatusOK))
	mux.HandleFunc("GET /v1/old", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/v1/notes", http.StatusMovedPermanently)
	})
	return mux
}

func TestRouterAnswersLikeItsMuxButInProblems(t *testing.T) {
	t.Parallel()
	mux := routes()
	for _, test := range []struct {
		name, method, target string
		problem              tenant.Code // empty: the answer of the mux, byte for byte
	}{
		{"a handler", "GET", "/v1/notes", ""},
		{"a handler by HEAD", "HEAD", "/v1/notes", ""},
		{"another method", "POST", "/v1/notes", ""},
		{"a handler's own 404, with its wildcard", "GET", "/v1/notes/7", ""},
		{"a handler's own 405", "DELETE", "/v1/notes/7", ""},
		{"a handler that is http.NotFound", "GET", "/v1/gone", ""},
		{"http.NotFoundHandler under a pattern", "GET", "/v1/never", ""},
		{"a handler's own redirect", "GET", "/v1/old", ""},
		{"a pattern with a host", "GET", "http://admin.example/anything", ""},
		{"a redirect to the cleaned path", "GET", "/v1//notes", ""},
		{"a redirect to a cleaned path that is nowhere", "GET", "/v2//nothing", ""},
		{"a redirect by another method", "POST", "/v1/../v1/notes", ""},
		{"a redirect to the subtree", "GET", "/v1/tree", ""},
		{"nothing", "GET", "/v2", tenant.CodeNotFound},
		{"nothing, by HEAD", "HEAD", "/v2", tenant.CodeNotFound},
		{"the root", "GET", "/", tenant.CodeNotFound},
		{"a slash too many", "GET", "/v1/notes/7/", tenant.CodeNotFound},
		{"a slash escaped", "GET", "/v1%2Fnotes", tenant.CodeNotFound},
		{"a method that is not there", "PUT", "/v1/notes", tenant.CodeMethodNotAllowed},
		{"a method of the subtree", "PUT", "/v1/tree", tenant.CodeMethodNotAllowed},
		{"OPTIONS", "OPTIONS", "/v1/notes", tenant.CodeMethodNotAllowed},
		{"a method of one's own", "BREW", "/v1/notes/7", tenant.CodeMethodNotAllowed},
		{"CONNECT", "CONNECT", "http://admin.example:443/", tenant.CodeNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plain, got := httptest.NewRecorder(), answer{httptest.NewRecorder()}
			mux.ServeHTTP(plain, httptest.NewRequest(test.method, test.target, nil))
			problem.Router(mux).ServeHTTP(got, httptest.NewRequest(test.method, test.target, nil))
			assert.Equal(t, plain.Code, got.Code)
			assert.Equal(t, plain.Header().Values("Allow"), got.Header().Values("Allow"))
			switch {
			case test.problem == "":
				assert.Equal(t, plain.Header(), got.Header())
				assert.Equal(t, plain.Body.String(), got.Body.String())
			case test.method == "HEAD":
				assert.Equal(t, problem.ContentType, got.Header().Get("Content-Type"))
			default:
				assert.Equal(t, test.problem, got.document(t).Code)
			}
		})
	}
}

func TestRouterRefusesTheTargetThatNamesNoResource(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RequestURI, r.URL.Path = "*", "*"
	got := answer{httptest.NewRecorder()}
	problem.Router(routes()).ServeHTTP(got, r)
	assert.Equal(t, tenant.CodeBadRequest, got.document(t).Code)
	assert.Equal(t, "close", got.Header().Get("Connection"))
}

func TestRouterHandsItsWriterToTheHandlerAsItCame(t *testing.T) {
	t.Parallel()
	var got http.ResponseWriter
	var pattern string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/notes", func(w http.ResponseWriter, r *http.Request) { got, pattern = w, r.Pattern })
	w := httptest.NewRecorder()
	problem.Router(mux).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/notes", nil))
	assert.Same(t, w, got, "so Flush, Hijack and the rest are those of the server")
	assert.Equal(t, "GET /v1/notes", pattern)
}

func TestRouterOfARouterInsideAnother(t *testing.T) {
	t.Parallel()
	outer := http.NewServeMux()
	outer.Handle("/t/acme/", http.StripPrefix("/t/acme", problem.Router(routes())))
	server := httptest.NewServer(problem.Router(outer))
	defer server.Close()
	for target, want := range map[string]tenant.Code{
		"/t/acme/v2": tenant.CodeNotFound, "/t/beta/v2": tenant.CodeNotFound,
	} {
		response, err := server.Client().Get(server.URL + target)
		require.NoError(t, err)
		d := readDocument(t, response)
		assert.Equal(t, want, d.Code)
		assert.Equal(t, target, d.Instance)
	}
}

// TestRow18_RedirectOfTheMuxKeepsTheTenantInThePath compares the redirects of a mux behind a
// prefix with those that it makes without one.
func TestRow18_RedirectOfTheMuxKeepsTheTenantInThePath(t *testing.T) {
	t.Parallel()
	mux := routes()
	mux.HandleFunc("GET /v1/exact/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v1/deep/{id}/{rest...}", func(http.ResponseWriter, *http.Request) {})
	bare := problem.Router(mux)
	behind := http.StripPrefix("/t/acme", bare)
	for _, target := range []string{
		"/v1//notes", "/v1//notes?limit=1&q=%2F", "/v1/./notes", "/v2/../v1/notes", "/v1/notes//", "//v1/notes", "//evil.example/v1", "/v2//nothing", "/..//v1",
		"/v1/tree", "/v1/tree?q", "/v1/exact", "/v1/deep/7", "/v1/a%2Fb//c",
	} {
		plain, got := httptest.NewRecorder(), httptest.NewRecorder()
		bare.ServeHTTP(plain, httptest.NewRequest(http.MethodGet, target, nil))
		require.Equal(t, http.StatusTemporaryRedirect, plain.Code, target)
		behind.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/t/acme"+target, nil))
		assert.Equal(t, plain.Code, got.Code, target)
		assert.Equal(t, "/t/acme"+plain.Header().Get("Location"), got.Header().Get("Location"), target)
	}
}

func TestRouterBehindAPrefixLeavesHandlersAlone(t *testing.T) {
	t.Parallel()
	behind := http.StripPrefix("/t/acme", problem.Router(routes()))
	for target, want := range map[string]int{
		"/t/acme/v1/notes": http.StatusOK, "/t/acme/v1/tree/": http.StatusOK, "/t/acme/v1/tree/a/b": http.StatusOK, "/t/acme/v1/notes/7": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		behind.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		assert.Equal(t, want, w.Code, target)
		assert.Contains(t, w.Body.String(), "said by a handler", target)
	}
	w := httptest.NewRecorder()
	behind.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/t/acme/v1/old", nil))
	assert.Equal(t, "/v1/notes", w.Header().Get("Location"), "a redirect that a handler wrote")
}

func TestRedirectOfTheMuxLeadsToNoOtherHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, asked, inside, want string }{
		{"the whole path", "/v1//notes", "/v1//notes", "/v1/notes"},
		{"a path of another form", "/somewhere/else", "/v1//notes", "/v1/notes"},
		{"no path", "", "/v1//notes", "/v1/notes"},
		{"a prefix that is a host's", "//evil.example/v1//notes", "/v1//notes", "/v1/notes"},
		{"a slash taken off", "//evil.example//x", "/evil.example//x", "/evil.example/x"},
		{"the first slash taken off", "/evil.example//x", "evil.example//x", "/evil.example/x"},
		{"a prefix with a slash at its end", "/t/acme/v1//notes", "v1//notes", "/t/acme/v1/notes"},
		{"everything taken off", "/t/acme", "", "/t/acme/"},
		{"a path like its own prefix", "/v1/tree/v1/tree", "/v1/tree", "/v1/tree/v1/tree/"},
		{"a target with a host", "http://acme.example/t/acme/v1//notes", "/v1//notes", "/t/acme/v1/notes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RequestURI, r.URL.Path = test.asked, test.inside
			w := httptest.NewRecorder()
			problem.Router(routes()).ServeHTTP(w, r)
			assert.Equal(t, test.want, w.Header().Get("Location"))
		})
	}
}

// FuzzRouter holds that behind a prefix the mux's answers are those without one, and that no
// redirect leaves the prefix.
func FuzzRouter(f *testing.F) {
	for _, target := range []string{"/v1/notes", "/v1//notes", "/v1/tree", "//evil.example/..", "/v1/a%2Fb//c", "/%2e%2e//x", "/v1/tree/v1/tree", "/?"} {
		f.Add("GET", target)
		f.Add("CONNECT", target)
	}
	bare := problem.Router(routes())
	behind := http.StripPrefix("/t/acme", bare)
	f.Fuzz(func(t *testing.T, method, target string) {
		if _, err := url.ParseRequestURI(target); err != nil || target[0] != '/' {
			t.Skip("no path that a server reads")
		}
		request := func(target string) *http.Request {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: acme.example\r\n\r\n")))
			if err != nil {
				t.Skip("no request that a server reads")
			}
			return r
		}
		plain, got := httptest.NewRecorder(), httptest.NewRecorder()
		bare.ServeHTTP(plain, request(target))
		behind.ServeHTTP(got, request("/t/acme"+target))
		require.Equal(t, plain.Code, got.Code)
		if location := plain.Header().Get("Location"); location != "" && location != "/v1/notes" { // not the handler's
			require.Equal(t, "/t/acme"+location, got.Header().Get("Location"))
		}
	})
}
