package dnsname_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/dnsname"
)

// Row 20.
func TestParseIsOneCanonicalForm(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"notes.acme.example":            "notes.acme.example",
		"\tNotes.ACME.Example. ":        "notes.acme.example", //nolint:gocritic // the spaces are the case
		"büro.example":                  "xn--bro-hoa.example",
		"BÜRO.example":                  "xn--bro-hoa.example",
		"bu\u0308ro.example":            "xn--bro-hoa.example", // composed of two characters
		"xn--bro-hoa.example":           "xn--bro-hoa.example",
		"XN--BRO-HOA.example":           "xn--bro-hoa.example",
		"xn--bro-hoa.EXAMPLE.":          "xn--bro-hoa.example",
		"straße.example":                "xn--strae-oqa.example", // and not strasse, which is another's
		"ａｃｍｅ.example":                  "acme.example",          // full width
		"acme。example":                  "acme.example",          // an ideographic full stop
		"\u0430cme.example":             "xn--cme-5cd.example",   // Cyrillic: another domain than acme.example
		"ab--cd.example":                "ab--cd.example",
		"a.1a":                          "a.1a",
		"0xfg.example.0xg":              "0xfg.example.0xg",
		strings.Repeat("a.", 126) + "b": strings.Repeat("a.", 126) + "b",
	} {
		got, err := dnsname.Parse(written)
		require.NoError(t, err, "%q", written)
		assert.Equal(t, want, got, "%q", written)
		assert.True(t, dnsname.IsCanonical(got), "%q", got)
		assert.Equal(t, written == want, dnsname.IsCanonical(written), "%q", written)
	}
}

// Row 20.
func TestParseRefusesWhatIsNoDomain(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", ".", " ", "localhost", "com", "example.com..", ".example.com", "a..b", "-a.example", "a-.example", "a_b.example",
		"*.example.com", "example.com:80", "https://example.com", "example.com/", "user@example.com", "exa mple.com", "a\x00.example",
		"127.0.0.1", "127.1", "0x7f.1", "example.0x7f", "example.1", "1.2.3.4.", "::1", "[::1]", "１２７.0.0.1", "::ffff:127.0.0.1",
		"xn--a.example", "xn--\u00fc.example", "xn--acme-.example", "a\u200b\u200d.example", "\xff.example", "%61.example",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "b", strings.Repeat("a", 1<<20),
	} {
		_, err := dnsname.Parse(s)
		require.ErrorIs(t, err, dnsname.ErrBad, "%.60q", s)
		assert.False(t, dnsname.IsCanonical(s), "%.60q", s)
		assert.Less(t, len(err.Error()), 1200)
	}
}

func TestPublicSuffixesBelongToNobody(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"co.uk": true, "github.io": true, "com": true, "s3.amazonaws.com": true, "xn--55qx5d.cn": true, "any.kawasaki.jp": true,
		"acme.co.uk": false, "acme.github.io": false, "notes.acme.com": false, "acme.example": false, "city.kawasaki.jp": false,
	} {
		assert.Equal(t, want, dnsname.IsPublicSuffix(name), name)
	}
}

// Row 16.
func TestWithinEndsAtADot(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"example.com": true, "a.example.com": true, "a.b.example.com": true,
		"evilexample.com": false, "example.com.evil.ru": false, "com": false, "example.co": false,
	} {
		assert.Equal(t, want, dnsname.Within(name, "example.com"), name)
	}
}

// records answers every name alike.
type records struct {
	texts []string
	err   error
	asked *string
}

func (r records) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("no deadline")
	}
	*r.asked = name
	return r.texts, r.err
}

func TestHasTXTTellsAnAbsentRecordFromServersThatAreSilent(t *testing.T) {
	t.Parallel()
	silent := &net.DNSError{Err: "timeout", IsTimeout: true}
	for name, test := range map[string]struct {
		texts []string
		err   error
		want  bool
		fails error
	}{
		"there":          {[]string{"v=spf1", " token "}, nil, true, nil},
		"another":        {[]string{"token2", "atoken", "TOKEN"}, nil, false, nil},
		"none":           {nil, nil, false, nil},
		"no such domain": {nil, &net.DNSError{Err: "no such host", IsNotFound: true}, false, nil},
		"silent":         {[]string{"token"}, silent, false, silent},
	} {
		var asked string
		got, err := dnsname.HasTXT(t.Context(), records{test.texts, test.err, &asked}, "_challenge.acme.example", "token")
		require.Equal(t, test.fails, err, name)
		assert.Equal(t, test.want, got, name)
		assert.Equal(t, "_challenge.acme.example.", asked, "absolute, so that no search list is tried")
	}
}

// FuzzParse: what is taken is in the one form that it stays in.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"notes.acme.example", "Büro.Example.", "xn--bro-hoa.example", "ａｃｍｅ。example", "127.0.0.1", "a..b", "straße.de", "\u200da.example", "xn--.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := dnsname.Parse(s)
		if err != nil {
			require.ErrorIs(t, err, dnsname.ErrBad)
			return
		}
		require.True(t, dnsname.Is(name), name)
		require.True(t, dnsname.IsCanonical(name), name)
		again, err := dnsname.Parse(strings.ToUpper(name) + ".")
		require.NoError(t, err)
		require.Equal(t, name, again)
	})
}
