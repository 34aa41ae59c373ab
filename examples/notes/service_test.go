package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/tenant"
)

// startOn starts a service of the test's own on a PostgreSQL server that exists, without
// Temporal if cfg does not say where one is.
func startOn(t *testing.T, pg *localserver.Postgres, log *slog.Logger, cfg config) (api, *service) {
	t.Helper()
	cfg.addr, cfg.baseDomain, cfg.databaseURL = "127.0.0.1:0", "localhost", pg.SuperuserURL("postgres")
	if cfg.plans == nil {
		cfg.plans = roomyPlans()
	}
	cfg.temporal.address = cmp.Or(cfg.temporal.address, "127.0.0.1:1")
	svc, err := startService(context.Background(), cfg, log, io.Discard)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, svc.close()) })
	return api{url: svc.url, server: svc.server}, svc
}

func startServer(t *testing.T) *localserver.Postgres {
	t.Helper()
	pg, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pg.Close() })
	return pg
}

func TestWithoutPostgreSQLTheServiceIsUnavailable(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	a, _ := startOn(t, pg, slog.New(slog.DiscardHandler), config{demo: true})
	ada := a.signIn(t, "ada@acme.example")
	acme := headers("X-Tenant-Slug", "acme-corp")
	inAcme := a.switchTo(t, ada, "acme-corp").Token
	require.Equal(t, 200, a.do(t, request{method: "GET", path: "/readyz"}).status)
	require.NoError(t, pg.Close())

	for _, req := range []request{
		{method: "GET", path: "/readyz"},
		{method: "GET", path: "/v1/notes"},
		{method: "POST", path: "/v1/notes", body: `{"title":"x"}`},
		{method: "GET", path: "/v1/me"},
		{method: "GET", path: "/v1/tenants/acme-corp"},
		{method: "POST", path: "/v1/tenants", body: `{"slug":"gamma-labs","name":"x"}`},
		{method: "POST", path: "/v1/login", body: `{"email":"ada@acme.example"}`},
		{method: "POST", path: "/v1/switch", body: `{"tenant":"acme-corp"}`},
		{method: "GET", path: "/v1/members"},
		{method: "POST", path: "/v1/invites", body: `{"email":"eve@new.example","role":"member"}`},
		{method: "POST", path: "/v1/invites/preview", body: `{"token":"` + strings.Repeat("A", 43) + `"}`},
		{method: "POST", path: "/v1/invites/accept", body: `{"token":"` + strings.Repeat("A", 43) + `"}`},
	} {
		if strings.HasPrefix(req.path, "/v1") && req.path != "/v1/login" {
			req.token, req.header = ada.token, acme
		}
		got := a.do(t, req)
		d := requireProblem(t, got, 503, tenant.CodeUnavailable)
		assert.NotEmpty(t, got.header.Get("Retry-After"))
		assert.NotContains(t, d.Detail, "127.0.0.1", "nothing of the inside is told")
	}
	assert.Equal(t, 200, a.do(t, request{method: "GET", path: "/healthz"}).status, "a restart would not help")
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/notes"}), 401, tenant.CodeUnauthenticated)

	// A token that was made for a tenant is held against the membership, which nobody can
	// look up once the cache has forgotten it.
	got, _ := a.untilStatus(t, request{method: "GET", path: "/v1/me", token: inAcme}, 503)
	requireProblem(t, got, 503, tenant.CodeUnavailable)
}

func TestOutsideDemoModeThereIsNoSignInAndNoAdmin(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	plain, _ := startOn(t, pg, testLog(), config{})
	for _, req := range []request{
		{method: "POST", path: "/v1/login", body: `{"email":"ada@acme.example"}`},
		{method: "POST", path: "/admin/tenants/acme-corp/suspend", token: demoOperatorToken},
		{method: "POST", path: "/admin/tenants/acme-corp/resume", token: ""},
		{method: "PUT", path: "/admin/tenants/acme-corp/plan", body: `{"plan":"pro"}`},
		{method: "GET", path: "/demo/outbox?email=ada@acme.example"},
	} {
		requireProblem(t, plain.send(t, req), 404, tenant.CodeNotFound)
	}
	_, err := plain.server.catalog.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.ErrorIs(t, err, tenant.ErrNotFound, "no demo data")

	operated, _ := startOn(t, pg, testLog(), config{operatorToken: "of the operator"})
	requireProblem(t, operated.do(t, request{method: "POST", path: "/admin/tenants/acme-corp/suspend", token: demoOperatorToken}), 401, tenant.CodeUnauthenticated)
	requireProblem(t, operated.do(t, request{method: "POST", path: "/admin/tenants/acme-corp/suspend", token: "of the operator"}), 404, tenant.CodeTenantNotFound)
}

func TestWithoutAMailServerNobodyIsInvited(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	demo, _ := startOn(t, pg, testLog(), config{demo: true})
	plain, _ := startOn(t, pg, slog.New(slog.DiscardHandler), config{})
	ada, acme := demo.signIn(t, "ada@acme.example"), tenantView{Slug: "acme-corp"}
	inv, mail := demo.invite(t, ada, acme, newEmail(), "member")
	got := plain.tryInvite(t, ada, acme, newEmail(), "member")
	assert.Contains(t, requireProblem(t, got, 503, tenant.CodeUnavailable).Detail, "no mail server")
	requireProblem(t, plain.inTenant(t, ada, acme, "POST", "/v1/invites/"+inv.ID+"/resend", ""), 503, tenant.CodeUnavailable)
	list := as[invitesView](t, plain.inTenant(t, ada, acme, "GET", "/v1/invites", ""), 200)
	assert.Equal(t, []inviteView{inv}, list.Invites, "no invitation is made")
	assert.Equal(t, 200, plain.preview(t, mail.InviteToken).status)
}

