package accesstoken

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxPEMLen bounds what is read as a key, in bytes. One of RSA with 8192 bits has 6,400.
const maxPEMLen = 16 << 10

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// ParseKey reads a private key from PEM: one block "PRIVATE KEY" (PKCS #8, RFC 5958), as
// [Key.MarshalPEM] and "openssl genpkey -algorithm ed25519" write it. An ECDSA key must be
// on P-256, an RSA key have 2048 to 8192 bits. The error holds nothing of the text.
func ParseKey(text []byte) (Key, error) {
	der, err := onlyBlock(text, privateBlock)
	if err != nil {
		return Key{}, fmt.Errorf("accesstoken: parse a private key: %w", err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return Key{}, errors.New("accesstoken: parse a private key: the PEM block holds no PKCS #8")
	}
	return newKey(private)
}

// ParsePublicKey reads a public key from PEM: one block "PUBLIC KEY" (RFC 5280, 4.1.2.7),
// as [PublicKey.MarshalPEM] and "openssl pkey -pubout" write it. The bounds are those of
// [ParseKey].
func ParsePublicKey(text []byte) (PublicKey, error) {
	der, err := onlyBlock(text, publicBlock)
	if err != nil {
		return PublicKey{}, fmt.Errorf("accesstoken: parse a public key: %w", err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, fmt.Errorf("accesstoken: parse a public key: %w", err)
	}
	return NewPublicKey(public)
}

// MarshalPEM is the private key in the form of [ParseKey], not encrypted: keep it where
// secrets are kept. The zero Key is an error.
func (k Key) MarshalPEM() ([]byte, error) {
	if k.IsZero() {
		return nil, errors.New("accesstoken: marshal a private key: there is none")
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.secret())
	if err != nil {
		return nil, fmt.Errorf("accesstoken: marshal a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

// MarshalPEM is the key in the form of [ParsePublicKey]. The zero PublicKey is an error.
func (k PublicKey) MarshalPEM() ([]byte, error) {
	if k.IsZero() {
		return nil, errors.New("accesstoken: marshal a public key: there is none")
	}
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("accesstoken: marshal a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// onlyBlock is what the one block of a PEM text holds.
func onlyBlock(text []byte, kind string) ([]byte, error) {
	if len(text) > maxPEMLen {
		return nil, fmt.Errorf("%d bytes are no key: the limit is %d", len(text), maxPEMLen)
	}
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return nil, fmt.Errorf("it is not PEM: it must begin with -----BEGIN %s-----", kind)
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("the PEM block is damaged")
	case block.Type == "ENCRYPTED PRIVATE KEY" || len(block.Headers) > 0:
		return nil, errors.New(`it is encrypted: decrypt it first, as "openssl pkcs8 -in key.pem" does`)
	case block.Type != kind && kind == privateBlock && bytes.HasSuffix([]byte(block.Type), []byte(" PRIVATE KEY")):
		return nil, errors.New(`it is not PKCS #8: "openssl pkcs8 -topk8 -nocrypt -in key.pem" makes it so`)
	case block.Type != kind:
		return nil, fmt.Errorf("the PEM block is not a %s", kind)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("more than one PEM block, or text behind it: one key a text")
	}
	return block.Bytes, nil
}
