package invite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// User is someone who is signed in, as the application knows them.
type User struct {
	ID string // opaque, up to MaxUserIDLen bytes

	// VerifiedEmail is the address that is proved to be the user's. It must never be one
	// that the user has merely typed: whoever has it gets its invitations. Empty when there
	// is none.
	VerifiedEmail string
}

// Preview is what an invitation would do.
type Preview struct {
	Tenant    tenant.Tenant
	Email     string // the invited address, in the form of CanonicalEmail
	Role      Role
	ExpiresAt time.Time
}

// Preview tells what accepting the invitation with this secret would do, without doing
// it: nothing is written, so it is safe for links that a mail scanner follows. No user is
// needed. The error is [ErrInviteExpired] for an invitation that can't be accepted, or that
// of a tenant that is not active, see [tenant.Tenant.Usable].
func (m *Members) Preview(ctx context.Context, secret Secret) (Preview, error) {
	inv, t, err := m.bySecret(ctx, secret)
	if err != nil {
		return Preview{}, fmt.Errorf("invite: preview: %w", err)
	}
	if err := t.Usable(); err != nil {
		return Preview{}, fmt.Errorf("invite: preview: %w", err)
	}
	if inv.at(m.now()).Status != StatusPending {
		return Preview{}, ErrInviteExpired
	}
	if err := m.checkGrant(ctx, m.pool, inv); err != nil {
		return Preview{}, fmt.Errorf("invite: preview: %w", err)
	}
	return Preview{Tenant: t, Email: inv.Email, Role: inv.Role, ExpiresAt: inv.ExpiresAt}, nil
}

// Accept makes a user a member by the secret of an invitation, whose address must be the
// user's verified one. It is one transaction: all of it is done, or nothing, the
// invitation being left as it was. The same user may accept again and gets the membership
// that it has come to; anybody else finds the invitation used.
//
// The errors are [ErrInviteExpired], [ErrEmailMismatch], [ErrAlreadyMember] also when the
// user has joined in another way, [ErrSeatLimit], that of a tenant that is not active, see
// [tenant.Tenant.Usable], and one of the code [tenant.CodeValidationFailed] for a user
// without an id.
func (m *Members) Accept(ctx context.Context, secret Secret, who User) (Membership, error) {
	if err := checkUserID(who.ID); err != nil {
		return Membership{}, err
	}
	found, _, err := m.bySecret(ctx, secret)
	if err != nil {
		return Membership{}, fmt.Errorf("invite: accept: %w", err)
	}
	hash, _ := secret.hash()
	var joined Membership
	err = m.change(ctx, "accept", found.TenantID, func(c *change) error {
		if err := c.tenant.Usable(); err != nil {
			return err
		}
		member, err := c.accept(ctx, found.ID, hash, who)
		joined = Membership{Tenant: c.tenant, Role: member.Role, Version: member.Version}
		return err
	})
	if err != nil {
		return Membership{}, err
	}
	return joined, nil
}

// accept takes the invitation, then asks whether it may be taken: what fails undoes it all.
func (c *change) accept(ctx context.Context, id string, hash []byte, who User) (Member, error) {
	inv, err := scanInvitation(c.tx.QueryRow(ctx, sqlAccept, c.tenant.ID, id, hash, c.now, who.ID))
	if errors.Is(err, pgx.ErrNoRows) {
		return c.acceptedBefore(ctx, id, who)
	}
	if err != nil {
		return Member{}, fmt.Errorf("take the invitation: %w", err)
	}
	if !sameAddress(inv.Email, who.VerifiedEmail) {
		return Member{}, ErrEmailMismatch
	}
	if err := c.m.checkGrant(ctx, c.tx, inv); err != nil {
		return Member{}, err
	}
	member, err := c.join(ctx, Member{UserID: who.ID, Email: inv.Email, Role: inv.Role})
	if err != nil {
		return Member{}, err
	}
	c.told(EventAccepted, nil, describeInvitation(inv, By(who.ID)))
	c.told(EventMemberAdded, nil, describe(member, By(inv.InvitedBy)))
	return member, nil
}

// acceptedBefore is the membership of a user who has accepted the invitation before, and is
// a member still. The secret was this one's when the invitation was found by it.
func (c *change) acceptedBefore(ctx context.Context, id string, who User) (Member, error) {
	inv, err := readInvitation(ctx, c.tx, c.tenant.ID, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Member{}, err
	}
	if inv.Status != StatusAccepted || inv.AcceptedBy != who.ID {
		return Member{}, ErrInviteExpired
	}
	member, err := c.member(ctx, who.ID)
	if errors.Is(err, ErrNotFound) {
		return Member{}, ErrInviteExpired // removed since: the invitation lets nobody in again
	}
	return member, err
}

// sameAddress compares the invited address, in canonical form, with a verified one.
func sameAddress(invited, verified string) bool {
	canonical, err := CanonicalEmail(verified)
	return err == nil && canonical == invited
}

// checkGrant finds out whether the one who vouches for an invitation may still give its
// role. The error is ErrInviteExpired.
func (m *Members) checkGrant(ctx context.Context, q querier, inv Invitation) error {
	if _, err := m.cfg.Roles.Parse(string(inv.Role)); err != nil {
		return ErrInviteExpired // the product has no such role any more
	}
	if inv.InvitedBy == "" {
		return nil // the program
	}
	inviter, err := readMember(ctx, q, inv.TenantID, inv.InvitedBy)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if !m.mayGrant(inviter.Role, inv.Role) {
		return ErrInviteExpired
	}
	return nil
}

// Decline closes an invitation on behalf of the one who was invited, and frees its seat.
// Whoever has the secret may do so, for who does not want to join needs no account. One
// that is declined already stays so. Errors besides those of [Members]:
// [ErrInviteExpired] for one that can't be accepted.
func (m *Members) Decline(ctx context.Context, secret Secret) error {
	found, _, err := m.bySecret(ctx, secret)
	if err != nil {
		return fmt.Errorf("invite: decline: %w", err)
	}
	return m.change(ctx, "decline", found.TenantID, func(c *change) error {
		inv, _, err := m.bySecretIn(ctx, c.tx, secret) // again, now that nothing changes it
		if err != nil {
			return err
		}
		status := inv.at(c.now).Status
		if status == StatusDeclined {
			return nil
		}
		if status != StatusPending {
			return ErrInviteExpired
		}
		return c.close(ctx, inv, StatusDeclined, EventDeclined, Actor{})
	})
}

// bySecret finds an invitation, of whatever status, and its tenant. The error is
// ErrInviteExpired when no invitation has the secret.
func (m *Members) bySecret(ctx context.Context, secret Secret) (Invitation, tenant.Tenant, error) {
	return m.bySecretIn(ctx, m.pool, secret)
}

func (m *Members) bySecretIn(ctx context.Context, q querier, secret Secret) (inv Invitation, t tenant.Tenant, err error) {
	hash, ok := secret.hash()
	if !ok {
		return inv, t, ErrInviteExpired
	}
	inv, err = scanInvitation(q.QueryRow(ctx, sqlBySecret, hash), &t.ID, &t.Slug, &t.Name, &t.Status, &t.Plan, &t.Version, &t.CreatedAt)
	t.CreatedAt = t.CreatedAt.UTC()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return inv, t, ErrInviteExpired
	case err != nil:
		return inv, t, fmt.Errorf("look up an invitation: %w", err)
	}
	return inv, t, nil
}
