package accesstoken_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func TestGeneratedKeysAreOfTheirAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256, accesstoken.RS256} {
		key, err := accesstoken.GenerateKey(alg)
		require.NoError(t, err)
		assert.Equal(t, alg, key.Algorithm())
		assert.Equal(t, alg, key.Public().Algorithm())
		assert.Equal(t, key.ID(), key.Public().ID())
		assert.Len(t, key.ID(), 43)
		assert.False(t, key.IsZero())
		assert.False(t, key.Public().IsZero())
	}
	one, other := newKey(t, accesstoken.EdDSA), newKey(t, accesstoken.EdDSA)
	assert.NotEqual(t, one.ID(), other.ID())
	for _, alg := range []accesstoken.Algorithm{"", "none", "HS256", "ES384", "eddsa"} {
		key, err := accesstoken.GenerateKey(alg)
		require.ErrorContains(t, err, "take EdDSA, ES256 or RS256", alg)
		assert.True(t, key.IsZero())
	}
}

// The examples of the RFCs, with the thumbprints that stand there.
func TestIDIsTheThumbprintOfTheRFCs(t *testing.T) {
	t.Parallel()
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	require.NoError(t, err)
	key, err := accesstoken.NewPublicKey(ed25519.PublicKey(x))
	require.NoError(t, err)
	assert.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", key.ID(), "RFC 8037, A.3")

	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs" +
		"tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI" +
		"SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	require.NoError(t, err)
	key, err = accesstoken.NewPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	require.NoError(t, err)
	assert.Equal(t, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", key.ID(), "RFC 7638, 3.1")
}

func TestKeysThatAreTooWeakOrOfAnotherKindAreRefused(t *testing.T) {
	t.Parallel()
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	modulus := func(bits int) *big.Int { return new(big.Int).SetBit(big.NewInt(1), bits-1, 1) }
	for name, test := range map[string]struct {
		key  crypto.PublicKey
		want string
	}{
		"nothing":                    {nil, "type <nil>"},
		"a secret":                   {[]byte("secret"), "type []uint8"},
		"a pointer to an Ed25519":    {&edwards, "type *ed25519.PublicKey"},
		"Ed25519, a byte short":      {edwards[1:], "32 bytes, not 31"},
		"Ed25519, empty":             {ed25519.PublicKey{}, "32 bytes, not 0"},
		"a private key":              {p384, "type *ecdsa.PrivateKey"},
		"ECDSA on P-384":             {&p384.PublicKey, "P-256"},
		"ECDSA, nil":                 {(*ecdsa.PublicKey)(nil), "P-256"},
		"RSA, 1024 bits":             {&rsa.PublicKey{N: modulus(1024), E: 65537}, "2048 to 8192 bits, not 1024"},
		"RSA, 2047 bits":             {&rsa.PublicKey{N: modulus(2047), E: 65537}, "2048 to 8192 bits, not 2047"},
		"RSA, 8193 bits":             {&rsa.PublicKey{N: modulus(8193), E: 65537}, "2048 to 8192 bits, not 8193"},
		"RSA, nil":                   {(*rsa.PublicKey)(nil), "nil"},
		"RSA, no modulus":            {&rsa.PublicKey{E: 65537}, "nil"},
		"RSA, exponent 1":            {&rsa.PublicKey{N: modulus(2048), E: 1}, "exponent"},
		"RSA, an exponent with half": {&rsa.PublicKey{N: modulus(2048), E: 4}, "exponent"},
	} {
		key, err := accesstoken.NewPublicKey(test.key)
		require.ErrorContains(t, err, test.want, name)
		assert.True(t, key.IsZero(), name)
	}
}

func TestPrivateKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	key := newKey(t, accesstoken.EdDSA)
	seed := private(t, key).(ed25519.PrivateKey).Seed()
	type holder struct {
		Exported accesstoken.Key
		Pointer  *accesstoken.Key
		hidden   accesstoken.Key
		set      accesstoken.KeySet
	}
	held := holder{key, &key, key, accesstoken.KeySet{Signing: key}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%p", "%t", "%w", "%y"} {
		for _, value := range []any{key, &key, held, &held, []accesstoken.Key{key}, map[string]accesstoken.Key{"k": key}, held.set, &held.set} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.InfoContext(t.Context(), "keys", "key", key, "pointer", &key, "held", held, "set", held.set)
	}
	text, err := json.Marshal(held)
	require.NoError(t, err)
	out.Write(text)

	decimal := strings.Trim(fmt.Sprintf("%d", seed), "[]")
	printed := strings.ToLower(out.String())
	for name, form := range map[string]string{
		"raw": string(seed), "hexadecimal": hex.EncodeToString(seed), "base64": base64.RawStdEncoding.EncodeToString(seed)[:40],
		"base64url": base64.RawURLEncoding.EncodeToString(seed)[:40], "decimal": decimal, "comma": strings.ReplaceAll(decimal, " ", ", "),
		"Go": strings.Trim(fmt.Sprintf("%#v", seed), "[]byte{}"), "the start": fmt.Sprintf("%x", seed[:6]),
	} {
		if strings.Contains(printed, strings.ToLower(form)) { // an assertion would print all of it
			t.Errorf("%s: look for %q in what is printed", name, form)
		}
	}
	assert.Equal(t, "private key "+key.ID(), key.String())
	assert.Equal(t, "private key "+key.ID(), fmt.Sprintf("%#v", key))
	assert.Equal(t, "public key "+key.ID(), key.Public().String())
	assert.Equal(t, "no private key", accesstoken.Key{}.String())
	assert.Equal(t, "no public key", accesstoken.PublicKey{}.String())
	assert.Contains(t, out.String(), `key="private key `+key.ID()+`"`, "the text log names it")
}
