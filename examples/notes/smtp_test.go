package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// received is what a mail server was sent.
type received struct{ from, to, data string }

// mailServer is a mail server that takes mails without TLS, or refuses each recipient.
func mailServer(t *testing.T, refuses bool) (addr string, mails <-chan received) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	got := make(chan received, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go talk(conn, refuses, got)
		}
	}()
	return listener.Addr().String(), got
}

// talk is the server's side of a conversation (RFC 5321).
func talk(conn net.Conn, refuses bool, got chan<- received) {
	defer conn.Close()
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 test ESMTP")
	var mail received
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch verb, rest, _ := strings.Cut(line, ":"); strings.ToUpper(strings.Fields(verb)[0]) {
		case "MAIL":
			mail.from = rest
			say("250 OK")
		case "RCPT":
			if refuses {
				say("550 no such mailbox")
				continue
			}
			mail.to = rest
			say("250 OK")
		case "DATA":
			say("354 go on")
			for line != ".\r\n" {
				if line, err = lines.ReadString('\n'); err != nil {
					return
				}
				mail.data += line
			}
			got <- mail
			say("250 OK")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 OK")
		}
	}
}

func TestInvitationsGoOutBySMTP(t *testing.T) {
	t.Parallel()
	addr, mails := mailServer(t, false)
	a, _ := startOn(t, startServer(t), testLog(), config{demo: true, smtp: smtpConfig{addr: addr, from: "Notes <notes@notes.example>"}})
	ada, email := a.signIn(t, "ada@acme.example"), newEmail()
	_, shown := a.invite(t, ada, tenantView{Slug: "acme-corp"}, email, "member")

	sent := <-mails
	assert.Contains(t, sent.from, "<notes@notes.example>")
	assert.Contains(t, sent.to, "<"+email+">")
	msg, err := mail.ReadMessage(strings.NewReader(strings.TrimSuffix(sent.data, ".\r\n")))
	require.NoError(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	require.NoError(t, err)
	assert.Equal(t, shown.Subject, subject)
	assert.NotEmpty(t, msg.Header.Get("Message-Id"))
	require.Equal(t, "quoted-printable", msg.Header.Get("Content-Transfer-Encoding"))
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(shown.Text), strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	assert.Contains(t, string(text), "#token="+shown.InviteToken)
}

func TestAMailThatIsRefusedCanBeSentAgain(t *testing.T) {
	t.Parallel()
	addr, _ := mailServer(t, true)
	var log lockedBuffer
	a, svc := startOn(t, startServer(t), slog.New(slog.NewTextHandler(&log, nil)), config{demo: true, smtp: smtpConfig{addr: addr, from: "notes@notes.example"}})
	ada, acme := a.signIn(t, "ada@acme.example"), tenantView{Slug: "acme-corp"}
	d := requireProblem(t, a.tryInvite(t, ada, acme, newEmail(), "member"), 503, tenant.CodeUnavailable)
	assert.Contains(t, d.Detail, "resend")
	assert.NotContains(t, d.Detail, "mailbox", "what the mail server says stays inside")
	list := as[invitesView](t, a.inTenant(t, ada, acme, "GET", "/v1/invites", ""), 200)
	require.Len(t, list.Invites, 1)
	assert.Equal(t, invite.StatusPending, list.Invites[0].Status)
	require.NoError(t, svc.close())
	assert.Contains(t, log.String(), "reply 550 of the mail server")
	assert.NotContains(t, log.String(), "@new.example")
}

func TestSettingsOfAMailServerThatCantBeAreRefused(t *testing.T) {
	t.Parallel()
	const from = "notes@notes.example"
	for name, cfg := range map[string]smtpConfig{
		"no port":                    {addr: "mail.example", from: from},
		"no host":                    {addr: ":25", from: from},
		"port zero":                  {addr: "mail.example:0", from: from},
		"a port by name":             {addr: "mail.example:smtp", from: from},
		"no sender":                  {addr: "mail.example:25"},
		"a sender that is none":      {addr: "mail.example:25", from: "nobody"},
		"a name without a password":  {addr: "mail.example:25", from: from, username: "u"},
		"a password without a name":  {addr: "mail.example:25", from: from, password: "secret-word"},
		"a sender of several people": {addr: "mail.example:25", from: "a@b.example, c@d.example"},
	} {
		_, err := newSMTPSender(cfg)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), "SMTP_", name)
		assert.NotContains(t, err.Error(), "secret-word", name)
	}
	sender, err := newSMTPSender(smtpConfig{})
	require.NoError(t, err)
	assert.Nil(t, sender)
	_, err = newSMTPSender(smtpConfig{addr: "mail.example:587", from: from, username: "u", password: "p"})
	require.NoError(t, err)
}

func TestAPasswordIsSentToNoServerWithoutTLS(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"mail.example": "TLSMandatory", "10.0.0.1": "TLSMandatory", "localhost": "TLSOpportunistic", "127.0.0.1": "TLSOpportunistic", "::1": "TLSOpportunistic",
	} {
		sender, err := newSMTPSender(smtpConfig{addr: net.JoinHostPort(host, "587"), from: "notes@notes.example", username: "u", password: "p"})
		require.NoError(t, err)
		assert.Equal(t, want, sender.client.TLSPolicy(), host)
	}
}
