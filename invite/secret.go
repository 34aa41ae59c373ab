package invite

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// Secret lets whoever has it and the invited address join. It is 32 random bytes as 43
// characters of URL-safe base64, is given to the [Sender] once, and is kept nowhere: the
// database has its SHA-256, of which the secret can't be found.
//
// It is not shown by fmt and slog. Convert it to a string to write it into the mail.
type Secret string

const secretBytes = 32

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// newSecret makes a secret and what is kept of it.
func newSecret(random io.Reader) (Secret, []byte, error) {
	var bytes [secretBytes]byte
	if _, err := io.ReadFull(random, bytes[:]); err != nil {
		return "", nil, fmt.Errorf("make a secret: %w", err)
	}
	hash := sha256.Sum256(bytes[:])
	return Secret(base64.RawURLEncoding.EncodeToString(bytes[:])), hash[:], nil
}

// hash is what is kept of the secret that a client has sent, and whether it is one. Each
// secret has one spelling.
func (s Secret) hash() ([]byte, bool) {
	if len(s) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return nil, false
	}
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(string(s))
	if err != nil || len(bytes) != secretBytes {
		return nil, false
	}
	hash := sha256.Sum256(bytes)
	return hash[:], true
}
