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

func TestRow16_Row20_HostsThatAreADomainOfATenantAndThoseThatAreNot(t *testing.T) {
	t.Parallel()
	const acme, none, malformed = "notes.acme.example", "", "malformed"
	for host, want := range map[string]string{
		"notes.acme.example":       acme,
		"notes.acme.example:8080":  acme,
		"notes.acme.example:":      acme,
		"notes.acme.example.":      acme,
		"notes.acme.example.:8080": acme,
		"NOTES.Acme.Example":       acme,
		"acme.example":             "acme.example",
		"xn--bro-hoa.example":      "xn--bro-hoa.example",
		"XN--BRO-HOA.example.":     "xn--bro-hoa.example",

		// Domains that resemble others are themselves, and nobody's until they are proved.
		"evilexample.com":         "evilexample.com",
		"example.com.evil.ru":     "example.com.evil.ru",
		"notes.acme.example.evil": "notes.acme.example.evil",
		"xn--cme-5cd.example":     "xn--cme-5cd.example", // the a is Cyrillic
		"co.uk":                   "co.uk",

		// The service's own, whatever stands before them.
		"example.com":             none,
		"EXAMPLE.com.:443":        none,
		"acme-corp.example.com":   none,
		"www.example.com":         none,
		"a.b.example.com":         none,
		"Acme_Corp.example.com":   none,
		"user@acme.example.com":   none,
		"notes.acme.example.com.": none,

		// Addresses, and names that no DNS server of the world knows.
		"":                      none,
		"127.0.0.1":             none,
		"127.0.0.1:8080":        none,
		"127.0.0.1.":            none,
		"::1":                   none,
		"[::1]":                 none,
		"[::1]:8080":            none,
		"[fe80::1%25eth0]:8080": none,
		"[::ffff:127.0.0.1]":    none,
		"localhost":             none,
		"LOCALHOST:8080":        none,
		"com":                   none,
		"notes":                 none,

		"notes..acme.example":              malformed,
		".acme.example":                    malformed,
		"notes.acme.example..":             malformed,
		".":                                none,
		"..":                               malformed,
		"notes.acme.example:80:80":         malformed,
		"notes.acme.example:http":          malformed,
		"notes.acme.example/":              malformed,
		"notes.acme.example@evil.ru":       malformed,
		"user@notes.acme.example":          malformed,
		"https://notes.acme.example":       malformed,
		"notes.acme.example,evil.ru":       malformed,
		" notes.acme.example":              malformed,
		"notes acme.example":               malformed,
		"notes_acme.example":               malformed,
		"*.acme.example":                   malformed,
		"-notes.acme.example":              malformed,
		"notes%2Eacme.example":             malformed,
		"notes.acme.example\x00":           malformed,
		"notes.acme。example":               malformed, // an ideographic full stop
		"büro.example":                     malformed, // browsers send xn--bro-hoa.example
		"\u212Aiosk.example":               malformed, // the Kelvin sign
		"ex\u0430mple.com":                 malformed, // Cyrillic
		"\xff.example":                     malformed,
		"xn--acme-.example":                malformed, // what is written without A-labels
		"xn--\u00fc.example":               malformed,
		"127.1":                            malformed, // an address to some
		"0x7f.0.0.1":                       malformed,
		"1.2.3.4.5":                        malformed,
		"127.0.0.1.0x1":                    malformed,
		"[::1":                             malformed,
		"[::1]x.example":                   malformed,
		"[notes.acme.example]":             malformed,
		"[127.0.0.1]":                      malformed,
		"[::1]:http":                       malformed,
		"my_service":                       malformed,
		strings.Repeat("a", 64) + ".ex":    malformed,
		strings.Repeat("a.", 127) + "exam": malformed,
		strings.Repeat("a", 1<<20) + ".ex": malformed,
	} {
		r := get("/")
		r.Host = host
		got, err := resolve.Domain("example.com").Tenant(r)
		if want == malformed {
			require.ErrorIs(t, err, resolve.ErrInvalid, "%.60q", host)
			assert.Less(t, len(err.Error()), 200)
			assert.Zero(t, got, "%.60q", host)
			continue
		}
		require.NoError(t, err, "%.60q", host)
		assert.Equal(t, resolve.Claim{Domain: want}, got, "%.60q", host)
	}
}

func TestKelvinSignIsNoLetterOfTheBaseDomain(t *testing.T) {
	t.Parallel()
	r := get("/")
	r.Host = "\u212Aiosk.example"
	_, err := resolve.Domain("kiosk.example").Tenant(r)
	require.ErrorIs(t, err, resolve.ErrInvalid)
}

