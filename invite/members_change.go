package invite

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Add makes a user a member because the program says so: the owner of a new tenant, or
// someone whom a directory knows. Nobody's role is asked, but the policy and the seats are.
// Of who, Version and JoinedAt are not looked at. A pending invitation of the address is
// closed, and frees its seat.
//
// It is part of a transaction of the caller's on a connection of the control role, such as
// that of [tenantdb.NewTenant]'s Seed, at the isolation READ COMMITTED. Call it last:
// it holds the tenant and then the place where events are numbered, for which those of
// other tenants wait, until that transaction ends.
//
// The errors are [ErrAlreadyMember], [ErrSeatLimit], those of [Members], and ones of the
// code [tenant.CodeValidationFailed]. After these, the transaction can go on.
func (m *Members) Add(ctx context.Context, tx pgx.Tx, who Member) error {
	if err := m.add(ctx, tx, who); err != nil {
		return fmt.Errorf("invite: add a member: %w", err)
	}
	return nil
}

func (m *Members) add(ctx context.Context, tx pgx.Tx, who Member) error {
	if err := checkUserID(who.UserID); err != nil {
		return err
	}
	email, err := CanonicalEmail(who.Email)
	if err != nil {
		return invalid("email", err)
	}
	role, err := m.cfg.Roles.Parse(string(who.Role))
	if err != nil {
		return err
	}
	c, err := m.begin(ctx, tx, who.TenantID)
	if err != nil {
		return err
	}
	added, err := c.join(ctx, Member{UserID: who.UserID, Email: email, Role: role})
	if err != nil {
		return err
	}
	if err := c.replacePending(ctx, ByProgram(), m.cfg.Roles.Owner(), email); err != nil {
		return err
	}
	c.told(EventMemberAdded, nil, describe(added, ByProgram()))
	return c.writeEvents(ctx)
}

// join adds a member, if policy and seats allow it.
func (c *change) join(ctx context.Context, who Member) (Member, error) {
	_, err := c.member(ctx, who.UserID)
	switch {
	case err == nil:
		return Member{}, ErrAlreadyMember
	case !errors.Is(err, ErrNotFound):
		return Member{}, err
	}
	if err := c.checkOtherTenants(ctx, who.UserID); err != nil {
		return Member{}, err
	}
	if err := c.takeSeat(ctx, who.Email); err != nil {
		return Member{}, err
	}
	added, err := scanMember(c.tx.QueryRow(ctx, sqlJoin, c.tenant.ID, who.UserID, who.Email, who.Role, c.now))
	if err != nil {
		return Member{}, fmt.Errorf("insert the member: %w", err)
	}
	c.touched[who.UserID] = struct{}{}
	return added, nil
}

// checkOtherTenants keeps a user to one tenant, where that is the policy. Two tenants are
// two locks, so the user is locked too.
func (c *change) checkOtherTenants(ctx context.Context, userID string) error {
	if !c.m.cfg.OneTenantPerUser {
		return nil
	}
	if _, err := c.tx.Exec(ctx, sqlLockUser, userID); err != nil {
		return fmt.Errorf("hold the user: %w", err)
	}
	var other bool
	if err := c.tx.QueryRow(ctx, sqlInOtherTenant, userID, c.tenant.ID).Scan(&other); err != nil {
		return fmt.Errorf("look for the user's other tenants: %w", err)
	}
	if other {
		return errOtherTenant
	}
	return nil
}

