package problem_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) lines(t *testing.T) []map[string]any {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []map[string]any
	for line := range bytes.Lines(j.text.Bytes()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(line, &fields))
		lines = append(lines, fields)
	}
	return lines
}

// serve is a server with all middlewares around a handler, and its log.
func serve(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *journal) {
	t.Helper()
	log := new(journal)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := httptest.NewUnstartedServer(problem.RequestID(problem.Recover(logger)(handler)))
	server.Config.ErrorLog = slog.NewLogLogger(slog.NewJSONHandler(log, nil), slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server, log
}

func get(t *testing.T, server *httptest.Server) *http.Response {
	t.Helper()
	response, err := server.Client().Get(server.URL + "/v1/notes")
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]any{
		"text":                    secret,
		"an error":                errors.New(secret),
		"an error for the client": &tenant.Error{Code: tenant.CodeForbidden, Detail: secret},
		"a value not comparable":  []string{secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "7")
				panic(cause)
			})
			response := get(t, server)
			id := response.Header.Get("X-Request-ID")
			d := readDocument(t, response)
			assert.Equal(t, tenant.CodeInternal, d.Code)
			assert.Equal(t, id, d.RequestID)
			assert.NotContains(t, fmt.Sprint(d), "t_0189")

			lines := log.lines(t)
			require.Len(t, lines, 1)
			assert.Equal(t, "ERROR", lines[0]["level"])
			assert.Contains(t, lines[0]["panic"], "t_0189")
			assert.Contains(t, lines[0]["stack"], "recover_test.go")
			assert.Equal(t, id, lines[0]["request_id"])
			assert.Equal(t, "/v1/notes", lines[0]["path"])
		})
	}
}

func TestAbortIsPassedOn(t *testing.T) {
	t.Parallel()
	server, log := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	response, err := server.Client().Get(server.URL)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorIs(t, err, io.EOF)
	assert.Empty(t, log.lines(t))
}

// TestHalfAnAnswerIsNotTakenForAWhole has each way in which a response begins, and each in
// which it then fails.
func TestHalfAnAnswerIsNotTakenForAWhole(t *testing.T) {
	t.Parallel()
	begin := map[string]func(http.ResponseWriter) error{
		"Write":         func(w http.ResponseWriter) error { _, err := w.Write([]byte("half")); return err },
		"WriteString":   func(w http.ResponseWriter) error { _, err := io.WriteString(w, "half"); return err },
		"ReadFrom":      func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("half")); return err },
		"WriteHeader":   func(w http.ResponseWriter) error { w.WriteHeader(http.StatusOK); return nil },
		"Flush":         func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		"by controller": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	}
	fail := map[string]func(http.ResponseWriter, *http.Request){
		"an error":            func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, errors.New(secret)) },
		"a client's error":    func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, tenant.ErrGone) },
		"a panic":             func(http.ResponseWriter, *http.Request) { panic(secret) },
		"an error in between": func(w http.ResponseWriter, r *http.Request) { problem.Write(wrapped{w}, r, errors.New(secret)) },
	}
	for beginning, begin := range begin {
		for failure, fail := range fail {
			t.Run(beginning+", then "+failure, func(t *testing.T) {
				t.Parallel()
				server, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
					assert.NoError(t, begin(w))
					fail(w, r)
				})
				response, err := server.Client().Get(server.URL)
				if err == nil { // the first half came through
					var body []byte
					body, err = io.ReadAll(response.Body)
					_ = response.Body.Close()
					assert.NotContains(t, string(body), "problem")
				}
				require.Error(t, err)
				lines := log.lines(t)
				require.Len(t, lines, 1)
				assert.Equal(t, "ERROR", lines[0]["level"])
				assert.NotContains(t, lines[0]["msg"], "superfluous")
			})
		}
	}
}

// wrapped is the writer of a middleware that stands between.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestResponseThatHasNotBegunIsAnswered(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(http.ResponseWriter){
		"a header":                      func(w http.ResponseWriter) { w.Header().Set("X-Other", "1") },
		"an early hint":                 func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) },
		"a source that fails at once":   func(w http.ResponseWriter) { _, _ = io.Copy(w, iotest.ErrReader(io.ErrUnexpectedEOF)) },
		"a source that has nothing":     func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("")) },
		"a look at the writer's nature": func(w http.ResponseWriter) { _, _ = w.(http.Hijacker) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				before(w)
				problem.Write(w, r, tenant.ErrGone)
			})
			assert.Equal(t, tenant.CodeTenantGone, readDocument(t, get(t, server)).Code)
		})
	}
}

