package tenant_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

var goodSlugs = []string{
	"ab", "a1", "acme-corp", "beta-industries", "a-b-c-d", "x2", "wwww", "api2", "t-1", "pg",
	strings.Repeat("a", tenant.MaxSlugLen),
}

// badSlugs are names that were taken for a tenant's by one product or another, or that mean
// something else to a host, a path, a header or a database.
var badSlugs = map[string]string{
	"empty":                   "",
	"one character":           "a",
	"49 characters":           strings.Repeat("a", tenant.MaxSlugLen+1),
	"very long":               strings.Repeat("a", 1<<20),
	"upper case":              "Acme-corp",
	"upper case at the end":   "acmE",
	"a digit first":           "1acme",
	"a hyphen first":          "-acme",
	"a hyphen last":           "acme-",
	"two hyphens":             "acme--corp",
	"IDN in disguise":         "xn--acme-abc",
	"an underscore":           "acme_corp",
	"a schema":                "pg_catalog",
	"a dot":                   "acme.corp",
	"a dot at the end":        "acme.",
	"a port":                  "acme:8080",
	"an IPv4 address":         "127.0.0.1",
	"an IPv6 address":         "[::1]",
	"a slash":                 "acme/corp",
	"a slash escaped":         "acme%2fcorp",
	"dots escaped":            "%2e%2e",
	"a percent":               "acme%",
	"a space":                 "acme corp",
	"a space at the end":      "acme ",
	"a line break":            "acme\n",
	"a NUL":                   "acme\x00",
	"a quote":                 `acme"`,
	"an apostrophe":           "acme'--",
	"a comma":                 "acme,beta",
	"an umlaut":               "ämme",
	"a Cyrillic a":            "\u0430cme",
	"a full-width a":          "\uff41cme",
	"a soft hyphen":           "ac\u00adme",
	"a zero-width space":      "ac\u200bme",
	"broken UTF-8":            "acme\xff",
	"reserved, www":           "www",
	"reserved, the path":      "t",
	"reserved, the operators": "admin",
	"reserved, mail's":        "postmaster",
	"an id":                   "abcdefab-cdef-4abc-8def-abcdefabcdef",
}

func TestSlugsOfTheRuleAreTaken(t *testing.T) {
	t.Parallel()
	for _, text := range goodSlugs {
		slug, err := tenant.ParseSlug(text)
		require.NoError(t, err, text)
		assert.Equal(t, tenant.Slug(text), slug)
	}
}

func TestRow16_Row20_TextThatBreaksTheRuleIsNoSlug(t *testing.T) {
	t.Parallel()
	for name, text := range badSlugs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slug, err := tenant.ParseSlug(text)
			require.ErrorIs(t, err, tenant.ErrBadSlug)
			assert.Empty(t, slug)
			assert.Less(t, len(err.Error()), 100)
		})
	}
}

func TestRow12_NamesThatDatabasesFoldAreNotBothSlugs(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"acme_corp", "ACME-CORP", "Acme-Corp", "acme-corp ", "acme--corp", "acme.corp"} {
		_, err := tenant.ParseSlug(other)
		assert.ErrorIs(t, err, tenant.ErrBadSlug, other)
	}
}

func TestReservedNamesAreToldFromMalformedOnes(t *testing.T) {
	t.Parallel()
	_, err := tenant.ParseSlug("www")
	require.ErrorIs(t, err, tenant.ErrReservedSlug)
	_, err = tenant.ParseSlug(badSlugs["an id"])
	require.ErrorIs(t, err, tenant.ErrReservedSlug)
	_, err = tenant.ParseSlug("WWW")
	require.NotErrorIs(t, err, tenant.ErrReservedSlug)

	_, err = tenant.ParseSlug("status-page", "careers", "status-page")
	require.ErrorIs(t, err, tenant.ErrReservedSlug, "a name of the product's own")
	_, err = tenant.ParseSlug("status-page")
	require.NoError(t, err)
}

func TestEveryReservedNameIsRefused(t *testing.T) {
	t.Parallel()
	names := tenant.ReservedSlugs()
	assert.True(t, slices.IsSorted(names))
	assert.Equal(t, names, slices.Compact(slices.Clone(names)), "no name twice")
	for _, name := range names {
		_, err := tenant.ParseSlug(name)
		assert.ErrorIs(t, err, tenant.ErrBadSlug, name)
		assert.Regexp(t, `^[a-z][a-z0-9]*$`, name, "a name that no slug could be needs no reservation")
	}
	names[0] = "changed"
	assert.NotEqual(t, names[0], tenant.ReservedSlugs()[0], "each call has a slice of its own")
}

func TestSlugIsReadFromJSONByTheRule(t *testing.T) {
	t.Parallel()
	var body struct{ Slug tenant.Slug }
	require.NoError(t, json.Unmarshal([]byte(`{"slug":"acme-corp"}`), &body))
	assert.Equal(t, tenant.Slug("acme-corp"), body.Slug)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"slug":"Acme"}`), &body), tenant.ErrBadSlug)
	assert.Equal(t, tenant.Slug("acme-corp"), body.Slug, "what can't be read changes nothing")
}

func FuzzParseSlug(f *testing.F) {
	for _, text := range goodSlugs {
		f.Add(text)
	}
	for _, text := range badSlugs {
		f.Add(text)
	}
	pattern := regexp.MustCompile(tenant.SlugPattern)
	reserved := tenant.ReservedSlugs()
	f.Fuzz(func(t *testing.T, text string) {
		slug, err := tenant.ParseSlug(text)
		_, notID := tenant.ParseID(text)
		want := pattern.MatchString(text) && len(text) >= tenant.MinSlugLen && len(text) <= tenant.MaxSlugLen &&
			!slices.Contains(reserved, text) && notID != nil
		require.Equal(t, want, err == nil, "%q: the parts of the rule say %v, ParseSlug says %v", text, want, err)
		if err != nil {
			require.ErrorIs(t, err, tenant.ErrBadSlug)
			require.Empty(t, slug)
			return
		}
		require.Equal(t, text, string(slug), "a slug has one spelling")
	})
}
