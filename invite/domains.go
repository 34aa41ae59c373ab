package invite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
)

// Resolver looks TXT records up. [net.Resolver] is one. A name that has none, or that does
// not exist, is an error for which [net.DNSError] says IsNotFound, or no records.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// DomainConfig says how [Domains] works. Only the Resolver must be set.
type DomainConfig struct {
	// Resolver looks the proof of a domain up.
	Resolver Resolver

	// RecordPrefix is put before a domain for the name of its TXT record; empty means
	// _tenantwall. It begins with an underscore.
	RecordPrefix string

	// Refused are domains by which nobody joins, besides those of the large providers of
	// free mail, which are known. One that a tenant has already is no longer of use to it,
	// and can be removed. They are written as users write them; what is no domain is an
	// error.
	Refused []string

	// Validity is how long a proof lets users join, up to a year; 0 means 90 days. Domains
	// lapse, and whoever buys one has its addresses: [Domains.Verify] proves it anew, and a
	// job does so from time to time.
	Validity time.Duration
}

// The bounds of domains.
const (
	MaxDomains      = 50 // of a tenant
	maxValidity     = 366 * 24 * time.Hour
	defaultValidity = 90 * 24 * time.Hour
)

// Domains lets users join who have an address of a tenant's domain, for products that want
// this. It may be used by several goroutines at once. Errors are those of [Members] and
// those that its methods name.
type Domains struct {
	m   *Members
	cfg DomainConfig
}

// NewDomains makes Domains of the members that users join. It fails for settings that
// can't be.
func NewDomains(members *Members, cfg DomainConfig) (*Domains, error) {
	if cfg.RecordPrefix == "" {
		cfg.RecordPrefix = "_tenantwall"
	}
	if cfg.Validity == 0 {
		cfg.Validity = defaultValidity
	}
	switch {
	case members == nil:
		return nil, errors.New("invite: domains need the Members that users join")
	case cfg.Resolver == nil:
		return nil, errors.New("invite: DomainConfig.Resolver is nil: net.DefaultResolver is one")
	case cfg.RecordPrefix[0] != '_' || len(cfg.RecordPrefix) > 63 || !dnsname.Is(strings.ToLower(cfg.RecordPrefix[1:])):
		return nil, fmt.Errorf("invite: DomainConfig.RecordPrefix %q: an underscore and up to 62 letters, digits and hyphens", cfg.RecordPrefix)
	case cfg.Validity < 0 || cfg.Validity > maxValidity:
		return nil, fmt.Errorf("invite: DomainConfig.Validity is %s, and must be up to %s", cfg.Validity, maxValidity)
	}
	cfg.Refused = slices.Clone(cfg.Refused)
	for i, name := range cfg.Refused {
		canonical, err := dnsname.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("invite: DomainConfig.Refused: %.80q: %w", name, err)
		}
		cfg.Refused[i] = canonical
	}
	return &Domains{m: members, cfg: cfg}, nil
}

// Add notes a domain of a tenant, with the record that is to prove it, or changes the rule
// of one; what was proved stays so. Who acts needs [PermManageMembers] and a role that
// covers the rule's. Errors: [ErrBadDomain], [ErrBadRole] and others of the code
// [tenant.CodeValidationFailed].
func (d *Domains) Add(ctx context.Context, in tenant.ID, by Actor, rule DomainRule) (Domain, error) {
	name, err := d.parseJoinable(rule.Name)
	if err != nil {
		return Domain{}, err
	}
	rule.Name = name
	if _, err := d.m.cfg.Roles.Parse(string(rule.Role)); err != nil {
		return Domain{}, err
	}
	if d.m.cfg.Roles.Has(rule.Role, PermManageMembers) {
		return Domain{}, invalid("role", errors.New("whoever manages members is invited by name"))
	}
	challenge, _, err := newSecret(d.m.cfg.Random)
	if err != nil {
		return Domain{}, fmt.Errorf("invite: %w", err)
	}
	var added Domain
	err = d.m.change(ctx, "add a domain", in, func(c *change) error {
		own, err := c.manager(ctx, by)
		if err != nil {
			return err
		}
		if !d.m.mayGrant(own, rule.Role) {
			return ErrForbidden
		}
		added, err = d.scanDomain(c.tx.QueryRow(ctx, sqlAddDomain,
			in, rule.Name, rule.Role, rule.OnRequest, "tenantwall-verify="+string(challenge), c.now, MaxDomains))
		if errors.Is(err, pgx.ErrNoRows) {
			return invalid("domain", fmt.Errorf("a tenant has up to %d domains", MaxDomains))
		}
		if err != nil {
			return fmt.Errorf("insert the domain: %w", err)
		}
		c.told(EventDomainAdded, nil, describeDomain(rule, by))
		return nil
	})
	if err != nil {
		return Domain{}, err
	}
	return added, nil
}

