package accesstoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// jwk is what makes a public key in JSON (RFC 7518, 6; RFC 8037, 2). The fields stand in
// the order of their names, as RFC 7638, 3 wants them for a thumbprint.
type jwk struct {
	Curve    string `json:"crv,omitempty"`
	Exponent string `json:"e,omitempty"`
	Type     string `json:"kty"`
	Modulus  string `json:"n,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`
}

func newJWK(key crypto.PublicKey) (jwk, error) {
	text := base64.RawURLEncoding.EncodeToString
	switch key := key.(type) {
	case ed25519.PublicKey:
		return jwk{Type: "OKP", Curve: "Ed25519", X: text(key)}, nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return jwk{}, fmt.Errorf("the ECDSA key: %w", err)
		}
		x, y := point[1:33], point[33:] // behind the byte that says "uncompressed" (SEC 1, 2.3.3)
		return jwk{Type: "EC", Curve: "P-256", X: text(x), Y: text(y)}, nil
	case *rsa.PublicKey:
		return jwk{Type: "RSA", Modulus: text(key.N.Bytes()), Exponent: text(big.NewInt(int64(key.E)).Bytes())}, nil
	}
	return jwk{}, fmt.Errorf("a key of type %T has no form in JSON here", key)
}

// thumbprint is the id of the key that is the same for all who have the key (RFC 7638).
func (k jwk) thumbprint() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // strings are always JSON
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
