package tenant

import (
	"errors"
	"fmt"
	"slices"
)

// Slug is the name of a tenant that people see: in host names, paths and headers. It can
// be renamed, so nothing that is stored refers to it.
//
// There is one rule for it everywhere: [MinSlugLen] to [MaxSlugLen] characters of a-z,
// 0-9 and hyphen, the first a letter, the last not a hyphen, no two hyphens in a row,
// and none of the reserved names. So a slug is always one DNS label (RFC 1123, 2.1) that
// can't be an IDN in disguise (RFC 5890, 2.3.1), and one path segment that needs no
// escaping. Upper case is refused, not folded: one name has one spelling.
type Slug string

// The parts of the rule for places that state it themselves, such as an OpenAPI document
// or a web form. [ParseSlug] applies the reserved names as well.
const (
	MinSlugLen  = 2
	MaxSlugLen  = 48
	SlugPattern = `^[a-z](?:-?[a-z0-9])+$`
)

// ErrBadSlug is what [ParseSlug] returns for anything that is no slug, wrapped with what
// was wrong. The text itself is not in the error.
var ErrBadSlug = errors.New("malformed tenant slug")

// ReservedSlugs are the names that no tenant gets: those that a product's own hosts and
// paths use, and those that mail, browsers and certificate authorities give a meaning to
// (RFC 2142; WPAD; the CA/Browser Forum's Baseline Requirements, 3.2.2.4.4). They are
// sorted, and each call returns a slice of its own.
func ReservedSlugs() []string { return slices.Clone(reserved[:]) }

// ParseSlug checks s against the rule for slugs, with the names of alsoReserved in
// addition to [ReservedSlugs]. Text that [ParseID] takes is reserved too, so that one text
// never names a tenant by id and another by slug. The error is [ErrBadSlug]; [errors.Is]
// with [ErrReservedSlug] tells the reserved names from the malformed ones.
func ParseSlug(s string, alsoReserved ...string) (Slug, error) {
	if len(s) < MinSlugLen || len(s) > MaxSlugLen {
		return "", fmt.Errorf("%w: %d bytes long, not %d to %d", ErrBadSlug, len(s), MinSlugLen, MaxSlugLen)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
		case i == 0:
			return "", fmt.Errorf("%w: the first character is not a letter a-z", ErrBadSlug)
		case c >= '0' && c <= '9':
		case c != '-':
			return "", fmt.Errorf("%w: a character other than a-z, 0-9 and hyphen", ErrBadSlug)
		case i == len(s)-1:
			return "", fmt.Errorf("%w: the last character is a hyphen", ErrBadSlug)
		case s[i-1] == '-':
			return "", fmt.Errorf("%w: two hyphens in a row", ErrBadSlug)
		}
	}
	if _, found := slices.BinarySearch(reserved[:], s); found || slices.Contains(alsoReserved, s) {
		return "", ErrReservedSlug
	}
	if hasIDForm(s) {
		if _, err := ParseID(s); err == nil {
			return "", ErrReservedSlug // or one tenant's slug could be the text of another's id
		}
	}
	return Slug(s), nil
}

// ErrReservedSlug says that a slug is well formed but kept from tenants. It is an
// [ErrBadSlug] too.
var ErrReservedSlug = fmt.Errorf("%w: the name is reserved", ErrBadSlug)

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParseSlug] does.
func (s *Slug) UnmarshalText(text []byte) error {
	parsed, err := ParseSlug(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// reserved is sorted.
var reserved = [...]string{
	"abuse", "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "auth",
	"autoconfig", "autodiscover", "billing", "blog", "cdn", "console", "dashboard", "docs", "ftp", "healthz",
	"help", "hostmaster", "imap", "internal", "isatap", "localhost", "login", "logout", "mail", "me",
	"metrics", "noreply", "ns", "ns1", "ns2", "oauth", "openapi", "operator", "pop", "postgres",
	"postmaster", "public", "readyz", "root", "security", "signin", "signup", "smtp", "sso", "static",
	"status", "support", "system", "t", "tenant", "tenants", "tenantwall", "v1", "v2", "webmail",
	"webmaster", "wpad", "www",
}
