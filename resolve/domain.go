package resolve

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/tenantwall/tenantwall/internal/dnsname"
)

// Domain is the source of tenants that have domains of their own, such as
// notes.acme.example: every host that is neither the base domain nor beneath it claims to be
// one. The store knows whose it is, if anybody's; tenantdb's catalog does for domains that
// are verified. It stands beside [Subdomain] with the same base domain and proxies, and the
// two never read the same host: what lies beneath the base domain is never a domain of a
// tenant's, whatever the store says.
//
// Addresses, names of one label such as localhost, and a missing host name no tenant;
// [Config].Optional lets them in. Whatever else is no host name is malformed: an empty label,
// letters outside ASCII, which browsers send as A-labels, an A-label that stands for nothing
// or for what is written otherwise, what looks like an address to some and not to others
// (127.1), and all that is more than a host.
//
// A port is ignored, and so is one dot at the end, and upper case (RFC 4343): all of them
// claim the domain in its canonical form, that of [tenant.ByDomain]. Names that only look
// alike are different domains, and each is the tenant's who has proved it.
//
// The host is that of the request ([http.Request].Host), and no other header unless
// [TrustProxies] says so. The base domain is as that of [Subdomain]; a service whose tenants
// have no subdomains gives the host that it is reached by.
//
// [tenant.ByDomain]: https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant#ByDomain
func Domain(base string, opts ...HostOption) Source {
	return &domain{newBaseHost(base, opts)}
}

type domain struct{ baseHost }

// Tenant implements [Source].
func (s *domain) Tenant(r *http.Request) (Claim, error) {
	host, err := s.of(r)
	if err != nil {
		return Claim{}, err
	}
	if isAddress(host) {
		return Claim{}, nil
	}
	name := lower(bareHost(host))
	switch {
	case dnsname.Within(name, s.base):
		return Claim{}, nil // also what is malformed there: that is Subdomain's to say
	case !strings.Contains(name, "."):
		if name != "" && !dnsname.Is(name) {
			return Claim{}, invalid("host: it is no host name")
		}
		return Claim{}, nil
	case !dnsname.IsCanonical(name):
		return Claim{}, invalid("host: it is neither beneath %s nor a domain in ASCII", s.base)
	}
	return Claim{Domain: name}, nil
}

// isAddress reports whether a host is one in the form that URLs have (RFC 3986, 3.2.2), with
// its port or without.
func isAddress(host string) bool {
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return false
		}
		addr, err := netip.ParseAddr(strings.Replace(host[1:end], "%25", "%", 1))
		return err == nil && addr.Is6() && isPortSuffix(host[end+1:])
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	_, err := netip.ParseAddr(bareHost(host))
	return err == nil
}

// isPortSuffix reports whether s is a colon and a port, or nothing.
func isPortSuffix(s string) bool { return s == "" || s[0] == ':' && isPort(s[1:]) }

// lower is s with the letters of ASCII in lower case. strings.ToLower would make ASCII of some
// others too, and so read a name as another that it only resembles.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
