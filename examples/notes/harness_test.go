package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// shared is the service that most tests call: in demo mode, on a PostgreSQL of its own,
// started by the first test that asks for it.
var shared struct {
	once sync.Once
	svc  *service
	err  error

	temporal atomic.Bool // whether sharedTemporal was asked for
}

// sharedTemporal is a server for the services that tests start of their own, which have a
// task queue for each database.
var sharedTemporal = sync.OnceValues(func() (*temporalserver.Server, error) {
	shared.temporal.Store(true)
	return temporalserver.Start(context.Background(), temporalserver.Config{})
})

// onTemporal is where it is.
func onTemporal(t testing.TB) temporalConfig {
	t.Helper()
	server, err := sharedTemporal()
	require.NoError(t, err)
	return temporalConfig{address: server.Addr()}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.temporal.Load() {
		if server, err := sharedTemporal(); err == nil {
			_ = server.Close()
		}
	}
	if shared.svc != nil {
		if err := shared.svc.close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the service:", err)
			code = max(code, 1)
		}
	}
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// api is a service under test. Whatever a test asks of it, the answer is held against the
// OpenAPI document.
type api struct {
	url    string
	server *server
}

func startAPI(t testing.TB) api {
	t.Helper()
	shared.once.Do(func() {
		cfg := config{addr: "127.0.0.1:0", baseDomain: "localhost", demo: true, operatorToken: "operator-of-the-tests", plans: roomyPlans()}
		shared.svc, shared.err = startService(context.Background(), cfg, testLog(), io.Discard)
	})
	require.NoError(t, shared.err)
	return api{url: shared.svc.url, server: shared.svc.server}
}

// roomyPlans are the service's plans with the same seats and a rate that no test of anything
// else comes near: most tests ask more of a tenant in a second than a person in a minute.
func roomyPlans() []quota.Plan {
	roomy := plans()
	for i := range roomy {
		roomy[i].Rates[0].Limit, roomy[i].Rates[0].Burst = 600_000, 10_000
	}
	return roomy
}

// testLog tells what a service under test complains of.
func testLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// request is what a test sends.
type request struct {
	method, path string
	token        string // for Authorization: Bearer
	host         string // in place of the address
	header       http.Header
	body         string // sent as application/json unless header says something else
}

// response is what it gets.
type response struct {
	status int
	header http.Header
	body   []byte
}

// headers are made of names and values in turn.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// do sends a request, and fails the test if the answer is none that the OpenAPI document
// has for it.
func (a api) do(t testing.TB, r request) response {
	t.Helper()
	got := a.send(t, r)
	document(t).check(t, r, got)
	return got
}

func (a api) send(t testing.TB, r request) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, a.url+r.path, strings.NewReader(r.body))
	require.NoError(t, err)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, r.header)
	if r.token != "" {
		req.Header.Add("Authorization", "Bearer "+r.token)
	}
	if r.host != "" {
		req.Host = r.host
	}
	res, err := plainClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return response{status: res.StatusCode, header: res.Header, body: body}
}

// plainClient follows no redirect: a test is to see it.
var plainClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// as reads the answer, which must have a status.
func as[T any](t testing.TB, r response, status int) T {
	t.Helper()
	require.Equal(t, status, r.status, "%s", r.body)
	var value T
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&value), "%s", r.body)
	return value
}

// requireProblem demands that the answer is the problem of a code.
func requireProblem(t testing.TB, r response, status int, code tenant.Code) problem.Document {
	t.Helper()
	require.Equal(t, status, r.status, "%s", r.body)
	d := as[problem.Document](t, r, status)
	require.Equal(t, code, d.Code, "%s", r.body)
	return d
}

// person is someone who has signed in.
type person struct {
	user
	token string
}

// signIn signs in someone, known or new.
func (a api) signIn(t testing.TB, email string) person {
	t.Helper()
	type answer struct {
		Token     string `json:"token"`
		ExpiresAt string `json:"expires_at"`
		User      user   `json:"user"`
	}
	got := as[answer](t, a.do(t, request{method: "POST", path: "/v1/login", body: jsonOf(t, map[string]string{"email": email})}), 200)
	require.Equal(t, email, got.User.Email)
	return person{user: got.User, token: got.Token}
}

// newPerson is someone of the test's own, who belongs to no tenant.
func (a api) newPerson(t testing.TB) person {
	t.Helper()
	email := strings.ToLower(rand.Text()[:12]) + "@test.example"
	return a.signIn(t, email)
}

// tenantView is a tenant as the API shows it.
type tenantView struct {
	ID     tenant.ID   `json:"id"`
	Slug   tenant.Slug `json:"slug"`
	Name   string      `json:"name"`
	Status string      `json:"status"`
	Plan   string      `json:"plan"`
}

// newTenant is a tenant of the test's own.
func (a api) newTenant(t testing.TB, owner person) tenantView {
	t.Helper()
	body := jsonOf(t, map[string]string{"slug": newSlug(), "name": "Tenant of " + owner.Email})
	return as[tenantView](t, a.do(t, request{method: "POST", path: "/v1/tenants", token: owner.token, body: body}), 201)
}

func newSlug() string { return "t-" + strings.ToLower(rand.Text()[:12]) }

// join makes someone a member.
func (a api) join(t testing.TB, in tenantView, p person, role invite.Role) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), a.server.control, func(tx pgx.Tx) error {
		return a.server.members.Add(t.Context(), tx, invite.Member{TenantID: in.ID, UserID: p.ID, Email: p.Email, Role: role})
	}))
}

// noteView is a note as the API shows it.
type noteView struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Body      string `json:"body"`
	Author    string `json:"author"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
}

type notesView struct {
	Notes      []noteView `json:"notes"`
	NextCursor *string    `json:"next_cursor"`
}

// write makes a note.
func (a api) write(t testing.TB, in tenantView, p person, title string) noteView {
	t.Helper()
	return as[noteView](t, a.do(t, request{
		method: "POST", path: "/v1/notes", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug)),
		body: jsonOf(t, map[string]string{"title": title, "body": "body of " + title}),
	}), 201)
}

// notesOf are the first 100 notes of a tenant.
func (a api) notesOf(t testing.TB, in tenantView, p person) []noteView {
	t.Helper()
	return as[notesView](t, a.do(t, request{
		method: "GET", path: "/v1/notes?limit=100", token: p.token, header: headers("X-Tenant-Slug", string(in.Slug)),
	}), 200).Notes
}

func jsonOf(t testing.TB, value any) string {
	t.Helper()
	b, err := json.Marshal(value)
	require.NoError(t, err)
	return string(b)
}
