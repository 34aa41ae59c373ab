package apikey_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
)

func TestNetworksHaveOneForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.0/24":             "192.0.2.0/24",
		"192.0.2.7":                "192.0.2.7/32",
		"0.0.0.0/0":                "0.0.0.0/0",
		"2001:db8::/32":            "2001:db8::/32",
		"2001:db8::1":              "2001:db8::1/128",
		"::ffff:192.0.2.7":         "192.0.2.7/32",
		"::ffff:192.0.2.0/120":     "192.0.2.0/24",
		"::ffff:0:0/96":            "0.0.0.0/0",
		"2001:0DB8:0:0:0:0:0:0/32": "2001:db8::/32",
	} {
		got, err := apikey.ParseNetwork(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.String(), text)
	}
	for _, text := range []string{
		"", "/", "x", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.1/24", "2001:db8::1/32", "192.0.2/24", "192.0.2.0/024", "fe80::1%eth0",
		"fe80::/10%eth0", "::ffff:0:0/64", "192.0.2.0/24 ", "192.0.2.0/24,10.0.0.0/8", "example.com", "::ffff:192.0.2.1/120",
	} {
		got, err := apikey.ParseNetwork(text)
		require.Error(t, err, "%q", text)
		assert.Zero(t, got)
	}
}

func TestKeyIsRefusedFromOtherNetworks(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme, func(n *apikey.NewKey) {
		for _, text := range []string{"192.0.2.0/24", "2001:db8::/32", "::ffff:198.51.100.7"} {
			network, err := apikey.ParseNetwork(text)
			require.NoError(t, err)
			n.Networks = append(n.Networks, network)
		}
	})
	_, anywhere := s.mint(t, acme)
	for text, allowed := range map[string]bool{
		"192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.3.7": false, "::192.0.2.7": false,
		"2001:db8::1": true, "2001:db8::1%eth0": true, "2001:db9::1": false,
		"198.51.100.7": true, "198.51.100.8": false, "": false,
	} {
		var from netip.Addr // of a client that nobody knows
		if text != "" {
			from = netip.MustParseAddr(text)
		}
		for range 2 { // from the database, and from memory
			_, err := s.keys.Verify(t.Context(), secret, from)
			if allowed {
				require.NoError(t, err, text)
			} else {
				require.ErrorIs(t, err, apikey.ErrAddress, text)
				assert.Equal(t, "forbidden", string(code(err)))
			}
			_, err = s.keys.Verify(t.Context(), anywhere, from)
			require.NoError(t, err)
		}
	}
}