func TestTheLinksOfMailsLeadToTheBaseURL(t *testing.T) {
	t.Parallel()
	a, _ := startOn(t, startServer(t), testLog(), config{demo: true, baseURL: "https://notes.example/app/"})
	ada, email := a.signIn(t, "ada@acme.example"), newEmail()
	got := a.do(t, request{
		method: "POST", path: "/v1/invites", token: ada.token, host: "acme-corp.localhost", body: `{"email":"` + email + `","role":"member"}`,
		header: headers("X-Forwarded-Host", "evil.example", "Origin", "https://evil.example"),
	})
	require.Equal(t, 201, got.status)
	mail := a.mailsTo(t, email)[0]
	assert.Contains(t, mail.Text, "\nhttps://notes.example/app/#token="+mail.InviteToken+"\n")
	assert.NotContains(t, mail.Text, "evil")
}

func TestTwoProcessesServeOneDatabase(t *testing.T) {
	t.Parallel()
	pg := startServer(t)
	first, _ := startOn(t, pg, testLog(), config{demo: true, operatorToken: "o"})
	second, _ := startOn(t, pg, testLog(), config{demo: true, operatorToken: "o"})
	ada := first.signIn(t, "ada@acme.example")
	acme := tenantView{Slug: "acme-corp"}
	note := first.write(t, acme, ada, "written here, read there")
	assert.Equal(t, note, second.notesOf(t, acme, ada)[0])
	assert.Len(t, second.notesOf(t, acme, ada), 4, "the demo data are there once")

	suspended := first.do(t, request{method: "POST", path: "/admin/tenants/acme-corp/suspend", token: "o"})
	require.Equal(t, 204, suspended.status)
	got, _ := second.untilStatus(t, request{method: "GET", path: "/v1/notes", token: ada.token, header: headers("X-Tenant-Slug", "acme-corp")}, 403) // each has a Redis of its own
	requireProblem(t, got, 403, tenant.CodeTenantSuspended)
}

func TestTheLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	pg := startServer(t)
	a, svc := startOn(t, pg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), config{demo: true, operatorToken: "word-of-the-operator"})
	ada := a.signIn(t, "ada@acme.example")
	list := a.do(t, request{method: "GET", path: "/t/acme-corp/v1/notes?limit=1", token: ada.token})
	cursor := *as[notesView](t, list, 200).NextCursor
	a.do(t, request{method: "GET", path: "/t/acme-corp/v1/notes?cursor=" + cursor, token: ada.token})
	note := a.write(t, tenantView{Slug: "acme-corp"}, ada, "word-of-a-note")
	a.do(t, request{method: "GET", path: "/t/acme-corp/v1/notes/" + note.ID, token: ada.token})
	a.do(t, request{method: "GET", path: "/v1/me", header: headers("X-API-Key", "word-of-a-key")})
	key := a.mint(t, ada, tenantView{Slug: "acme-corp"}, scopeRead).Key
	a.withKey(t, key, "GET", "/v1/notes", "")
	a.withKey(t, key[:len(key)-1]+"0", "GET", "/v1/notes", "")
	a.do(t, request{method: "POST", path: "/admin/tenants/acme-corp/resume", token: "word-of-the-operator"})
	inAcme := a.switchTo(t, ada, "acme-corp").Token
	_, mail := a.invite(t, ada, tenantView{Slug: "acme-corp"}, "word-of-mouth@new.example", "member")
	a.preview(t, mail.InviteToken)
	a.accept(t, a.signIn(t, "word-of-mouth@new.example"), mail.InviteToken)
	a.inTenant(t, ada, tenantView{Slug: "acme-corp"}, "DELETE", "/v1/members/"+ada.ID, "")
	require.NoError(t, pg.Close())
	a.do(t, request{method: "GET", path: "/t/acme-corp/v1/notes?cursor=" + cursor, token: ada.token})
	require.NoError(t, svc.close())

	text := log.String()
	require.Contains(t, text, `route="GET /t/{tenant}/v1/notes/{id}"`)
	for _, secret := range []string{ada.token, key[:40], inAcme, mail.InviteToken, ada.ID, "#token=", "@new.example", cursor, note.ID, "word-of", "@acme.example", pg.Password()} {
		assert.NotContains(t, text, secret)
	}
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestARequestUnderWayIsAnsweredBeforeTheEnd(t *testing.T) {
	t.Parallel()
	a, svc := startOn(t, startServer(t), testLog(), config{demo: true})
	ada := a.signIn(t, "ada@acme.example")

	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	body := `{"title":"written while the service stops"}`
	_, err = fmt.Fprintf(conn, "POST /t/acme-corp/v1/notes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		ada.token, len(body))
	require.NoError(t, err)
	answers := bufio.NewReader(conn)
	for _, line := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		got, err := answers.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, line, got, "the handler waits for the body")
	}
	_, err = io.WriteString(conn, body[:10])
	require.NoError(t, err)
	closed := make(chan error, 1)
	go func() { closed <- svc.close() }()
	require.Eventually(t, func() bool {
		_, err := http.Get(a.url + "/healthz")
		return err != nil
	}, stopLimit, 10*time.Millisecond, "no new connection is taken")
	_, err = io.WriteString(conn, body[10:])
	require.NoError(t, err)
	res, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 201, res.StatusCode)
	require.NoError(t, <-closed)
}
