package invite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Joinable is a tenant that a user can join by their address.
type Joinable struct {
	Tenant    tenant.Tenant
	Role      Role
	OnRequest bool
}

// errNoDomain is ErrForbidden for who has no address of the tenant's.
var errNoDomain = &tenant.Error{Code: tenant.CodeForbidden, Detail: "the tenant lets nobody join by the domain of this e-mail address"}

// domainOf is the domain of a verified address, and the address in canonical form.
func domainOf(who User) (domain, email string, err error) {
	email, err = CanonicalEmail(who.VerifiedEmail)
	if err != nil {
		return "", "", errNoDomain
	}
	_, domain, _ = strings.Cut(email, "@")
	return domain, email, nil
}

// For lists the active tenants that a user can join by their verified address and does not
// belong to, in the order of their slugs, the first [MaxListed] of them.
func (d *Domains) For(ctx context.Context, who User) ([]Joinable, error) {
	domain, _, err := domainOf(who)
	if err != nil || d.isRefused(domain) || !isUserID(who.ID) {
		return []Joinable{}, nil //nolint:nilerr // nobody's address is of no domain
	}
	rows, _ := d.m.pool.Query(ctx, sqlJoinable, domain, d.m.now().Add(-d.cfg.Validity), who.ID, MaxListed) // CollectRows tells the error
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (j Joinable, err error) {
		err = scanTenant(&j.Tenant, row, &j.Role, &j.OnRequest)
		return j, err
	})
	if err != nil {
		return nil, fmt.Errorf("invite: list what a user can join: %w", err)
	}
	return found, nil
}

// Join makes a user a member by their verified address, if its domain is proved to be the
// tenant's, or notes that they ask to be let in, when requested is true; asking again
// changes nothing. The error is [ErrForbidden] for an address of another domain, and
// otherwise as of [Members.Accept].
func (d *Domains) Join(ctx context.Context, in tenant.ID, who User) (joined Membership, requested bool, err error) {
	if err := checkUserID(who.ID); err != nil {
		return Membership{}, false, err
	}
	domain, email, err := domainOf(who)
	if err != nil {
		return Membership{}, false, err
	}
	err = d.m.change(ctx, "join by a domain", in, func(c *change) error {
		rule, err := d.open(ctx, c, domain)
		if err != nil {
			return err
		}
		if requested = rule.OnRequest; requested {
			return d.request(ctx, c, JoinRequest{UserID: who.ID, Email: email, Domain: domain})
		}
		member, err := d.admit(ctx, c, By(who.ID), Member{UserID: who.ID, Email: email, Role: rule.Role})
		joined = Membership{Tenant: c.tenant, Role: member.Role, Version: member.Version}
		return err
	})
	if err != nil {
		return Membership{}, false, err
	}
	return joined, requested, nil
}

// open is the rule of a domain by which users join the tenant at this moment.
func (d *Domains) open(ctx context.Context, c *change, domain string) (DomainRule, error) {
	if err := c.tenant.Usable(); err != nil {
		return DomainRule{}, err
	}
	if d.isRefused(domain) {
		return DomainRule{}, errNoDomain
	}
	found, err := d.scanDomain(c.tx.QueryRow(ctx, sqlDomain, c.tenant.ID, domain))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return DomainRule{}, errNoDomain
	case err != nil:
		return DomainRule{}, fmt.Errorf("look up the domain: %w", err)
	case found.VerifiedAt.IsZero() || c.now.Sub(found.VerifiedAt) >= d.cfg.Validity:
		return DomainRule{}, errNoDomain
	case d.m.cfg.Roles.Has(found.Role, PermManageMembers): // the product has changed its roles
		return DomainRule{}, errNoDomain
	}
	if _, err := d.m.cfg.Roles.Parse(string(found.Role)); err != nil {
		return DomainRule{}, errNoDomain
	}
	return found.DomainRule, nil
}

