package invite

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Domain is a mail domain whose users may join a tenant without being invited.
type Domain struct {
	TenantID tenant.ID
	DomainRule

	// RecordName and RecordValue are the TXT record that proves that the domain is the
	// tenant's. The value is another for each tenant, and no secret.
	RecordName, RecordValue string

	VerifiedAt time.Time // in UTC; zero while it is not proved
	CreatedAt  time.Time // in UTC
}

// DomainRule says who joins by a domain, and how.
type DomainRule struct {
	Name string // exactly what follows the @ of an address; subdomains are others
	Role Role   // which has not PermManageMembers

	// OnRequest has users wait until a member lets them in. Otherwise whoever has an
	// address of the domain is in at once.
	OnRequest bool
}

// JoinRequest is a user who waits to be let in.
type JoinRequest struct {
	UserID    string
	Email     string // verified, in the form of CanonicalEmail
	Domain    string
	CreatedAt time.Time // in UTC
}

// What happens to a tenant's domains.
const (
	EventDomainAdded    tenantdb.EventKind = "domain.added"
	EventDomainVerified tenantdb.EventKind = "domain.verified"
	EventDomainRemoved  tenantdb.EventKind = "domain.removed"
	EventJoinRequested  tenantdb.EventKind = "member.requested"
	EventJoinRejected   tenantdb.EventKind = "member.rejected"
)

// ErrBadDomain says that a text is no domain by which users may join.
var ErrBadDomain = errors.New("not a domain by which users may join")

// ErrNotProved says that a domain's TXT record was not found.
var ErrNotProved = errors.New("the TXT record was not found")

// freeMail are the providers where anybody has an address, the largest of them. Nobody who
// uses one could prove it to be theirs, but the mistake is better told at once.
var freeMail = [...]string{
	"126.com", "163.com", "aol.com", "daum.net", "fastmail.com", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com",
	"gmx.de", "gmx.net", "googlemail.com", "hey.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "icloud.com", "laposte.net",
	"libero.it", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com", "orange.fr", "outlook.com", "pm.me",
	"posteo.de", "proton.me", "protonmail.com", "qq.com", "rocketmail.com", "t-online.de", "tutanota.com", "virgilio.it", "wanadoo.fr",
	"web.de", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
}

// parseDomain is a domain in the form in which it is kept.
func (d *Domains) parseDomain(name string) (string, error) {
	name, err := dnsname.Parse(name)
	if err != nil || len(name) > dnsname.MaxLen-len(d.cfg.RecordPrefix)-1 {
		return "", invalid("domain", fmt.Errorf("%w: it is to be of the form example.com", ErrBadDomain))
	}
	return name, nil
}

// parseJoinable is parseDomain for one by which users are to join.
func (d *Domains) parseJoinable(name string) (string, error) {
	name, err := d.parseDomain(name)
	if err == nil && d.isRefused(name) {
		err = invalid("domain", fmt.Errorf("%w: anybody can have an address of it", ErrBadDomain))
	}
	return name, err
}

// isRefused reports whether nobody joins by a domain, whoever proves it. A public suffix is
// nobody's. It is asked whenever a domain is used, and not only when it is added: what is
// refused changes with the settings and with this package.
func (d *Domains) isRefused(name string) bool {
	return dnsname.IsPublicSuffix(name) || slices.Contains(freeMail[:], name) || slices.Contains(d.cfg.Refused, name)
}

// scanDomain reads the columns of domainColumns.
func (d *Domains) scanDomain(row pgx.Row) (Domain, error) {
	var found Domain
	var verified *time.Time
	err := row.Scan(&found.TenantID, &found.Name, &found.Role, &found.OnRequest, &found.RecordValue, &verified, &found.CreatedAt)
	found.RecordName = d.cfg.RecordPrefix + "." + found.Name
	found.CreatedAt = found.CreatedAt.UTC()
	if verified != nil {
		found.VerifiedAt = verified.UTC()
	}
	return found, err
}

// describeDomain is what an event says of a domain.
func describeDomain(rule DomainRule, by Actor) map[string]string {
	said := map[string]string{"domain": rule.Name, "role": string(rule.Role)}
	if name := by.name(); name != "" {
		said["by"] = name
	}
	return said
}
