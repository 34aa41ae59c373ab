package main

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func testTokens(now time.Time) tokens {
	return tokens{key: []byte("a key of the tests"), now: func() time.Time { return now }}
}

func TestATokenSaysWhoAndForWhichTenant(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ada := user{ID: "user-1", Email: "ada@acme.example"}
	for _, in := range []tenant.ID{{}, tenant.NewID()} {
		token, expires, err := testTokens(now).mint(ada, in)
		require.NoError(t, err)
		assert.WithinDuration(t, now.Add(tokenLifetime), expires, time.Second)
		p, err := testTokens(now).verify(token)
		require.NoError(t, err)
		assert.Equal(t, tenant.Principal{Kind: tenant.User, ID: "user-1", Email: "ada@acme.example", Tenant: in}, p)
	}
}

func TestRow33_ATokenIsGoodUntilItExpires(t *testing.T) {
	t.Parallel()
	now := time.Now()
	token, expires, err := testTokens(now).mint(user{ID: "user-1"}, tenant.ID{})
	require.NoError(t, err)
	_, err = testTokens(expires.Add(-time.Second)).verify(token)
	require.NoError(t, err)
	_, err = testTokens(expires).verify(token)
	require.ErrorIs(t, err, errBadToken)
}

func TestRow33_ATokenThatIsChangedIsRefused(t *testing.T) {
	t.Parallel()
	issuer := testTokens(time.Now())
	token, _, err := issuer.mint(user{ID: "user-1"}, tenant.ID{})
	require.NoError(t, err)
	for i := range len(token) {
		changed := []byte(token)
		changed[i] ^= 1
		_, err := issuer.verify(string(changed))
		require.ErrorIs(t, err, errBadToken, "byte %d", i)
	}
	version, rest, _ := strings.Cut(token, ".")
	claims, mac, _ := strings.Cut(rest, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"user-2","exp":99999999999}`))
	unsigned := version + "." + claims
	for name, bad := range map[string]string{
		"empty":                  "",
		"dots":                   "..",
		"without a signature":    unsigned,
		"with an empty one":      unsigned + ".",
		"other claims":           version + "." + forged + "." + mac,
		"another version":        "notes2." + claims + "." + mac,
		"a version signed anew":  signed(issuer, "notes2."+claims),
		"no version signed anew": signed(issuer, claims),
		"claims that are none":   signed(issuer, version+".bm8"),
		"claims that are no JSON": signed(issuer, version+"."+
			base64.RawURLEncoding.EncodeToString([]byte(`{"sub":`))),
		"longer than any": token + strings.Repeat("A", maxTokenLen),
	} {
		_, err := issuer.verify(bad)
		require.ErrorIs(t, err, errBadToken, name)
	}
}

// signed is what only whoever has the key can make.
func signed(issuer tokens, text string) string {
	return text + "." + base64.RawURLEncoding.EncodeToString(issuer.mac(text))
}

func FuzzVerify(f *testing.F) {
	issuer := testTokens(time.Unix(1_800_000_000, 0))
	good, _, err := issuer.mint(user{ID: "user-1", Email: "a@b.example"}, tenant.ID{})
	require.NoError(f, err)
	for _, token := range []string{good, good[1:], "..", "notes1..", signed(issuer, "notes1.e30"), ""} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := issuer.verify(token); err == nil && token != good && token != signed(issuer, "notes1.e30") {
			t.Fatalf("took %q", token)
		}
	})
}