// ChangeRole gives a member another role. The one who acts needs [PermManageMembers] and
// a role that covers both the old and the new one, also for their own. The role that the
// member has already changes nothing, not the version either.
//
// Errors besides those of [Members]: [ErrNotFound] when the user is no member,
// [ErrLastOwner], and [ErrBadRole] with the code [tenant.CodeValidationFailed].
func (m *Members) ChangeRole(ctx context.Context, in tenant.ID, by Actor, userID string, role Role) (Member, error) {
	role, err := m.cfg.Roles.Parse(string(role))
	if err != nil {
		return Member{}, err
	}
	var after Member
	err = m.change(ctx, "change a role", in, func(c *change) error {
		own, err := c.manager(ctx, by)
		if err != nil {
			return err
		}
		before, err := c.member(ctx, userID)
		if err != nil {
			return err
		}
		if !m.mayGrant(own, before.Role, role) {
			return ErrForbidden
		}
		after, err = c.setRole(ctx, by, before, role)
		return err
	})
	if err != nil {
		return Member{}, err
	}
	return after, nil
}

func (c *change) setRole(ctx context.Context, by Actor, before Member, role Role) (Member, error) {
	if before.Role == role {
		return before, nil
	}
	if err := c.keepOwner(ctx, before); err != nil {
		return Member{}, err
	}
	after, err := scanMember(c.tx.QueryRow(ctx, sqlSetRole, c.tenant.ID, before.UserID, role))
	if err != nil {
		return Member{}, fmt.Errorf("update the member: %w", err)
	}
	c.touched[before.UserID] = struct{}{}
	c.told(EventRoleChanged, describe(before, Actor{}), describe(after, by))
	return after, nil
}

// Remove ends a membership. The one who acts needs [PermManageMembers] and a role that
// covers the member's, unless it is their own membership. Errors besides those of
// [Members]: [ErrNotFound] when the user is no member, [ErrLastOwner].
func (m *Members) Remove(ctx context.Context, in tenant.ID, by Actor, userID string) error {
	return m.change(ctx, "remove a member", in, func(c *change) error {
		own, err := c.actor(ctx, by)
		if err != nil {
			return err
		}
		themselves := !by.program && by.userID == userID
		if !themselves && !m.mayGrant(own) { // before it is told who is a member
			return ErrForbidden
		}
		before, err := c.member(ctx, userID)
		if err != nil {
			return err
		}
		if !themselves && !m.mayGrant(own, before.Role) {
			return ErrForbidden
		}
		return c.remove(ctx, by, before)
	})
}

// Leave ends a user's own membership, for which no permission is needed. Errors as of
// Remove, and [ErrNotAMember] for a user who is none.
func (m *Members) Leave(ctx context.Context, in tenant.ID, userID string) error {
	return m.Remove(ctx, in, By(userID), userID)
}

func (c *change) remove(ctx context.Context, by Actor, before Member) error {
	if err := c.keepOwner(ctx, before); err != nil {
		return err
	}
	if _, err := c.tx.Exec(ctx, sqlRemove, c.tenant.ID, before.UserID); err != nil {
		return fmt.Errorf("delete the member: %w", err)
	}
	c.touched[before.UserID] = struct{}{}
	c.told(EventMemberRemoved, describe(before, by), nil)
	return nil
}

// TransferOwnership makes the member to an owner, and gives the owner from the role then,
// both or neither. Only from, who acts, can do so, being an owner.
//
// Errors besides those of [Members]: [ErrNotFound] when to is no member, and ones of the
// code [tenant.CodeValidationFailed] when to is from or then is unknown.
func (m *Members) TransferOwnership(ctx context.Context, in tenant.ID, from, to string, then Role) error {
	if from == to {
		return invalid("user_id", errors.New("ownership is transferred to another member"))
	}
	then, err := m.cfg.Roles.Parse(string(then))
	if err != nil {
		return err
	}
	return m.change(ctx, "transfer ownership", in, func(c *change) error {
		own, err := c.actor(ctx, By(from))
		if err != nil {
			return err
		}
		owner := m.cfg.Roles.Owner()
		if own != owner {
			return ErrForbidden
		}
		heir, err := c.member(ctx, to)
		if err != nil {
			return err
		}
		if _, err := c.setRole(ctx, By(from), heir, owner); err != nil {
			return err
		}
		giver, err := c.member(ctx, from)
		if err != nil {
			return err
		}
		_, err = c.setRole(ctx, By(from), giver, then)
		return err
	})
}
