package resolve_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestRow16_Row20_HostsThatNameATenantAndThoseThatDoNot(t *testing.T) {
	t.Parallel()
	const acme, none, malformed = "acme-corp", "", "malformed"
	for host, want := range map[string]string{
		"acme-corp.example.com":       acme,
		"acme-corp.example.com:8080":  acme,
		"acme-corp.example.com:":      acme,
		"acme-corp.example.com.":      acme,
		"acme-corp.example.com.:8080": acme,
		"acme-corp.EXAMPLE.com":       acme,

		// The product's own hosts.
		"example.com":          none,
		"example.com:8080":     none,
		"example.com.":         none,
		"www.example.com":      none,
		"api.example.com:8080": none,
		"admin.example.com":    none,
		"f1890a5d-ac96-774b-bcce-b302099a8057.example.com": none, // an id is a reserved slug

		// Other people's hosts.
		"":                              none,
		"acme-corp.evil.com":            none,
		"acme-corp.com":                 none,
		"evilexample.com":               none,
		"acme-corp.evilexample.com":     none,
		"example.com.evil.com":          none,
		"acme-corp.example.com.evil.ru": none,
		"acme-corp.example.co":          none,
		"acme-corp.example.com.au":      none,
		"acme-corp-example.com":         none,
		"com":                           none,
		".com":                          none,
		"acme-corp.example.com..":       none,
		"acme-corp.example.com@evil.ru": none,
		"acme-corp.example.com:80@evil": none,
		"acme-corp.example.com:http":    none,
		"acme-corp.example.com/":        none,
		"acme-corp.example。com":         none, // an ideographic full stop
		"acme-corp.ехample.com":         none, // Cyrillic
		"acme-corp.example.com\x00":     none,

		// Addresses.
		"127.0.0.1":                 none,
		"127.0.0.1:8080":            none,
		"[::1]":                     none,
		"[::1]:8080":                none,
		"::1":                       none,
		"[fe80::1%25eth0]:8080":     none,
		"2130706433":                none,
		"[::ffff:127.0.0.1].evil":   none,
		"acme-corp.127.0.0.1":       none,
		"acme-corp.127.0.0.1:8080":  none,
		"[acme-corp.example.com]":   none,
		"[acme-corp.example.com]:8": none,

		// Beneath the base domain, and not one slug.
		"a.b.example.com":                           malformed,
		"www.acme-corp.example.com":                 malformed,
		"acme-corp.www.example.com":                 malformed,
		".example.com":                              malformed,
		"..example.com":                             malformed,
		"acme-corp..example.com":                    malformed,
		".acme-corp.example.com":                    malformed,
		"Acme-Corp.example.com":                     malformed,
		"ACME-CORP.EXAMPLE.COM":                     malformed,
		"WWW.example.com":                           malformed,
		"acme_corp.example.com":                     malformed,
		"pg_catalog.example.com":                    malformed,
		"-acme.example.com":                         malformed,
		"acme-.example.com":                         malformed,
		"a--b.example.com":                          malformed,
		"xn--acm-epa.example.com":                   malformed, // acmé
		"acmé.example.com":                          malformed,
		"аcme-corp.example.com":                     malformed, // Cyrillic
		"user@acme-corp.example.com":                malformed,
		"user:pw@acme-corp.example.com":             malformed,
		"evil.ru#acme-corp.example.com":             malformed,
		"evil.ru/acme-corp.example.com":             malformed,
		"acme%2Dcorp.example.com":                   malformed,
		"acme-corp:80.example.com":                  malformed,
		"[::1].example.com":                         malformed,
		"127.0.0.1.example.com":                     malformed,
		"1acme.example.com":                         malformed,
		"a.example.com":                             malformed, // too short
		strings.Repeat("a", 49) + ".example.com":    malformed,
		strings.Repeat("a", 1<<20) + ".example.com": malformed,
		" acme-corp.example.com":                    malformed,
		"acme corp.example.com":                     malformed,
		"acme\x00corp.example.com":                  malformed,
		"*.example.com":                             malformed,
		"acme-corp,example.com,evil.example.com":    malformed,
	} {
		r := get("/")
		r.Host = host
		got, err := resolve.Subdomain("example.com").Tenant(r)
		if want == malformed {
			require.ErrorIs(t, err, resolve.ErrInvalid, "%.60q", host)
			assert.Less(t, len(err.Error()), 200)
			assert.Zero(t, got, "%.60q", host)
			continue
		}
		require.NoError(t, err, "%.60q", host)
		assert.Equal(t, resolve.Claim{Slug: tenant.Slug(want)}, got, "%.60q", host)
	}
}

