package tenantdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
)

// RecheckDomains looks whether the TXT records of verified domains are still there: up to
// limit of them, those first for which this was done the longest ago; a limit below 1 is
// refused. Let a job call it so often that every domain has its turn each day. It asks one
// domain's servers after the other, for up to 5 seconds each.
//
// A domain whose record has been missing for [DomainConfig.Grace], seen by two calls at
// least, lapses: it leads to its tenant no more, and whoever proves it next has it. Domains
// expire and are bought by others, who would otherwise be served as the tenant that had it
// before. It returns those that have lapsed now. A domain whose servers can't tell stays as
// it is and is in the error; the others go on. The domains of deleted tenants are left alone:
// they answer [tenant.ErrGone] until the purge releases them.
func (c *Catalog) RecheckDomains(ctx context.Context, limit int) ([]Domain, error) {
	switch {
	case limit < 1:
		return nil, fmt.Errorf("tenantdb: recheck domains: the limit is %d: say how many domains may be looked for at most", limit)
	case c.cfg.Domains.Resolver == nil:
		return nil, ErrNoDomains
	}
	rows, _ := c.pool.Query(ctx, sqlDomainsToRecheck, limit) // CollectRows tells the error
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Domain, error) { return c.scanDomain(row) })
	if err != nil {
		return nil, fmt.Errorf("tenantdb: recheck domains: %w", err)
	}
	var lapsed []Domain
	var errs []error
	for _, d := range due {
		after, err := c.recheckDomain(ctx, d)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("tenantdb: recheck domain %s of tenant %s: %w", d.Name, d.Tenant, err))
		case after.VerifiedAt.IsZero():
			lapsed = append(lapsed, after)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return lapsed, errors.Join(errs...)
}

// recheckDomain is the domain as it is after its record was looked for. One that was taken
// from its tenant meanwhile is as it was.
func (c *Catalog) recheckDomain(ctx context.Context, d Domain) (Domain, error) {
	found, err := dnsname.HasTXT(ctx, c.cfg.Domains.Resolver, d.RecordName, d.RecordValue)
	if err != nil {
		// It takes its turn behind the others, which would never have theirs otherwise.
		_, failed := c.pool.Exec(ctx, sqlDomainLookedAt, d.Tenant, d.Name, c.now())
		return d, errors.Join(err, failed)
	}
	after, err := c.noteProof(ctx, d, found)
	if errors.Is(err, ErrDomainNotFound) || errors.Is(err, tenant.ErrGone) {
		return d, nil
	}
	return after, err
}
