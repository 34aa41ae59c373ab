package invite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// errNoSender is for the log of whoever forgot the configuration.
var errNoSender = errors.New("invite: no Sender in the Config: it is who tells the invited")

// Invite asks an address to join a tenant in a role, and sends the mail. The one who acts
// needs [PermManageMembers] and a role that covers the one given, then and when it is
// accepted. The invitation takes a seat until it expires. An earlier one that is pending
// for the address is replaced, and its secret is dead; it takes a role that covers its
// role too. How many mails are sent is for a quota to limit.
//
// Errors besides those of [Members]: [ErrAlreadyMember] for the address of a member,
// [ErrSeatLimit], [ErrBadEmail] and [ErrBadRole] with the code
// [tenant.CodeValidationFailed]. With [ErrNotSent] the invitation is made and returned.
func (m *Members) Invite(ctx context.Context, in tenant.ID, by Actor, email string, role Role) (Invitation, error) {
	if m.cfg.Sender == nil {
		return Invitation{}, errNoSender
	}
	email, err := CanonicalEmail(email)
	if err != nil {
		return Invitation{}, invalid("email", err)
	}
	if role, err = m.cfg.Roles.Parse(string(role)); err != nil {
		return Invitation{}, err
	}
	secret, hash, err := newSecret(m.cfg.Random)
	if err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	id, err := tenant.NewIDFrom(m.cfg.Now(), m.cfg.Random)
	if err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	var made Invitation
	var t tenant.Tenant
	err = m.change(ctx, "invite", in, func(c *change) error {
		t = c.tenant
		own, err := c.manager(ctx, by)
		if err != nil {
			return err
		}
		if !m.mayGrant(own, role) {
			return ErrForbidden
		}
		if err := c.checkNewAddress(ctx, email); err != nil {
			return err
		}
		if err := c.replacePending(ctx, by, own, email); err != nil {
			return err
		}
		made, err = scanInvitation(c.tx.QueryRow(ctx, sqlInsertInvitation,
			id.String(), in, email, role, by.userID, hash, c.now, c.now.Add(m.cfg.Expiry)))
		if err != nil {
			return fmt.Errorf("insert the invitation: %w", err)
		}
		c.told(EventInvited, nil, describeInvitation(made, by))
		return nil
	})
	if err != nil {
		return Invitation{}, err
	}
	return made, m.send(ctx, t, made, secret)
}

// checkNewAddress refuses the address of a member, and one for which there is no seat.
func (c *change) checkNewAddress(ctx context.Context, email string) error {
	var member bool
	if err := c.tx.QueryRow(ctx, sqlEmailIsMember, c.tenant.ID, email).Scan(&member); err != nil {
		return fmt.Errorf("look up the address: %w", err)
	}
	if member {
		return ErrAlreadyMember
	}
	return c.takeSeat(ctx, email)
}

// replacePending closes the pending invitation of an address, expired or not, if there is
// one and the role of the one who acts covers its own.
func (c *change) replacePending(ctx context.Context, by Actor, own Role, email string) error {
	pending, err := scanInvitation(c.tx.QueryRow(ctx, sqlPendingOf, c.tenant.ID, email))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up the pending invitation: %w", err)
	}
	if !c.m.mayGrant(own, pending.Role) {
		return ErrForbidden
	}
	return c.close(ctx, pending, StatusReplaced, EventReplaced, by)
}

// close ends a pending invitation.
func (c *change) close(ctx context.Context, inv Invitation, status Status, kind tenantdb.EventKind, by Actor) error {
	if _, err := c.tx.Exec(ctx, sqlClose, c.tenant.ID, inv.ID, string(status)); err != nil {
		return fmt.Errorf("close the invitation: %w", err)
	}
	c.told(kind, describeInvitation(inv, by), nil)
	return nil
}

