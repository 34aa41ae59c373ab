package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// errNoMail says that nobody can be invited, before an invitation takes a seat.
var errNoMail = &tenant.Error{Code: tenant.CodeUnavailable, Detail: "the service has no mail server, so nobody can be invited"}

// mailer sends the mails of invitations: to a mail server, to the outbox of the
// demonstration, or to both. Neither is what a service has that was told of no server.
type mailer struct {
	smtp   *smtpSender
	outbox *outbox
}

func (m mailer) works() bool { return m.smtp != nil || m.outbox != nil }

// Send sends one mail. The outbox has it as well when the mail server has refused it.
func (m mailer) Send(ctx context.Context, mail invite.Mail) error {
	msg := messageOf(mail)
	if m.outbox != nil {
		m.outbox.add(msg)
	}
	if m.smtp != nil {
		return m.smtp.send(ctx, msg)
	}
	return nil
}

// message is a mail as it is sent, and as the outbox shows it.
type message struct {
	To          string `json:"to"`
	Subject     string `json:"subject"`
	Text        string `json:"text"`
	InviteToken string `json:"invite_token"`
}

// messageOf writes the mail of an invitation. It is plain text, in which nothing that
// people have called a tenant can be more than text.
func messageOf(mail invite.Mail) message {
	var text strings.Builder
	fmt.Fprintf(&text, "You are invited to join %s on Notes, as %s.\n\n", mail.Tenant.Name, mail.Role)
	fmt.Fprintf(&text, "Open this link to see the invitation, sign in as %s, and accept it:\n\n%s\n\n", mail.To, mail.Link)
	fmt.Fprintf(&text, "It works once, until %s.\n", mail.ExpiresAt.UTC().Format(time.RFC1123))
	fmt.Fprintf(&text, "Whoever did not expect this mail can leave it alone: without the link nothing happens.\n")
	return message{
		To:          mail.To,
		Subject:     "Join " + mail.Tenant.Name + " on Notes",
		Text:        text.String(),
		InviteToken: string(mail.Secret),
	}
}
