package accesstoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is how a key signs, by its name in JSON Web Signatures (RFC 7518, RFC 8037).
// Each key has one, and signs and verifies by no other.
type Algorithm string

const (
	EdDSA Algorithm = "EdDSA" // Ed25519: short keys and signatures, and nothing to choose wrongly
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256, for verifiers that know no Ed25519
	RS256 Algorithm = "RS256" // RSA, PKCS #1 v1.5, with SHA-256, for those that know nothing else
)

// Sizes of RSA keys in bits. RFC 7518, 3.3 asks for the least; longer than the most, a
// verification costs more than a request should.
const (
	minRSABits       = 2048
	maxRSABits       = 8192
	generatedRSABits = 3072
)

// Key is a private key that signs tokens, with its public part. The zero Key is none.
//
// Its private part is never printed: fmt, whatever the verb, slog and encoding/json write
// the id or nothing. [Key.MarshalPEM] alone hands it out.
//
// A Key is immutable, and may be copied and used by several goroutines at once.
type Key struct {
	public PublicKey
	secret func() crypto.PrivateKey // a function, because fmt follows pointers when a verb is wrong
}

// PublicKey is what verifies the tokens that its [Key] has signed. The zero PublicKey is
// none. It is immutable, and may be copied and used by several goroutines at once.
type PublicKey struct {
	id        string
	algorithm Algorithm
	key       crypto.PublicKey
	header    string // the first part of each token that is signed with the key
}

// GenerateKey makes a new key; one of RS256 has 3072 bits. The error is about an
// algorithm that is not one of those above.
func GenerateKey(alg Algorithm) (Key, error) {
	var private crypto.PrivateKey
	var err error
	switch alg {
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, generatedRSABits)
	default:
		return Key{}, fmt.Errorf("accesstoken: no algorithm %q: take EdDSA, ES256 or RS256", alg)
	}
	if err != nil {
		return Key{}, fmt.Errorf("accesstoken: generate a key: %w", err)
	}
	return newKey(private)
}

func newKey(private any) (Key, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("accesstoken: a key of type %T does not sign", private)
	}
	public, err := NewPublicKey(signer.Public())
	if err != nil {
		return Key{}, err
	}
	return Key{public: public, secret: func() crypto.PrivateKey { return private }}, nil
}

// NewPublicKey takes a key of another source: an [ed25519.PublicKey], an
// [*ecdsa.PublicKey] on P-256, or an [*rsa.PublicKey] of 2048 to 8192 bits, which must not
// change after that. The error is about any other.
func NewPublicKey(key crypto.PublicKey) (PublicKey, error) {
	alg, err := algorithmOf(key)
	if err != nil {
		return PublicKey{}, fmt.Errorf("accesstoken: %w", err)
	}
	essential, err := newJWK(key)
	if err != nil {
		return PublicKey{}, fmt.Errorf("accesstoken: %w", err)
	}
	id := essential.thumbprint()
	return PublicKey{id: id, algorithm: alg, key: key, header: header(alg, id)}, nil
}

// algorithmOf is the one algorithm of a key, or what is wrong with the key.
func algorithmOf(key crypto.PublicKey) (Algorithm, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return "", fmt.Errorf("an Ed25519 key has %d bytes, not %d", ed25519.PublicKeySize, len(key))
		}
		return EdDSA, nil
	case *ecdsa.PublicKey:
		if key == nil || key.Curve != elliptic.P256() {
			return "", errors.New("an ECDSA key must be on the curve P-256")
		}
		return ES256, nil
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return "", errors.New("the RSA key is nil")
		}
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return "", fmt.Errorf("an RSA key must have %d to %d bits, not %d", minRSABits, maxRSABits, bits)
		}
		if key.E < 3 || key.E%2 == 0 {
			return "", errors.New("the exponent of the RSA key can't be")
		}
		return RS256, nil
	}
	return "", fmt.Errorf("a key of type %T is of no algorithm here: take Ed25519, ECDSA on P-256, or RSA", key)
}

// ID is the key's "kid": the SHA-256 of its public part as RFC 7638 has it, in 43
// characters of base64url. So it is the same wherever the key is loaded, and two keys
// never share one. That of the zero Key is empty.
func (k Key) ID() string { return k.public.id }

// Algorithm is how the key signs.
func (k Key) Algorithm() Algorithm { return k.public.algorithm }

// Public is what verifies the tokens of the key.
func (k Key) Public() PublicKey { return k.public }

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.secret == nil }

// String names the key by its id.
func (k Key) String() string {
	if k.IsZero() {
		return "no private key"
	}
	return "private key " + k.ID()
}

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// sign makes a token of what w says.
func (k Key) sign(w wire) (string, error) {
	method := k.Algorithm().method()
	token := jwt.Token{Header: headerFields(k.Algorithm(), k.ID()), Claims: w, Method: method}
	return token.SignedString(k.secret())
}

// ID is that of the [Key].
func (k PublicKey) ID() string { return k.id }

// Algorithm is that of the [Key].
func (k PublicKey) Algorithm() Algorithm { return k.algorithm }

// IsZero reports whether k is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// String names the key by its id.
func (k PublicKey) String() string {
	if k.IsZero() {
		return "no public key"
	}
	return "public key " + k.id
}

func (a Algorithm) method() jwt.SigningMethod {
	switch a {
	case ES256:
		return jwt.SigningMethodES256
	case RS256:
		return jwt.SigningMethodRS256
	default:
		return jwt.SigningMethodEdDSA
	}
}