// Resend renews an invitation that is pending or expired, and sends its mail again: with
// another secret, the earlier one being dead, and for the full time. The one who acts
// vouches for the role from then on, and needs what [Members.Invite] asks for; one that
// was expired needs a seat again.
//
// Errors besides those of [Members]: [ErrNotFound], [ErrInviteExpired] for one that is
// closed, [ErrAlreadyMember], [ErrSeatLimit]. With [ErrNotSent] the invitation is renewed
// and returned.
func (m *Members) Resend(ctx context.Context, in tenant.ID, by Actor, id string) (Invitation, error) {
	if m.cfg.Sender == nil {
		return Invitation{}, errNoSender
	}
	secret, hash, err := newSecret(m.cfg.Random)
	if err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	var renewed Invitation
	var t tenant.Tenant
	err = m.change(ctx, "resend an invitation", in, func(c *change) error {
		t = c.tenant
		old, err := c.pending(ctx, by, id)
		if err != nil {
			return err
		}
		if err := c.checkNewAddress(ctx, old.Email); err != nil {
			return err
		}
		renewed, err = scanInvitation(c.tx.QueryRow(ctx, sqlRenew, in, id, hash, c.now.Add(m.cfg.Expiry), by.userID))
		if err != nil {
			return fmt.Errorf("renew the invitation: %w", err)
		}
		c.told(EventResent, nil, describeInvitation(renewed, by))
		return nil
	})
	if err != nil {
		return Invitation{}, err
	}
	return renewed, m.send(ctx, t, renewed, secret)
}

// Revoke takes an invitation back: its secret is dead, its seat free. The one who acts
// needs [PermManageMembers] and a role that covers that of the invitation. One that is
// revoked already stays so. Errors besides those of [Members]: [ErrNotFound],
// [ErrInviteExpired] for one that was closed in another way.
func (m *Members) Revoke(ctx context.Context, in tenant.ID, by Actor, id string) error {
	return m.change(ctx, "revoke an invitation", in, func(c *change) error {
		inv, err := c.pending(ctx, by, id)
		if errors.Is(err, ErrInviteExpired) && inv.Status == StatusRevoked {
			return nil
		}
		if err != nil {
			return err
		}
		return c.close(ctx, inv, StatusRevoked, EventRevoked, by)
	})
}

// pending is an invitation that the one who acts may change. One that is closed comes with
// ErrInviteExpired.
func (c *change) pending(ctx context.Context, by Actor, id string) (Invitation, error) {
	own, err := c.manager(ctx, by)
	if err != nil {
		return Invitation{}, err
	}
	inv, err := readInvitation(ctx, c.tx, c.tenant.ID, id)
	if err != nil {
		return Invitation{}, err
	}
	if !c.m.mayGrant(own, inv.Role) {
		return Invitation{}, ErrForbidden
	}
	if inv.Status != StatusPending {
		return inv, ErrInviteExpired
	}
	return inv, nil
}

// Invitation is one invitation of a tenant. The error is [ErrNotFound] when there is none
// with this id, also for that of another tenant's. Who may see it is for the caller to say.
func (m *Members) Invitation(ctx context.Context, in tenant.ID, id string) (Invitation, error) {
	inv, err := readInvitation(ctx, m.pool, in, id)
	if err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	return inv.at(m.now()), nil
}

// readInvitation is an invitation as the database has it, or ErrNotFound.
func readInvitation(ctx context.Context, q querier, in tenant.ID, id string) (Invitation, error) {
	if _, err := tenant.ParseID(id); err != nil { // no invitation has such an id
		return Invitation{}, ErrNotFound
	}
	inv, err := scanInvitation(q.QueryRow(ctx, sqlInvitation, in, id))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Invitation{}, ErrNotFound
	case err != nil:
		return Invitation{}, fmt.Errorf("look up an invitation: %w", err)
	}
	return inv, nil
}

// Invitations lists a tenant's invitations: those that are pending first, and of these as
// of the rest the newest first. It reads page by page, as [Members.OfTenant] does, and is
// as little guarded.
func (m *Members) Invitations(ctx context.Context, in tenant.ID) iter.Seq2[Invitation, error] {
	return func(yield func(Invitation, error) bool) {
		now := m.now()
		for _, pending := range [...]bool{true, false} {
			if !m.listInvitations(ctx, in, now, pending, yield) {
				return
			}
		}
	}
}

// listInvitations yields either kind, and reports whether the list goes on.
func (m *Members) listInvitations(ctx context.Context, in tenant.ID, now time.Time, pending bool, yield func(Invitation, error) bool) bool {
	for before := ""; ; {
		rows, _ := m.pool.Query(ctx, sqlInvitations, in, now, pending, before, pageSize) // CollectRows tells the error
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Invitation, error) { return scanInvitation(row) })
		if err != nil {
			yield(Invitation{}, fmt.Errorf("invite: list invitations: %w", err))
			return false
		}
		for _, inv := range page {
			if !yield(inv.at(now), nil) {
				return false
			}
			before = inv.ID
		}
		if len(page) < pageSize {
			return true
		}
	}
}