func (d *Domains) request(ctx context.Context, c *change, r JoinRequest) error {
	_, err := c.member(ctx, r.UserID)
	if err == nil {
		return ErrAlreadyMember
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	tag, err := c.tx.Exec(ctx, sqlRequest, c.tenant.ID, r.UserID, r.Email, r.Domain, c.now)
	if err != nil {
		return fmt.Errorf("insert the request: %w", err)
	}
	if tag.RowsAffected() > 0 {
		c.told(EventJoinRequested, nil, map[string]string{"user": r.UserID, "domain": r.Domain})
	}
	return nil
}

// admit adds a member, and closes what else would have let them in.
func (d *Domains) admit(ctx context.Context, c *change, by Actor, who Member) (Member, error) {
	member, err := c.join(ctx, who)
	if err != nil {
		return Member{}, err
	}
	if _, err := c.tx.Exec(ctx, sqlEndRequest, c.tenant.ID, who.UserID); err != nil {
		return Member{}, fmt.Errorf("delete the request: %w", err)
	}
	if err := c.replacePending(ctx, ByProgram(), d.m.cfg.Roles.Owner(), who.Email); err != nil {
		return Member{}, err
	}
	c.told(EventMemberAdded, nil, describe(member, by))
	return member, nil
}

// Requests lists who waits to be let in, the first who asked first, up to [MaxListed]. Who
// may see them is for the caller to say.
func (d *Domains) Requests(ctx context.Context, in tenant.ID) ([]JoinRequest, error) {
	rows, _ := d.m.pool.Query(ctx, sqlRequests, in, MaxListed) // CollectRows tells the error
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (JoinRequest, error) { return scanRequest(row) })
	if err != nil {
		return nil, fmt.Errorf("invite: list requests: %w", err)
	}
	return found, nil
}

func scanRequest(row pgx.Row) (JoinRequest, error) {
	var r JoinRequest
	err := row.Scan(&r.UserID, &r.Email, &r.Domain, &r.CreatedAt)
	r.CreatedAt = r.CreatedAt.UTC()
	return r, err
}

// Approve lets a user in who waits, in the role of the domain's rule. Who acts needs
// [PermManageMembers] and a role that covers it. Errors: [ErrNotFound] when the user does
// not wait, and those of [Domains.Join].
func (d *Domains) Approve(ctx context.Context, in tenant.ID, by Actor, userID string) (Member, error) {
	var member Member
	err := d.m.change(ctx, "let a user in", in, func(c *change) error {
		own, r, err := d.waiting(ctx, c, by, userID)
		if err != nil {
			return err
		}
		rule, err := d.open(ctx, c, r.Domain)
		if err != nil {
			return err
		}
		if !d.m.mayGrant(own, rule.Role) {
			return ErrForbidden
		}
		member, err = d.admit(ctx, c, by, Member{UserID: userID, Email: r.Email, Role: rule.Role})
		return err
	})
	if err != nil {
		return Member{}, err
	}
	return member, nil
}

// Reject does not let a user in who waits; they may ask again. Who acts needs
// [PermManageMembers]. The error is [ErrNotFound] when the user does not wait.
func (d *Domains) Reject(ctx context.Context, in tenant.ID, by Actor, userID string) error {
	return d.m.change(ctx, "reject a user", in, func(c *change) error {
		_, r, err := d.waiting(ctx, c, by, userID)
		if err != nil {
			return err
		}
		if _, err := c.tx.Exec(ctx, sqlEndRequest, in, userID); err != nil {
			return fmt.Errorf("delete the request: %w", err)
		}
		said := map[string]string{"user": userID, "domain": r.Domain}
		if name := by.name(); name != "" {
			said["by"] = name
		}
		c.told(EventJoinRejected, said, nil)
		return nil
	})
}

// waiting is the request of a user, and the role of the one who decides.
func (d *Domains) waiting(ctx context.Context, c *change, by Actor, userID string) (Role, JoinRequest, error) {
	own, err := c.manager(ctx, by)
	if err != nil {
		return "", JoinRequest{}, err
	}
	if !isUserID(userID) {
		return "", JoinRequest{}, ErrNotFound
	}
	r, err := scanRequest(c.tx.QueryRow(ctx, sqlRequestOf, c.tenant.ID, userID))
	return own, r, orNotFound(err, "look up a request")
}
