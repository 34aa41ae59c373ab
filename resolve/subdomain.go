package resolve

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
)

// Subdomain is the source of tenants that have a host name each: with the base domain
// example.com, the host acme-corp.example.com names the tenant acme-corp.
//
// What stands before the base domain must be exactly one label, and that label a slug:
// more labels, none, upper case, and IDNs in either form are malformed. The reserved
// slugs alone, such as www and api, name no tenant, so that the product's own hosts can
// be served beside those of the tenants; [Config].Optional lets them in. Every other host
// names none either, be it the base domain itself, an address, or a domain that merely ends
// in the same letters.
//
// A port is ignored, and so is one dot at the end, which makes a name absolute in DNS.
// Upper case in the base domain is ignored too (RFC 4343); browsers send lower case only.
//
// The host is that of the request ([http.Request].Host), and no other header unless
// [TrustProxies] says so. The base domain is lower case, has no port and is no address.
func Subdomain(base string, opts ...HostOption) Source {
	return &subdomain{newBaseHost(base, opts)}
}

type subdomain struct{ baseHost }

// Tenant implements [Source].
func (s *subdomain) Tenant(r *http.Request) (Claim, error) {
	host, err := s.of(r)
	if err != nil {
		return Claim{}, err
	}
	label, beneath := cutBase(bareHost(host), s.base)
	if !beneath {
		return Claim{}, nil
	}
	slug, err := tenant.ParseSlug(label)
	switch {
	case errors.Is(err, tenant.ErrReservedSlug):
		return Claim{}, nil
	case err != nil:
		return Claim{}, invalid("host: one label before %s: %v", s.base, err)
	}
	return Claim{Slug: slug}, nil
}

// cutBase is what stands before the dot before base, and whether host lies beneath base.
func cutBase(host, base string) (label string, beneath bool) {
	dot := len(host) - len(base) - 1
	if dot < 0 || host[dot] != '.' {
		return "", false
	}
	// EqualFold knows letters outside ASCII that fold to ASCII ones, but none of them is a
	// single byte, so they can't match in a text of the same length.
	return host[:dot], strings.EqualFold(host[dot+1:], base)
}

// checkBase is an error that tells what keeps base from being a base domain. Its length
// leaves room for a slug within the 253 characters of a name (RFC 1035, 2.3.4).
func checkBase(base string) error {
	if most := 253 - tenant.MaxSlugLen - len("."); base == "" || len(base) > most {
		return fmt.Errorf("base domain %q: %d characters long, not 1 to %d", base, len(base), most)
	}
	if _, err := netip.ParseAddr(base); err == nil {
		return fmt.Errorf("base domain %q: an address has no subdomains", base)
	}
	if !dnsname.Is(base) {
		return fmt.Errorf("base domain %q: it is to be like example.com: lower case, without scheme, port, or a dot at an end", base)
	}
	return nil
}