func TestRow17_ForwardedHostIsADomainFromTrustedProxiesAlone(t *testing.T) {
	t.Parallel()
	source := resolve.Domain("example.com", resolve.TrustProxies(netip.MustParsePrefix("10.1.0.0/16")))
	r := get("http://notes.acme.example/", "X-Forwarded-Host", "notes.beta.example")
	for remote, want := range map[string]string{
		"10.1.2.3:40000":      "notes.beta.example",
		"10.2.2.3:40000":      "notes.acme.example",
		"[::ffff:10.1.2.3]:4": "notes.beta.example",
		"":                    "notes.acme.example",
	} {
		r.RemoteAddr = remote
		got, err := source.Tenant(r)
		require.NoError(t, err)
		assert.Equal(t, want, got.Domain, "from %q", remote)
		got, err = resolve.Domain("example.com").Tenant(r)
		require.NoError(t, err)
		assert.Equal(t, "notes.acme.example", got.Domain, "without trusted proxies")
	}
	r.RemoteAddr = "10.1.2.3:40000"
	r.Header.Set("X-Forwarded-Host", "evil.ru, notes.acme.example")
	_, err := source.Tenant(r)
	require.ErrorIs(t, err, resolve.ErrInvalid)
}

func TestDomainOfATenantAgreesWithTheOtherSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.store.AddDomain(w.acme.ID, "notes.acme.example"))
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{
		resolve.Subdomain("example.com"), resolve.Domain("example.com"), resolve.Header(), resolve.FromPrincipal(),
	}})
	for name, r := range map[string]*http.Request{
		"alone":                          get("http://notes.acme.example/"),
		"with its slug":                  get("http://notes.acme.example/", resolve.HeaderSlug, "acme-corp"),
		"with its key":                   as(get("http://Notes.ACME.example.:8080/"), keyOf(w.acme)),
		"the subdomain beside it":        get("http://acme-corp.example.com/"),
		"another place, at an address":   get("http://127.0.0.1:8080/", resolve.HeaderSlug, "acme-corp"),
		"another place, of its own host": get("http://example.com/", resolve.HeaderSlug, "acme-corp"),
	} {
		inside, err := rs.Resolve(r)
		require.NoError(t, err, name)
		got, _ := tenant.FromContext(inside.Context())
		assert.Equal(t, w.acme.ID, got.ID, name)
	}
	for name, test := range map[string]struct {
		r    *http.Request
		want error
	}{
		"nobody's":                   {get("http://notes.nobody.example/"), tenant.ErrNotFound},
		"nobody's, to a key":         {as(get("http://notes.nobody.example/"), keyOf(w.acme)), resolve.ErrMismatch},
		"with another's slug":        {get("http://notes.acme.example/", resolve.HeaderSlug, "beta-industries"), resolve.ErrConflict},
		"with another's key":         {as(get("http://notes.acme.example/"), keyOf(w.beta)), resolve.ErrMismatch},
		"malformed, beside a slug":   {get("http://notes.acme.example./", resolve.HeaderSlug, "Acme"), resolve.ErrInvalid},
		"nobody's, beside its slug":  {get("http://notes.nobody.example/", resolve.HeaderSlug, "acme-corp"), tenant.ErrNotFound},
		"malformed beneath the base": {get("http://a.b.example.com/"), resolve.ErrInvalid},
	} {
		_, err := rs.Resolve(test.r)
		require.ErrorIs(t, err, test.want, name)
	}
}

// Row 21.
func TestRow21_DomainOfADeletedTenantIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.store.AddDomain(w.acme.ID, "notes.acme.example"))
	require.NoError(t, w.store.Delete(w.acme.ID))
	rs := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Domain("example.com")}, Optional: true})
	_, err := rs.Resolve(get("http://notes.acme.example/"))
	require.ErrorIs(t, err, tenant.ErrGone)
	_, err = rs.Resolve(get("http://notes.nobody.example/"))
	require.ErrorIs(t, err, tenant.ErrNotFound, "optional is for requests that name none")
}

func TestDomainSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, source := range map[string]resolve.Source{
		"empty":                 resolve.Domain(""),
		"a port":                resolve.Domain("example.com:8080"),
		"upper case":            resolve.Domain("Example.com"),
		"not ASCII":             resolve.Domain("exämple.com"),
		"an address":            resolve.Domain("127.0.0.1"),
		"a prefix that is zero": resolve.Domain("example.com", resolve.TrustProxies(netip.Prefix{})),
	} {
		_, err := resolve.New(w.store, resolve.Config{Sources: []resolve.Source{source}})
		require.Error(t, err, name)
		_, err = source.Tenant(get("http://notes.acme.example/"))
		require.Error(t, err, "a source of one's own around it: %s", name)
	}
}
