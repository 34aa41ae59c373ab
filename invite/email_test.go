package invite_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
)

func TestAddressesHaveOneForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ada@acme.example":          "ada@acme.example",
		"  Ada@ACME.Example\r\n":    "ada@acme.example",
		"ada.l+notes@acme.example":  "ada.l+notes@acme.example",
		"o'hara_{x}@xn--acme-x.com": "o'hara_{x}@xn--acme-x.com",
		"root@localhost":            "root@localhost",
		strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".com": strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".com",
	} {
		got, err := invite.CanonicalEmail(in)
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, got)
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	t.Parallel()
	for _, in := range badAddresses() {
		got, err := invite.CanonicalEmail(in)
		require.ErrorIs(t, err, invite.ErrBadEmail, "%q", in)
		assert.Empty(t, got)
	}
}

func badAddresses() []string {
	return []string{
		"", " ", "ada", "@acme.example", "ada@", "ada@@acme.example", "ada@acme@example",
		"Ada <ada@acme.example>", "<ada@acme.example>", "ada@acme.example (Ada)", `"ada"@acme.example`, `"a b"@acme.example`,
		"ada@acme.example, ben@beta.example", "ada@acme.example\r\nBcc: ben@beta.example", "ada@acme.example\x00",
		"ada@[127.0.0.1]", "ada@acme..example", "ada@-acme.example", "ada@acme-.example", "ada@acme.example.", "ada@acme_corp.example",
		".ada@acme.example", "ada.@acme.example", "a..b@acme.example",
		"\u212aate@acme.example", // KELVIN SIGN, whose lower case is k
		"ada@\u212aorp.example", "ädä@acme.example", "ada@äcme.example", "ada@acme\u3002example", "\u200bada@acme.example",
		strings.Repeat("a", 65) + "@acme.example",
		"ada@" + strings.Repeat("b", 64) + ".example",
		"ada@" + strings.Repeat("b.", 130) + "com",
	}
}

func FuzzCanonicalEmail(f *testing.F) {
	f.Add("Ada@Acme.Example")
	for _, bad := range badAddresses() {
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := invite.CanonicalEmail(in)
		if err != nil {
			assert.ErrorIs(t, err, invite.ErrBadEmail)
			return
		}
		assert.Regexp(t, `^[!-?A-~]+@[a-z0-9.-]+$`, got)
		assert.Equal(t, strings.ToLower(got), got)
		assert.LessOrEqual(t, len(got), invite.MaxEmailLen)
		assert.True(t, strings.EqualFold(got, strings.TrimSpace(in)), "it is what was typed")
		again, err := invite.CanonicalEmail(got)
		assert.NoError(t, err)
		assert.Equal(t, got, again)
	})
}
