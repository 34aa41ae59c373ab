package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
)

// AddDomain notes that a tenant claims a domain, and says which TXT record is to prove it.
// A claim gives the tenant nothing and keeps the domain from nobody: any number of tenants
// may claim it, and the first of them that proves it has it. One that it claims already is
// returned as it is.
//
// The name may be written in upper case, with a dot at its end, or in letters outside ASCII,
// see [Domain].Name for what becomes of it. Subdomains are domains of their own. Errors
// besides those of [Catalog]: [ErrBadDomain] for an address, a public suffix such as co.uk
// or github.io, and the service's own domains; [ErrTooManyDomains]; [ErrNoDomains].
func (c *Catalog) AddDomain(ctx context.Context, id tenant.ID, name string) (Domain, error) {
	if c.cfg.Domains.Resolver == nil {
		return Domain{}, ErrNoDomains
	}
	name, err := c.cfg.Domains.parse(name)
	if err != nil {
		return Domain{}, err
	}
	challenge, err := c.cfg.Domains.challenge()
	if err != nil {
		return Domain{}, fmt.Errorf("tenantdb: %w", err)
	}
	var added Domain
	err = c.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := c.lock(ctx, tx, id); err != nil {
			return err
		}
		added, err = c.scanDomain(tx.QueryRow(ctx, sqlAddDomain, id, name, challenge, c.now(), MaxDomains))
		if errors.Is(err, pgx.ErrNoRows) {
			return invalidDomain(ErrTooManyDomains)
		}
		return err
	})
	if err != nil {
		return Domain{}, fmt.Errorf("tenantdb: add a domain to tenant %s: %w", id, err)
	}
	return added, nil
}

// VerifyDomain looks for the TXT record of a domain that [Catalog.AddDomain] has noted. When
// it is there, the domain leads to the tenant from now on, until it is removed or lapses, see
// [Catalog.RecheckDomains].
//
// Errors besides those of [Catalog]: [ErrDomainNotFound]; [ErrDomainNotProved], with the
// domain, when there is no such record, which takes a verified domain from nobody before
// [DomainConfig.Grace] is over; [ErrDomainTaken] while another tenant has the domain, be it
// suspended or deleted and not purged yet; one of the code [tenant.CodeUnavailable] when the
// domain's servers can't tell, which changes nothing; [ErrBadDomain]; [ErrNoDomains].
func (c *Catalog) VerifyDomain(ctx context.Context, id tenant.ID, name string) (Domain, error) {
	if c.cfg.Domains.Resolver == nil {
		return Domain{}, ErrNoDomains
	}
	name, err := c.cfg.Domains.parse(name)
	if err != nil {
		return Domain{}, err
	}
	d, err := c.verifyDomain(ctx, id, name)
	if err != nil && !errors.Is(err, ErrDomainNotProved) {
		d = Domain{}
	}
	if err != nil {
		err = fmt.Errorf("tenantdb: verify a domain of tenant %s: %w", id, err)
	}
	return d, err
}

func (c *Catalog) verifyDomain(ctx context.Context, id tenant.ID, name string) (Domain, error) {
	claimed, err := c.scanDomain(c.pool.QueryRow(ctx, sqlDomain, id, name))
	if errors.Is(err, pgx.ErrNoRows) {
		// Whether there is such a tenant at all is told first.
		if _, err := c.Lookup(ctx, tenant.ByID(id)); err != nil {
			return Domain{}, err
		}
		return Domain{}, ErrDomainNotFound
	}
	if err != nil {
		return Domain{}, err
	}
	// Nobody holds the tenant while others are asked.
	found, err := dnsname.HasTXT(ctx, c.cfg.Domains.Resolver, claimed.RecordName, claimed.RecordValue)
	if err != nil {
		return Domain{}, &tenant.Error{
			Code: tenant.CodeUnavailable, Detail: "the domain's name servers can't be asked at the moment; try again", RetryAfter: time.Minute,
			Err: fmt.Errorf("look up a TXT record: %w", err),
		}
	}
	d, err := c.noteProof(ctx, claimed, found)
	if err == nil && !found {
		err = invalidDomain(fmt.Errorf("%w: make one at %s that says %s", ErrDomainNotProved, d.RecordName, d.RecordValue))
	}
	return d, err
}

