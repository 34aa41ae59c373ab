package invite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// What happens to a tenant's members and invitations. Their events say who, in which role
// and by whom, with the ids of users; addresses are not in them, for an event outlives
// those whom it is about.
const (
	EventMemberAdded   tenantdb.EventKind = "member.added"
	EventRoleChanged   tenantdb.EventKind = "member.role_changed"
	EventMemberRemoved tenantdb.EventKind = "member.removed"
	EventInvited       tenantdb.EventKind = "invite.created"
	EventResent        tenantdb.EventKind = "invite.resent"
	EventAccepted      tenantdb.EventKind = "invite.accepted"
	EventDeclined      tenantdb.EventKind = "invite.declined"
	EventRevoked       tenantdb.EventKind = "invite.revoked"
	EventReplaced      tenantdb.EventKind = "invite.replaced" // by a later one, or because the address joined in another way
)

// change is one transaction that changes the people of one tenant, which it holds. Nothing
// else changes them meanwhile, so what it reads stays true until it ends.
type change struct {
	m       *Members
	tx      pgx.Tx
	tenant  tenant.Tenant
	now     time.Time
	events  []tenantdb.Event
	touched map[string]struct{} // users whose membership is another now
}

// change runs fn while it holds the tenant, and commits what fn and its events have
// written; with an error, nothing is. The error tells what was to be done.
func (m *Members) change(ctx context.Context, what string, in tenant.ID, fn func(c *change) error) error {
	// Counting needs to see what the transaction before has committed, whatever the
	// server's default isolation is.
	begin := fmt.Sprintf(`BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = %d`, m.cfg.LockTimeout.Milliseconds())
	var done *change
	err := pgx.BeginTxFunc(ctx, m.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		c, err := m.begin(ctx, tx, in)
		if err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
		done = c
		return c.writeEvents(ctx)
	})
	if done != nil { // with an error too, because a commit whose answer was lost may have been done
		done.announce()
	}
	if err != nil {
		return fmt.Errorf("invite: %s: %w", what, err)
	}
	return nil
}

// announce has everybody who is told read again what the change has touched.
func (c *change) announce() {
	for _, user := range slices.Sorted(maps.Keys(c.touched)) {
		c.m.cache.Forget(c.tenant.ID, user)
		if c.m.cfg.OnChange != nil {
			c.m.cfg.OnChange(c.tenant.ID, user)
		}
	}
}

// begin takes hold of the tenant in a transaction. The error is [tenant.ErrNotFound], or
// [tenant.ErrGone] for a tenant that is deleted.
func (m *Members) begin(ctx context.Context, tx pgx.Tx, in tenant.ID) (*change, error) {
	var t tenant.Tenant
	var isolation string
	err := scanTenant(&t, tx.QueryRow(ctx, sqlLockTenant, in), &isolation)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, tenant.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("hold the tenant: %w", err)
	case isolation != "read committed":
		return nil, fmt.Errorf("the transaction is %s, and would not see who joined last: make it READ COMMITTED", isolation)
	case t.Status == tenant.StatusDeleted:
		return nil, tenant.ErrGone
	}
	return &change{m: m, tx: tx, tenant: t, now: m.now(), touched: make(map[string]struct{})}, nil
}

// actor is the role of the one who acts, as it is now; the owner's for the program. People
// act in a tenant that is active alone. Errors: those of [tenant.Tenant.Usable],
// ErrNotAMember.
func (c *change) actor(ctx context.Context, by Actor) (Role, error) {
	if by.program {
		return c.m.cfg.Roles.Owner(), nil
	}
	if err := c.tenant.Usable(); err != nil {
		return "", err
	}
	who, err := c.member(ctx, by.userID)
	if errors.Is(err, ErrNotFound) {
		return "", ErrNotAMember
	}
	return who.Role, err
}

// manager is the role of the one who acts, who needs to be allowed to manage members. It is
// asked before anything is told of the tenant's members and invitations.
func (c *change) manager(ctx context.Context, by Actor) (Role, error) {
	own, err := c.actor(ctx, by)
	if err != nil {
		return "", err
	}
	if !c.m.mayGrant(own) {
		return "", ErrForbidden
	}
	return own, nil
}

// mayGrant reports whether a member with a role may manage members, and give and take these
// roles. One that is not the product's any more allows nothing, so any manager may take it.
func (m *Members) mayGrant(own Role, roles ...Role) bool {
	if !m.cfg.Roles.Has(own, PermManageMembers) {
		return false
	}
	for _, r := range roles {
		if len(m.cfg.Roles.sets[r]) > 0 && !m.cfg.Roles.Covers(own, r) {
			return false
		}
	}
	return true
}

// member reads a member of the tenant. The error is ErrNotFound when there is none.
func (c *change) member(ctx context.Context, userID string) (Member, error) {
	m, err := readMember(ctx, c.tx, c.tenant.ID, userID)
	if errors.Is(err, pgx.ErrNoRows) {
		return Member{}, ErrNotFound
	}
	return m, err
}

// keepOwner refuses a change by which the member is no longer an owner, if there is no other.
func (c *change) keepOwner(ctx context.Context, was Member) error {
	owner := c.m.cfg.Roles.Owner()
	if was.Role != owner {
		return nil
	}
	var other bool
	if err := c.tx.QueryRow(ctx, sqlHasOtherOwner, c.tenant.ID, owner, was.UserID).Scan(&other); err != nil {
		return fmt.Errorf("look for another owner: %w", err)
	}
	if !other {
		return ErrLastOwner
	}
	return nil
}

// told notes an event, to be written at the end of the transaction.
func (c *change) told(kind tenantdb.EventKind, before, after map[string]string) {
	c.events = append(c.events, tenantdb.Event{
		Tenant: c.tenant.ID, Kind: kind, Version: c.tenant.Version, Before: before, After: after, At: c.now,
	})
}

func (c *change) writeEvents(ctx context.Context) error {
	for _, e := range c.events {
		if err := tenantdb.WriteEvent(ctx, c.tx, e); err != nil {
			return err
		}
	}
	c.events = nil
	return nil
}

// describe is what an event says of a member.
func describe(m Member, by Actor) map[string]string {
	said := map[string]string{"user": m.UserID, "role": string(m.Role), "version": strconv.FormatInt(m.Version, 10)}
	if name := by.name(); name != "" {
		said["by"] = name
	}
	return said
}