// Verify looks the record of a domain up, and notes that it is there or that it is not any
// more. Who acts needs [PermManageMembers]. Errors: [ErrNotFound], [ErrNotProved] with the
// code [tenant.CodeValidationFailed], and one of the code [tenant.CodeUnavailable] when
// the domain's servers can't tell, which leaves it as it is.
func (d *Domains) Verify(ctx context.Context, in tenant.ID, by Actor, name string) (Domain, error) {
	name, err := d.parseJoinable(name)
	if err != nil {
		return Domain{}, err
	}
	var claimed, verified Domain
	err = d.m.change(ctx, "verify a domain", in, func(c *change) error {
		if _, err := c.manager(ctx, by); err != nil {
			return err
		}
		claimed, err = d.scanDomain(c.tx.QueryRow(ctx, sqlDomain, in, name))
		return orNotFound(err, "look up the domain")
	})
	if err != nil {
		return Domain{}, err
	}
	proved, err := d.proved(ctx, claimed) // nobody holds the tenant while others are asked
	if err != nil {
		return Domain{}, err
	}
	err = d.m.change(ctx, "verify a domain", in, func(c *change) error {
		if _, err := c.manager(ctx, by); err != nil {
			return err
		}
		// It may have been removed meanwhile, and added anew with another record.
		verified, err = d.scanDomain(c.tx.QueryRow(ctx, sqlProveDomain, in, name, claimed.RecordValue, proved, c.now))
		if err == nil && proved {
			c.told(EventDomainVerified, nil, describeDomain(verified.DomainRule, by))
		}
		return orNotFound(err, "update the domain")
	})
	if err != nil {
		return Domain{}, err
	}
	if !proved {
		return verified, invalid("domain", fmt.Errorf("%w: make one at %s that says %s", ErrNotProved, verified.RecordName, verified.RecordValue))
	}
	return verified, nil
}

// orNotFound is the error of a statement that finds a row or not.
func orNotFound(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	}
	return fmt.Errorf("%s: %w", what, err)
}

// proved asks the domain's servers for the record.
func (d *Domains) proved(ctx context.Context, claimed Domain) (bool, error) {
	found, err := dnsname.HasTXT(ctx, d.cfg.Resolver, claimed.RecordName, claimed.RecordValue)
	if err != nil {
		return false, &tenant.Error{
			Code: tenant.CodeUnavailable, Detail: "the domain's name servers can't be asked at the moment; try again", RetryAfter: time.Minute,
			Err: fmt.Errorf("invite: look up a TXT record: %w", err),
		}
	}
	return found, nil
}

// Remove forgets a domain, and who waits to be let in by it. Members stay. Who acts needs
// [PermManageMembers]. The error is [ErrNotFound] when the tenant has no such domain.
func (d *Domains) Remove(ctx context.Context, in tenant.ID, by Actor, name string) error {
	name, err := d.parseDomain(name)
	if err != nil {
		return err
	}
	return d.m.change(ctx, "remove a domain", in, func(c *change) error {
		if _, err := c.manager(ctx, by); err != nil {
			return err
		}
		removed, err := d.scanDomain(c.tx.QueryRow(ctx, sqlRemoveDomain, in, name))
		c.told(EventDomainRemoved, describeDomain(removed.DomainRule, by), nil)
		return orNotFound(err, "delete the domain")
	})
}

// OfTenant lists a tenant's domains in alphabetical order, proved or not. Who may see them
// is for the caller to say.
func (d *Domains) OfTenant(ctx context.Context, in tenant.ID) ([]Domain, error) {
	rows, _ := d.m.pool.Query(ctx, sqlDomains, in) // CollectRows tells the error
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Domain, error) { return d.scanDomain(row) })
	if err != nil {
		return nil, fmt.Errorf("invite: list domains: %w", err)
	}
	return found, nil
}
