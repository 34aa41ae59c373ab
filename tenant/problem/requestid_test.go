package problem_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// idOf is the id that a request with these ids gets: in the response and in the context,
// which must be the same.
func idOf(t testing.TB, sent ...string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["X-Request-Id"] = sent
	w := httptest.NewRecorder()
	var inside string
	problem.RequestID(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside = tenant.RequestIDFromContext(r.Context())
	})).ServeHTTP(w, r)
	require.Equal(t, []string{inside}, w.Header().Values("X-Request-ID"))
	return inside
}

func TestWellFormedRequestIDIsKept(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"a", "0", "-", "01890a5d-ac96-774b-bcce-b302099a8057", "Job_7.retry-2", strings.Repeat("x", problem.MaxRequestIDLen),
	} {
		assert.Equal(t, id, idOf(t, id))
	}
}

func TestMalformedRequestIDIsReplaced(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string][]string{
		"none":           nil,
		"empty":          {""},
		"129 characters": {strings.Repeat("x", problem.MaxRequestIDLen+1)},
		"a space":        {"a b"},
		"a line break":   {"a\r\nSet-Cookie: b"},
		"a NUL":          {"a\x00"},
		"markup":         {"<script>"},
		"a quote":        {`a"b`},
		"a slash":        {"../a"},
		"a comma":        {"a,b"},
		"an umlaut":      {"ä"},
		"two of them":    {"a", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := idOf(t, sent...)
			assert.Regexp(t, `^[A-Z2-7]{26}$`, id)
			assert.NotEqual(t, id, idOf(t, sent...), "each request has its own")
			assert.Equal(t, id, idOf(t, id), "and the new one is well formed itself")
		})
	}
}

func TestProblemAndResponseHaveOneRequestID(t *testing.T) {
	t.Parallel()
	w := answer{httptest.NewRecorder()}
	problem.RequestID(problem.Router(http.NewServeMux())).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, w.Header().Get("X-Request-ID"), w.document(t).RequestID)
	assert.NotEmpty(t, w.Header().Get("X-Request-ID"))
}

func FuzzRequestID(f *testing.F) {
	f.Add("01890a5d-ac96-774b-bcce-b302099a8057")
	f.Add("a\r\nSet-Cookie: b")
	f.Add("")
	wellFormed := regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	f.Fuzz(func(t *testing.T, sent string) {
		id := idOf(t, sent)
		require.Regexp(t, wellFormed, id)
		require.Equal(t, wellFormed.MatchString(sent) && !strings.HasSuffix(sent, "\n"), id == sent)
	})
}
