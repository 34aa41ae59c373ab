package tenantdb

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
)

// Domain is a domain of a tenant's own, such as notes.acme.example, by which [Catalog.Lookup]
// finds the tenant once it is verified.
type Domain struct {
	Tenant tenant.ID
	Name   string // in the form of tenant.ByDomain: A-labels in lower case

	// RecordName and RecordValue are the TXT record that proves that the domain is the
	// tenant's. It must stay there. The value is another for each tenant, and no secret.
	RecordName, RecordValue string

	// VerifiedAt is since when the domain leads to the tenant; zero when it doesn't.
	VerifiedAt time.Time

	// MissingSince is since when the record of a verified domain has not been found; zero
	// while it is. When that has lasted for [DomainConfig.Grace], the domain lapses.
	MissingSince time.Time

	CreatedAt time.Time
}

// MaxDomains is how many domains a tenant may have, verified or not.
const MaxDomains = 50

// What is wrong with a domain. Clients see it as the text of a field, with the code
// [tenant.CodeValidationFailed].
var (
	// ErrBadDomain says that a text is no domain, or one that no tenant can have.
	ErrBadDomain = errors.New("not a domain that a tenant can have")

	// ErrDomainNotProved says that a domain's TXT record was not found.
	ErrDomainNotProved = errors.New("the TXT record was not found")

	// ErrDomainTaken says that a domain is verified as another tenant's.
	ErrDomainTaken = errors.New("the domain is another tenant's")

	// ErrTooManyDomains says that a tenant has MaxDomains already.
	ErrTooManyDomains = fmt.Errorf("a tenant has at most %d domains", MaxDomains)
)

// ErrDomainNotFound says that the tenant has claimed no such domain.
var ErrDomainNotFound = &tenant.Error{Code: tenant.CodeNotFound, Detail: "the tenant has no such domain"}

// ErrNoDomains refuses domains of a catalog without [DomainConfig.Resolver].
var ErrNoDomains = errors.New("tenantdb: the catalog verifies no domains (CatalogConfig.Domains.Resolver is nil)")

// Resolver looks TXT records up. [net.Resolver] is one. A name that has none, or that does
// not exist, is an error for which [net.DNSError] says IsNotFound, or no records.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// DomainConfig says how tenants get domains of their own. The zero value is for a service
// in which they have none.
type DomainConfig struct {
	// Resolver looks for the TXT records. Nil means that no domain can be added or verified.
	Resolver Resolver

	// Own are the service's own domains, such as the base domain under which tenants have
	// subdomains. No tenant can claim one of them, nor what lies below. With a Resolver it
	// must name at least one: that of [resolve.Domain].
	//
	// [resolve.Domain]: https://pkg.go.dev/github.com/tenantwall/tenantwall/resolve#Domain
	Own []string

	// RecordPrefix is put before a domain for the name of its TXT record; empty means
	// _tenantwall-challenge. It begins with an underscore, as no host does.
	RecordPrefix string

	// Grace is how long a verified domain stays its tenant's while its record is missing, up
	// to a year; 0 means 72 hours.
	Grace time.Duration

	// Random is where the records' values come from; nil means [rand.Reader].
	Random io.Reader
}

const (
	defaultRecordPrefix = "_tenantwall-challenge"
	defaultDomainGrace  = 72 * time.Hour
	maxDomainGrace      = 366 * 24 * time.Hour
)

// complete checks the configuration and fills in the defaults.
func (cfg DomainConfig) complete() (DomainConfig, error) {
	var problems []error
	cfg.Own = slices.Clone(cfg.Own)
	if cfg.Resolver != nil && len(cfg.Own) == 0 {
		problems = append(problems, errors.New("CatalogConfig.Domains.Own is empty: name the service's own domain, lest a tenant claims it"))
	}
	for _, own := range cfg.Own {
		if !dnsname.Is(own) {
			problems = append(problems, fmt.Errorf("CatalogConfig.Domains.Own: %q is to be like example.com: lower case, without scheme, port, or a dot at an end", own))
		}
	}
	switch {
	case cfg.RecordPrefix == "":
		cfg.RecordPrefix = defaultRecordPrefix
	case cfg.RecordPrefix[0] != '_' || len(cfg.RecordPrefix) > 63 || !dnsname.Is("a"+strings.ToLower(cfg.RecordPrefix[1:])):
		problems = append(problems, fmt.Errorf("CatalogConfig.Domains.RecordPrefix %q: an underscore and up to 62 letters, digits and hyphens", cfg.RecordPrefix))
	}
	switch {
	case cfg.Grace == 0:
		cfg.Grace = defaultDomainGrace
	case cfg.Grace < 0 || cfg.Grace > maxDomainGrace:
		problems = append(problems, fmt.Errorf("CatalogConfig.Domains.Grace is %s, and must be up to %s", cfg.Grace, maxDomainGrace))
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return cfg, errors.Join(problems...)
}

// parse is the canonical form of a domain that a tenant can have.
func (cfg DomainConfig) parse(name string) (string, error) {
	var in input
	name, err := cfg.check(name)
	in.add("domain", err)
	return name, in.err()
}

func (cfg DomainConfig) check(name string) (string, error) {
	name, err := dnsname.Parse(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: it is to be of the form notes.example.com, without scheme, port or path", ErrBadDomain)
	case len(name) > dnsname.MaxLen-len(cfg.RecordPrefix)-1:
		return "", fmt.Errorf("%w: it is too long for a record below it", ErrBadDomain)
	case dnsname.IsPublicSuffix(name):
		return "", fmt.Errorf("%w: anybody can have a name below it", ErrBadDomain)
	case slices.ContainsFunc(cfg.Own, func(own string) bool { return dnsname.Within(name, own) }):
		return "", fmt.Errorf("%w: it is the service's own", ErrBadDomain)
	}
	return name, nil
}

// challenge is what a record is to say: 128 random bits, that nobody can have put there
// before.
func (cfg DomainConfig) challenge() (string, error) {
	var random [16]byte
	if _, err := io.ReadFull(cfg.Random, random[:]); err != nil {
		return "", fmt.Errorf("read CatalogConfig.Domains.Random: %w", err)
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
	return "tenantwall-domain=" + strings.ToLower(text), nil
}

// scanDomain reads the columns of domainColumns.
func (c *Catalog) scanDomain(row pgx.Row) (Domain, error) {
	var d Domain
	var verified, missing *time.Time
	err := row.Scan(&d.Tenant, &d.Name, &d.RecordValue, &verified, &missing, &d.CreatedAt)
	d.RecordName = c.cfg.Domains.RecordPrefix + "." + d.Name
	d.CreatedAt = d.CreatedAt.UTC()
	if verified != nil {
		d.VerifiedAt = verified.UTC()
	}
	if missing != nil {
		d.MissingSince = missing.UTC()
	}
	return d, err
}
