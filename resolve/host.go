package resolve

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// HostOption is a setting of the sources that read the host.
type HostOption func(*hosts)

// TrustProxies names the networks of the proxies that stand in front of the service and
// call it by another host name than the client called them. When the peer of a request's
// connection is in one of them and sends X-Forwarded-Host, that is the host, and Host is
// not looked at. From every other peer the header is ignored. Each call adds prefixes.
//
// The header must hold exactly one host. A proxy is to replace what the client sent, not to
// add to it: a list says that somebody's value was kept, and nobody can tell whose, so it
// is malformed, as is an empty one. The Forwarded header (RFC 7239) is not read.
//
// The peer is [http.Request].RemoteAddr, an IPv4 address in IPv6 clothes taken as the IPv4
// address that it is. Middlewares that rewrite RemoteAddr from a header must not stand in
// front of the resolver. A peer on a Unix socket has no address, and is not trusted.
func TrustProxies(prefixes ...netip.Prefix) HostOption {
	return func(h *hosts) { h.proxies = append(h.proxies, prefixes...) }
}

// hosts reads the host that the client asked for.
type hosts struct {
	proxies []netip.Prefix
}

const forwardedHost = "X-Forwarded-Host"

// of is the host of a request, with whatever stands around it.
func (h *hosts) of(r *http.Request) (string, error) {
	forwarded := r.Header[forwardedHost]
	if len(forwarded) == 0 || !h.trust(r.RemoteAddr) {
		return r.Host, nil
	}
	if len(forwarded) > 1 || forwarded[0] == "" || strings.Contains(forwarded[0], ",") {
		return "", invalid("header %s: not exactly one host: the proxy must replace what it received", forwardedHost)
	}
	return forwarded[0], nil
}

func (h *hosts) trust(remote string) bool {
	if len(h.proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap()
	return slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// check is an error about prefixes that would never contain a peer.
func (h *hosts) check() error {
	var errs []error
	for _, p := range h.proxies {
		switch {
		case !p.IsValid():
			errs = append(errs, errors.New("trusted proxies: a prefix is not valid; netip.ParsePrefix tells why"))
		case p.Addr().Is4In6():
			errs = append(errs, fmt.Errorf("trusted proxies: %v: write it as an IPv4 prefix", p))
		}
	}
	return errors.Join(errs...)
}

// baseHost is what the sources have in common that read the host and know a base domain.
type baseHost struct {
	base  string
	hosts hosts
	err   error // what is wrong with the settings
}

func newBaseHost(base string, opts []HostOption) baseHost {
	b := baseHost{base: base}
	for _, opt := range opts {
		opt(&b.hosts)
	}
	b.err = errors.Join(checkBase(base), b.hosts.check())
	return b
}

func (b *baseHost) check() error { return b.err }

// of is the host of a request, with whatever stands around it.
func (b *baseHost) of(r *http.Request) (string, error) {
	if b.err != nil {
		return "", b.err
	}
	return b.hosts.of(r)
}

// bareHost is a host without its port and without one dot at its end. What is no port
// stays, so that it is no part of a name that somebody has.
func bareHost(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && isPort(host[colon+1:]) {
		host = host[:colon]
	}
	return strings.TrimSuffix(host, ".")
}

// isPort reports whether s is a port as an address may have it (RFC 3986, 3.2.3): digits,
// or nothing.
func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
