package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"
)

// smtpConfig says by which server mails are sent.
type smtpConfig struct {
	addr               string // host:port; empty: none
	from               string // the address that mails are from
	username, password string // both or neither
}

// implicitTLS is the port on which TLS comes before SMTP (RFC 8314, 3.3).
const implicitTLS = 465

// smtpSender sends mails by a server, each over a connection of its own.
type smtpSender struct {
	client *mail.Client
	from   string
}

// newSMTPSender is nil when no server is configured. TLS is used when the server has it;
// without it the password is sent to nobody but a server on this machine.
func newSMTPSender(cfg smtpConfig) (*smtpSender, error) {
	if cfg.addr == "" {
		return nil, nil
	}
	host, portName, err := net.SplitHostPort(cfg.addr)
	if err != nil {
		return nil, fmt.Errorf("SMTP_ADDR: %w", err)
	}
	port, err := strconv.ParseUint(portName, 10, 16)
	if err != nil || host == "" || port == 0 {
		return nil, errors.New("SMTP_ADDR is not of the form host:port, such as mail.example.com:587")
	}
	if err := mail.NewMsg().From(cfg.from); err != nil {
		return nil, fmt.Errorf("SMTP_FROM: %w", err)
	}
	if (cfg.username == "") != (cfg.password == "") {
		return nil, errors.New("SMTP_USERNAME and SMTP_PASSWORD go together: set both or neither")
	}
	client, err := mail.NewClient(host, smtpOptions(cfg, host, int(port))...)
	if err != nil {
		return nil, fmt.Errorf("SMTP_ADDR: %w", err)
	}
	return &smtpSender{client: client, from: cfg.from}, nil
}

func smtpOptions(cfg smtpConfig, host string, port int) []mail.Option {
	options := []mail.Option{mail.WithPort(port), mail.WithTLSPolicy(mail.TLSOpportunistic)}
	if port == implicitTLS {
		options = append(options, mail.WithSSL())
	}
	if cfg.username != "" {
		options = append(options, mail.WithUsername(cfg.username), mail.WithPassword(cfg.password), mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
		}
	}
	return options
}

// send sends one mail; ctx bounds it.
func (s *smtpSender) send(ctx context.Context, m message) error {
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(s.from), msg.To(m.To)); err != nil {
		return fmt.Errorf("address a mail: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.SetDate()
	msg.SetMessageID()
	err := s.client.DialAndSendWithContext(ctx, msg)
	if refused, ok := errors.AsType[*mail.SendError](err); ok {
		// Its text has the recipient, whom no log is to have.
		return fmt.Errorf("send a mail: %s, reply %d of the mail server", refused.Reason, refused.ErrorCode())
	}
	if err != nil {
		return fmt.Errorf("send a mail: %w", err)
	}
	return nil
}
