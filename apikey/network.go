package apikey

import (
	"errors"
	"net/netip"
	"strings"
)

// ParseNetwork reads a network that a key may be used from: an address with the length of
// the network behind it (192.0.2.0/24, 2001:db8::/32), or an address alone for itself. An
// IPv4 network in IPv6 clothes (::ffff:192.0.2.0/120) is the IPv4 network that it is. Bits
// behind the length must be zero, so that nobody opens more than they mean to. The error
// says what is wrong, and holds nothing of the text.
func ParseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, errNoNetwork
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errNoNetwork
	}
	return canonicalNetwork(network)
}

var (
	errNoNetwork = errors.New("must be networks such as 192.0.2.0/24 or 2001:db8::/32, or addresses")
	errHostBits  = errors.New("must have no bits behind a network's length: 192.0.2.0/24, not 192.0.2.1/24")
	errMixed     = errors.New("must be IPv4 or IPv6: a network in ::ffff:0:0/96 has a length of 96 to 128")
)

// canonicalNetwork is the one form of a network.
func canonicalNetwork(network netip.Prefix) (netip.Prefix, error) {
	if !network.IsValid() {
		return netip.Prefix{}, errNoNetwork
	}
	if network.Addr().Is4In6() {
		if network.Bits() < 96 {
			return netip.Prefix{}, errMixed
		}
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	if network != network.Masked() {
		return netip.Prefix{}, errHostBits
	}
	return network, nil
}
