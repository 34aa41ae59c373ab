package invite

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Mail is what the mail of an invitation is written from. The tenant's name and the
// inviter are what other people have typed: escape them in HTML.
//
// It is not shown by fmt and slog, because its Link has the secret. Encoded as JSON, for a
// queue, it is whole.
type Mail struct {
	Tenant    tenant.Tenant
	To        string // the invited address, in canonical form
	Role      Role
	InvitedBy string // the user's id; empty for the program
	Secret    Secret
	Link      string // Config.Link with the secret; empty when that is
	ExpiresAt time.Time
}

// String tells nothing that lets anybody join, and nobody's address.
func (m Mail) String() string { return "[mail of an invitation to " + string(m.Tenant.Slug) + "]" }

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (m Mail) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (m Mail) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Sender brings an invitation to its address. It is the one who is told the secret.
//
// Send is called after the invitation is committed, by several goroutines at once, with a
// context that lasts [Config.SendTimeout] and does not end with the request. When it fails,
// the invitation stays and can be sent again, with another secret.
type Sender interface {
	Send(ctx context.Context, mail Mail) error
}

// SenderFunc makes a [Sender] of a function.
type SenderFunc func(ctx context.Context, mail Mail) error

// Send calls f.
func (f SenderFunc) Send(ctx context.Context, mail Mail) error { return f(ctx, mail) }

// send hands an invitation over. The error is ErrNotSent.
func (m *Members) send(ctx context.Context, t tenant.Tenant, inv Invitation, secret Secret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.SendTimeout)
	defer cancel()
	mail := Mail{Tenant: t, To: inv.Email, Role: inv.Role, InvitedBy: inv.InvitedBy, Secret: secret, ExpiresAt: inv.ExpiresAt}
	if m.cfg.Link != "" {
		// A fragment is not sent to servers: no log and no Referer has it, and a scanner that
		// follows the links of mails has nothing to accept with.
		mail.Link = m.cfg.Link + "#token=" + string(secret)
	}
	err := m.cfg.Sender.Send(ctx, mail)
	if err == nil {
		return nil
	}
	return &tenant.Error{
		Code:       tenant.CodeUnavailable,
		Detail:     "the invitation is made, but its mail could not be sent: resend it",
		RetryAfter: time.Second,
		Err:        fmt.Errorf("invite: %w: %w", ErrNotSent, err),
	}
}
