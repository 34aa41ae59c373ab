package accesstoken_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func TestKeysAreReadFromThePEMThatTheyWrite(t *testing.T) {
	t.Parallel()
	for _, alg := range []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256, accesstoken.RS256} {
		key := newKey(t, alg)
		text, err := key.MarshalPEM()
		require.NoError(t, err)
		again, err := accesstoken.ParseKey(append([]byte("\n \n"), append(text, "\n\n"...)...))
		require.NoError(t, err)
		assert.Equal(t, key.ID(), again.ID())
		assert.Equal(t, alg, again.Algorithm())

		w := newWorld(t)
		require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: again}))
		token := w.token(t)
		publicText, err := key.Public().MarshalPEM()
		require.NoError(t, err)
		public, err := accesstoken.ParsePublicKey(publicText)
		require.NoError(t, err)
		require.NoError(t, w.keys.Replace(accesstoken.KeySet{Accepted: []accesstoken.AcceptedKey{{Key: public}}}))
		_, err = w.verifier.Verify(t.Context(), token)
		require.NoError(t, err, "the public key that was read verifies what the private one has signed")
	}
}

// rfcKey is the key of RFC 8037, A.1.
const rfcKey = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`

// In the form in which "openssl genpkey -algorithm ed25519" and "openssl pkey -pubout" write it.
func TestKeysOfOpenSSLAreRead(t *testing.T) {
	t.Parallel()
	key, err := accesstoken.ParseKey([]byte(rfcKey))
	require.NoError(t, err)
	assert.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", key.ID())
	public, err := accesstoken.ParsePublicKey([]byte(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
`))
	require.NoError(t, err)
	assert.Equal(t, key.ID(), public.ID())
}

func TestTextThatIsNotOneKeyIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	key := newKey(t, accesstoken.EdDSA)
	private, err := key.MarshalPEM()
	require.NoError(t, err)
	public, err := key.Public().MarshalPEM()
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	require.NoError(t, err)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return block("PRIVATE KEY", der)
	}
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":                {nil, "not PEM"},
		"no PEM":                 {[]byte("kid: 1"), "not PEM"},
		"text in front":          {append([]byte("key:\n"), private...), "not PEM"},
		"text behind":            {append(bytes.Clone(private), "key"...), "more than one PEM block"},
		"two keys":               {append(bytes.Clone(private), private...), "more than one PEM block"},
		"a public key":           {public, "not a PRIVATE KEY"},
		"a certificate":          {block("CERTIFICATE", []byte("x")), "not a PRIVATE KEY"},
		"an encrypted key":       {block("ENCRYPTED PRIVATE KEY", []byte("x")), "decrypt it first"},
		"encrypted the old way":  {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")}), "decrypt it first"},
		"SEC 1":                  {block("EC PRIVATE KEY", sec1), "openssl pkcs8 -topk8"},
		"PKCS #1":                {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), "openssl pkcs8 -topk8"},
		"no PKCS #8":             {block("PRIVATE KEY", []byte("secret")), "no PKCS #8"},
		"a damaged block":        {private[:len(private)-10], "damaged"},
		"ECDSA on P-384":         {pkcs8(p384), "P-256"},
		"RSA with 1024 bits":     {pkcs8(short), "2048 to 8192 bits, not 1024"},
		"longer than any key is": {bytes.Repeat([]byte("x"), 16<<10+1), "the limit is 16384"},
	} {
		key, err := accesstoken.ParseKey(test.text)
		require.ErrorContains(t, err, test.want, name)
		assert.True(t, key.IsZero(), name)
		assert.NotContains(t, err.Error(), "secret", name)
	}
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"a private key":      {private, "not a PUBLIC KEY"},
		"another kind":       {block("RSA PUBLIC KEY", []byte("x")), "not a PUBLIC KEY"},
		"no key in it":       {block("PUBLIC KEY", []byte("x")), "parse a public key"},
		"nothing":            {nil, "-----BEGIN PUBLIC KEY-----"},
		"longer than a key":  {[]byte(strings.Repeat("x", 16<<10+1)), "the limit is 16384"},
		"two keys, one text": {append(bytes.Clone(public), public...), "more than one PEM block"},
	} {
		key, err := accesstoken.ParsePublicKey(test.text)
		require.ErrorContains(t, err, test.want, name)
		assert.True(t, key.IsZero(), name)
	}
	_, err = accesstoken.Key{}.MarshalPEM()
	require.Error(t, err)
	_, err = accesstoken.PublicKey{}.MarshalPEM()
	require.Error(t, err)
}

// FuzzParseKey: no text makes it panic, and what it takes is a key that can be written and
// read again.
func FuzzParseKey(f *testing.F) {
	for _, alg := range []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256} {
		text, err := newKey(f, alg).MarshalPEM()
		require.NoError(f, err)
		f.Add(text)
		public, err := newKey(f, alg).Public().MarshalPEM()
		require.NoError(f, err)
		f.Add(public)
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := accesstoken.ParseKey(text); err == nil {
			written, err := key.MarshalPEM()
			require.NoError(t, err)
			again, err := accesstoken.ParseKey(written)
			require.NoError(t, err)
			require.Equal(t, key.ID(), again.ID())
		}
		if key, err := accesstoken.ParsePublicKey(text); err == nil {
			written, err := key.MarshalPEM()
			require.NoError(t, err)
			again, err := accesstoken.ParsePublicKey(written)
			require.NoError(t, err)
			require.Equal(t, key.ID(), again.ID())
		}
	})
}