func TestSubdomainOfLocalhost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]tenant.Slug{
		"acme-corp.localhost:8080": "acme-corp",
		"localhost:8080":           "",
		"127.0.0.1:8080":           "",
	} {
		r := get("/")
		r.Host = host
		got, err := resolve.Subdomain("localhost").Tenant(r)
		require.NoError(t, err)
		assert.Equal(t, want, got.Slug, host)
	}
}

func TestLetterThatFoldsToASCIIIsNoLetterOfTheBaseDomain(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"acme-corp.\u212Aiosk.example", "acme-corp.ki\u017Fk.example"} { // the Kelvin sign, the long s
		for _, base := range []string{"kiosk.example", "kisk.example"} {
			r := get("/")
			r.Host = host
			got, err := resolve.Subdomain(base).Tenant(r)
			require.NoError(t, err)
			assert.Zero(t, got, "%s beneath %s", host, base)
		}
	}
}

func TestRow17_ForwardedHostCountsFromTrustedProxiesAlone(t *testing.T) {
	t.Parallel()
	proxies := resolve.TrustProxies(netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"))
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         tenant.Slug // that of the Host is acme-corp
	}{
		{"a trusted peer", "10.1.2.3:40000", []string{"beta-industries.example.com"}, "beta-industries"},
		{"with a port", "10.1.2.3:40000", []string{"beta-industries.example.com:443"}, "beta-industries"},
		{"a trusted peer by IPv6", "[fd00::7]:40000", []string{"beta-industries.example.com"}, "beta-industries"},
		{"IPv4 in IPv6 clothes", "[::ffff:10.1.2.3]:40000", []string{"beta-industries.example.com"}, "beta-industries"},
		{"a trusted peer that sends none", "10.1.2.3:40000", nil, "acme-corp"},
		{"a host that names none", "10.1.2.3:40000", []string{"www.example.com"}, ""},

		{"another peer", "10.2.2.3:40000", []string{"beta-industries.example.com"}, "acme-corp"},
		{"another peer in clothes", "[::ffff:10.2.2.3]:40000", []string{"beta-industries.example.com"}, "acme-corp"},
		{"another peer that sends rubbish", "192.0.2.1:40000", []string{"a, b", ""}, "acme-corp"},
		{"an address that ends in a trusted one", "[64:ff9b::10.1.2.3]:40000", []string{"beta-industries.example.com"}, "acme-corp"},
		{"an address of another zone", "[fd00::7%eth0]:40000", []string{"beta-industries.example.com"}, "acme-corp"},
		{"an address without a port", "10.1.2.3", []string{"beta-industries.example.com"}, "acme-corp"},
		{"a Unix socket", "@", []string{"beta-industries.example.com"}, "acme-corp"},
		{"no address", "", []string{"beta-industries.example.com"}, "acme-corp"},
		{"a name", "proxy.internal:40000", []string{"beta-industries.example.com"}, "acme-corp"},
	} {
		r := get("http://acme-corp.example.com/", "Forwarded", "host=beta-industries.example.com", "X-Forwarded-For", "10.1.2.3", "X-Original-Host", "beta-industries.example.com")
		r.RemoteAddr = c.remote
		if c.forwarded != nil {
			r.Header["X-Forwarded-Host"] = c.forwarded
		}
		got, err := resolve.Subdomain("example.com", proxies).Tenant(r)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, got.Slug, c.name)

		got, err = resolve.Subdomain("example.com").Tenant(r)
		require.NoError(t, err, c.name)
		assert.Equal(t, tenant.Slug("acme-corp"), got.Slug, "without trusted proxies: %s", c.name)
	}
}