func TestSourceThatPanicsHalfWayCutsTheResponse(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, io.MultiReader(strings.NewReader(strings.Repeat("half", 4096)), panicking{}))
	})
	_, err := io.ReadAll(get(t, server).Body)
	require.Error(t, err)
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("the source is broken") }

func TestCausesOfTheServicesFaultsAreLogged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		err   error
		level any
	}{
		{"a fault", errors.New(secret), "ERROR"},
		{"a fault with a code", &tenant.Error{Code: tenant.CodeInternal, Err: errors.New(secret)}, "ERROR"},
		{"a part that is away", &tenant.Error{Code: tenant.CodeUnavailable, Err: errors.New(secret)}, "WARN"},
		{"the client's fault", &tenant.Error{Code: tenant.CodeForbidden, Err: errors.New(secret)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme", Status: tenant.StatusActive}
			server, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
				problem.Write(wrapped{w}, r.WithContext(tenant.NewContext(r.Context(), acme)), test.err)
			})
			response := get(t, server)
			lines := log.lines(t)
			if test.level == nil {
				assert.Empty(t, lines)
				return
			}
			require.Len(t, lines, 1)
			assert.Equal(t, test.level, lines[0]["level"])
			assert.Contains(t, lines[0]["error"], "SQLSTATE")
			assert.Equal(t, acme.ID.String(), lines[0]["tenant_id"])
			assert.Equal(t, response.Header.Get("X-Request-ID"), lines[0]["request_id"])
			assert.EqualValues(t, response.StatusCode, lines[0]["status"])
		})
	}
}

func TestClientThatHasGoneIsNoFault(t *testing.T) {
	t.Parallel()
	log := new(journal)
	handle := func(ctx context.Context, err error) {
		problem.Recover(slog.New(slog.NewJSONHandler(log, nil)))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, err)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	handle(gone, fmt.Errorf("query: %w", context.Canceled))
	assert.Empty(t, log.lines(t))

	handle(gone, errors.New(secret))
	assert.Len(t, log.lines(t), 1, "a fault that has nothing to do with it")
	handle(t.Context(), fmt.Errorf("query: %w", context.Canceled))
	assert.Len(t, log.lines(t), 2, "a cancellation that was not the client's")
}

func TestRecoverWithoutLoggerTakesTheDefault(t *testing.T) {
	t.Parallel()
	w := answer{httptest.NewRecorder()}
	problem.Recover(nil)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(w, request())
	assert.Equal(t, http.StatusNoContent, w.Code)
}

func TestHandlerInsideRecoverHijacks(t *testing.T) {
	t.Parallel()
	for name, hijack := range map[string]func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"by assertion": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"by controller": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Close of a server waits for no handler that has taken its connection.
			handled := make(chan struct{})
			server, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(handled)
				conn, buffered, err := hijack(w)
				if !assert.NoError(t, err) {
					return
				}
				_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
				_ = buffered.Flush()
				_ = conn.Close()
				problem.Write(w, r, errors.New("too late"))
			})
			body, err := io.ReadAll(get(t, server).Body)
			require.NoError(t, err)
			assert.Equal(t, "ok", string(body))
			<-handled
			require.Len(t, log.lines(t), 1)
			assert.Contains(t, log.lines(t)[0]["msg"], "begun")
		})
	}
}

func TestHandlerInsideRecoverStreams(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		<-goOn
		_, _ = io.WriteString(w, "second\n")
	})
	lines := bufio.NewReader(get(t, server).Body)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "first\n", first)
	close(goOn)
	second, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "second\n", second)
}

func TestWriterThatCanNotFlushOrHijackSaysSo(t *testing.T) {
	t.Parallel()
	plain := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	problem.Recover(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
		_, _, err := w.(http.Hijacker).Hijack()
		assert.ErrorIs(t, err, http.ErrNotSupported)
		problem.Write(w, r, tenant.ErrGone)
	})).ServeHTTP(plain, request())
	assert.Equal(t, http.StatusGone, plain.ResponseWriter.(*httptest.ResponseRecorder).Code, "the response had not begun")
}
