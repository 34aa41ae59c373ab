package problem_test

import (
	"io"
	"net/http"
	"net/http/httptest"
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
