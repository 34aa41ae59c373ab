package apikey

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// Pepper is a secret of the service's with which the hashes of keys are made, so that the
// database alone does not even tell whether a text is a key. A key has so much randomness
// that this is for those whose rules ask for it.
//
// It is not shown by fmt and slog.
type Pepper struct {
	Version int    // 1 or more, and never used for another Secret
	Secret  []byte // MinPepperLen bytes or more, from a generator of random numbers
}

// String names the pepper by its version.
func (p Pepper) String() string { return "pepper " + strconv.Itoa(p.Version) }

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (p Pepper) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (p Pepper) LogValue() slog.Value { return slog.StringValue(p.String()) }

// The bounds of [Config.Peppers].
const (
	MinPepperLen = 32 // bytes
	MaxPeppers   = 16
)

// digest is the SHA-256 of a whole key, by which a process remembers the key itself.
type digest [sha256.Size]byte

func digestOf(key string) digest {
	var buffer [128]byte // longer than any key
	return sha256.Sum256(append(buffer[:0], key...))
}

func (d digest) equal(other digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// hasher makes what is stored of keys. The zero hasher has no pepper.
type hasher struct {
	current int // version of the pepper for new keys; 0 for none
	peppers map[int][]byte
}

// errPepper says that a key was made with a pepper that the program has not been given.
var errPepper = errors.New("the key was hashed with a pepper that Config.Peppers has not")

func newHasher(peppers []Pepper) (hasher, error) {
	h := hasher{peppers: make(map[int][]byte)}
	if len(peppers) > MaxPeppers {
		return hasher{}, fmt.Errorf("%d peppers: keep %d at most; keys that are used get the first one", len(peppers), MaxPeppers)
	}
	for i, p := range peppers {
		_, twice := h.peppers[p.Version]
		switch {
		case p.Version < 1:
			return hasher{}, fmt.Errorf("a pepper of version %d: count from 1", p.Version)
		case twice:
			return hasher{}, fmt.Errorf("two peppers of version %d", p.Version)
		case len(p.Secret) < MinPepperLen:
			return hasher{}, fmt.Errorf("the pepper of version %d has %d bytes: take %d or more", p.Version, len(p.Secret), MinPepperLen)
		}
		h.peppers[p.Version] = append([]byte(nil), p.Secret...)
		if i == 0 {
			h.current = p.Version
		}
	}
	return h, nil
}

// hash is what is stored of a key by the pepper of a version, 0 for none. The error is
// errPepper.
func (h hasher) hash(d digest, version int) (digest, error) {
	if version == 0 {
		return d, nil
	}
	secret, known := h.peppers[version]
	if !known {
		return digest{}, errPepper
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(d[:])
	return digest(mac.Sum(nil)), nil
}