func TestRow17_ForwardedHostsOfATrustedProxyThatAreMalformed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{
		resolve.Subdomain("example.com", resolve.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))),
	}})
	for name, forwarded := range map[string][]string{
		"a list":                     {"evil.ru, acme-corp.example.com"},
		"a list, the other way":      {"acme-corp.example.com, evil.ru"},
		"a list of the same":         {"acme-corp.example.com,acme-corp.example.com"},
		"two lines":                  {"acme-corp.example.com", "beta-industries.example.com"},
		"two lines of the same":      {"acme-corp.example.com", "acme-corp.example.com"},
		"empty":                      {""},
		"a URL":                      {"https://acme-corp.example.com"},
		"a label that is no slug":    {"Acme.example.com"},
		"several labels":             {"a.b.example.com"},
		"an empty element of a list": {"acme-corp.example.com,"},
	} {
		r := get("http://acme-corp.example.com/")
		r.RemoteAddr = "10.1.2.3:40000"
		r.Header["X-Forwarded-Host"] = forwarded
		status, reached := serve(t, rs, r)
		assert.Equal(t, http.StatusBadRequest, status, name)
		assert.Nil(t, reached, name)
		_, err := rs.Resolve(r)
		require.ErrorIs(t, err, resolve.ErrInvalid, name)
	}
	assert.Empty(t, w.store.asked())
}

func TestSubdomainSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, source := range map[string]resolve.Source{
		"empty":                  resolve.Subdomain(""),
		"a port":                 resolve.Subdomain("example.com:8080"),
		"a scheme":               resolve.Subdomain("https://example.com"),
		"a dot at the end":       resolve.Subdomain("example.com."),
		"a dot at the beginning": resolve.Subdomain(".example.com"),
		"a wildcard":             resolve.Subdomain("*.example.com"),
		"upper case":             resolve.Subdomain("Example.com"),
		"an empty label":         resolve.Subdomain("example..com"),
		"a hyphen at an end":     resolve.Subdomain("example-.com"),
		"not ASCII":              resolve.Subdomain("exämple.com"),
		"IPv4":                   resolve.Subdomain("127.0.0.1"),
		"IPv6":                   resolve.Subdomain("::1"),
		"a long label":           resolve.Subdomain(strings.Repeat("a", 64) + ".com"),
		"too long for a slug":    resolve.Subdomain(strings.Repeat("a.", 102) + "a"),
		"a prefix that is zero":  resolve.Subdomain("example.com", resolve.TrustProxies(netip.Prefix{})),
		"IPv4 in IPv6 clothes":   resolve.Subdomain("example.com", resolve.TrustProxies(netip.MustParsePrefix("::ffff:10.0.0.0/104"))),
		"one bad prefix of two":  resolve.Subdomain("example.com", resolve.TrustProxies(netip.MustParsePrefix("10.0.0.0/8")), resolve.TrustProxies(netip.Prefix{})),
	} {
		_, err := resolve.New(w.store, resolve.Config{Sources: []resolve.Source{source}})
		require.Error(t, err, name)

		// Inside a source of one's own nobody checks it; then it names no tenant, ever.
		wrapped := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.SourceFunc(source.Tenant)}, Optional: true})
		status, reached := serve(t, wrapped, get("http://acme-corp.example.com/"))
		assert.Equal(t, http.StatusInternalServerError, status, name)
		assert.Nil(t, reached, name)
	}
	_, err := resolve.New(w.store, resolve.Config{Sources: []resolve.Source{resolve.Subdomain("notes.xn--exmple-cua.example")}})
	require.NoError(t, err, "a base domain may be an IDN")
}