// noteProof notes whether the record of a domain was found, and what follows of it: that the
// domain is the tenant's, or no longer.
func (c *Catalog) noteProof(ctx context.Context, claimed Domain, found bool) (Domain, error) {
	var after tenant.Tenant
	var noted Domain
	err := c.inTx(ctx, func(tx pgx.Tx) error {
		after = tenant.Tenant{}
		if _, err := c.lock(ctx, tx, claimed.Tenant); err != nil {
			return err
		}
		before, err := c.scanDomain(tx.QueryRow(ctx, sqlDomain, claimed.Tenant, claimed.Name))
		if errors.Is(err, pgx.ErrNoRows) || err == nil && before.RecordValue != claimed.RecordValue {
			return ErrDomainNotFound // removed meanwhile, and perhaps claimed anew
		}
		if err != nil {
			return err
		}
		verified, missing := c.judge(before, found)
		noted, err = c.scanDomain(tx.QueryRow(ctx, sqlSetDomain, before.Tenant, before.Name, orNull(verified), orNull(missing), c.now()))
		switch {
		case isDomainTaken(err):
			return invalidDomain(ErrDomainTaken)
		case err != nil:
			return err
		case before.VerifiedAt.IsZero() && !verified.IsZero():
			after, err = c.tellDomain(ctx, tx, EventDomainVerified, eventData{After: domainData(noted)}, noted.Tenant)
		case !before.VerifiedAt.IsZero() && verified.IsZero():
			after, err = c.tellDomain(ctx, tx, EventDomainLapsed, eventData{Before: domainData(noted)}, noted.Tenant)
		}
		return err
	})
	if err != nil {
		return Domain{}, err
	}
	if !after.ID.IsZero() {
		c.changed(ctx, after)
	}
	return noted, nil
}

// judge is since when the domain leads to its tenant, and since when its record is missing,
// now that it was looked for. A domain that was never proved, or has lapsed, has neither.
func (c *Catalog) judge(d Domain, found bool) (verified, missing time.Time) {
	now := c.now()
	switch {
	case found && d.VerifiedAt.IsZero():
		return now, time.Time{}
	case found:
		return d.VerifiedAt, time.Time{}
	case d.VerifiedAt.IsZero():
		return time.Time{}, time.Time{}
	case d.MissingSince.IsZero():
		return d.VerifiedAt, now
	case now.Sub(d.MissingSince) >= c.cfg.Domains.Grace:
		return time.Time{}, time.Time{}
	}
	return d.VerifiedAt, d.MissingSince
}

// RemoveDomain takes a domain from a tenant, which from then on is found by it no more. That
// of a deleted tenant can be removed too, so that another tenant may have it before the
// purge. Errors besides those of [Catalog]: [ErrDomainNotFound], [ErrBadDomain].
func (c *Catalog) RemoveDomain(ctx context.Context, id tenant.ID, name string) error {
	name, err := dnsname.Parse(name) // and nothing more: what can't be had any longer must go
	if err != nil {
		return invalidDomain(fmt.Errorf("%w: %w", ErrBadDomain, err))
	}
	var after tenant.Tenant
	err = c.inTx(ctx, func(tx pgx.Tx) error {
		after = tenant.Tenant{}
		if _, err := c.lock(ctx, tx, id); err != nil && !errors.Is(err, tenant.ErrGone) {
			return err
		}
		removed, err := c.scanDomain(tx.QueryRow(ctx, sqlRemoveDomain, id, name))
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrDomainNotFound
		case err != nil || removed.VerifiedAt.IsZero():
			return err
		}
		after, err = c.tellDomain(ctx, tx, EventDomainRemoved, eventData{Before: domainData(removed)}, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("tenantdb: remove a domain from tenant %s: %w", id, err)
	}
	if !after.ID.IsZero() {
		c.changed(ctx, after)
	}
	return nil
}

// Domains lists what domains a tenant has and claims, in alphabetical order; none for a
// tenant that does not exist.
func (c *Catalog) Domains(ctx context.Context, id tenant.ID) ([]Domain, error) {
	rows, _ := c.pool.Query(ctx, sqlDomains, id) // CollectRows tells the error
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Domain, error) { return c.scanDomain(row) })
	if err != nil {
		return nil, fmt.Errorf("tenantdb: list the domains of tenant %s: %w", id, err)
	}
	return found, nil
}

// tellDomain raises the version of a domain's tenant, for those that hold it in a cache under
// its domains, and tells why.
func (c *Catalog) tellDomain(ctx context.Context, tx pgx.Tx, kind EventKind, data eventData, id tenant.ID) (tenant.Tenant, error) {
	t, err := scanTenant(tx.QueryRow(ctx, sqlTouch, id, c.now()))
	if err != nil {
		return t, err
	}
	return t, c.tell(ctx, tx, kind, t, data)
}

// domainData is what an event says of a domain.
func domainData(d Domain) map[string]string { return map[string]string{"domain": d.Name} }

// invalidDomain is what a client may see of what is wrong with a domain.
func invalidDomain(err error) error {
	var in input
	in.add("domain", err)
	return in.err()
}

// isDomainTaken reports whether a domain is verified as another tenant's.
func isDomainTaken(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == codeUniqueViolation && pgErr.ConstraintName == constraintDomain
}

// orNull is NULL for the zero time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
