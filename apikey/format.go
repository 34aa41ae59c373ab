package apikey

import (
	"fmt"
	"hash/crc32"
	"io"
	"regexp"
	"strings"
	"unsafe"
)

// Lengths of the parts of a key, in characters of base62, which is 0-9, A-Z and a-z.
const (
	idLen     = 16 // 95 bits: public, and unique by chance
	secretLen = 33 // 196 bits
	sumLen    = 6  // a CRC-32, padded with zeros
	bodyLen   = idLen + secretLen + sumLen
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// The bounds of a brand and an environment: MinWordLen to MaxWordLen characters of a-z and
// 0-9, the first a letter.
const (
	MinWordLen = 2
	MaxWordLen = 16
)

var wordPattern = regexp.MustCompile(fmt.Sprintf(`^[a-z][a-z0-9]{%d,%d}$`, MinWordLen-1, MaxWordLen-1))

// Format is what the keys of one brand and environment look like:
//
//	notes_live_ + 16 characters of id + 33 of secret + 6 of checksum
//
// The prefix tells people and scanners what it is, the id is what it is looked up by, and
// the checksum, a CRC-32 of all before it, tells what is no key from what may be one
// without asking anybody. Make one with [NewFormat]; the zero Format has no keys.
//
// A Format is immutable, and may be used by several goroutines at once.
type Format struct {
	brand  string // with the underscore behind it
	prefix string // brand and environment, each with the underscore behind it
	sum    uint32 // the CRC-32 of the prefix
}

// NewFormat makes the Format of a brand, such as notes, and of an environment, such as live
// or test. The error says which of them breaks the rule, see [MinWordLen].
func NewFormat(brand, environment string) (Format, error) {
	for _, word := range []struct{ name, is string }{{"brand", brand}, {"environment", environment}} {
		if !wordPattern.MatchString(word.is) {
			return Format{}, fmt.Errorf("the %s %.40q: take %d to %d characters of a-z and 0-9, the first a letter", word.name, word.is, MinWordLen, MaxWordLen)
		}
	}
	prefix := brand + "_" + environment + "_"
	return Format{brand: brand + "_", prefix: prefix, sum: extend(0, prefix)}, nil
}

// Pattern is a regular expression (RE2, and so PCRE) of the format's keys, for scanners of
// secrets. What it matches is a key only if its checksum is right, see [Format.Scan].
func (f Format) Pattern() string { return fmt.Sprintf("%s[0-9A-Za-z]{%d}", f.prefix, bodyLen) }

// LooksLikeKey reports whether a credential says by its first characters that it is a key
// of the brand, of whatever environment and whether or not it is whole. No JSON Web Token
// does. It is made for the Foreign of accesstoken's AuthenticateConfig.
func (f Format) LooksLikeKey(credential string) bool {
	return f.brand != "" && strings.HasPrefix(credential, f.brand)
}

// KeyID is the public id of a key, when the key is whole: of the format's length, with the
// format's prefix, and with the right checksum. It says nothing about whether the key was
// ever made. The error is [ErrMalformed], or [ErrEnvironment] when the key is whole and
// another environment's.
//
// It allocates nothing, and looks at nothing that is too long.
func (f Format) KeyID(key string) (string, error) {
	if len(key) == len(f.prefix)+bodyLen && f.prefix != "" && key[:len(f.prefix)] == f.prefix {
		body := key[len(f.prefix):]
		if !isWhole(f.sum, body) {
			return "", ErrMalformed
		}
		return body[:idLen], nil
	}
	return "", f.explain(key)
}

// explain tells a key of another environment from what is none.
func (f Format) explain(key string) error {
	if len(key) > len(f.brand)+MaxWordLen+1+bodyLen || !f.LooksLikeKey(key) {
		return ErrMalformed
	}
	environment, body, _ := strings.Cut(key[len(f.brand):], "_")
	if len(body) != bodyLen || !wordPattern.MatchString(environment) || !isWhole(extend(0, key[:len(key)-bodyLen]), body) {
		return ErrMalformed
	}
	return ErrEnvironment
}

// isWhole reports whether body is in base62 and ends in the checksum of a key that begins
// with a prefix of the CRC-32 given. It is done for all that anybody sends, so it divides
// nothing, and has no branch for each character.
func isWhole(prefix uint32, body string) bool {
	var seen byte // in any of the characters
	for i := range len(body) {
		seen |= values[body[i]]
	}
	if seen&noValue != 0 {
		return false
	}
	covered, checksum := body[:len(body)-sumLen], body[len(body)-sumLen:]
	var sum uint64 // 62^6 is more than 2^32, and no checksum
	for i := range len(checksum) {
		sum = sum*62 + uint64(values[checksum[i]])
	}
	return sum == uint64(extend(prefix, covered))
}

// extend is the CRC-32 of a text and what stands before it, of which the CRC-32 is given.
func extend(before uint32, text string) uint32 {
	// It takes bytes, and a copy of the text would be on the heap.
	return crc32.Update(before, crc32.IEEETable, unsafe.Slice(unsafe.StringData(text), len(text))) //nolint:gosec // it is read alone
}

// putChecksum writes a CRC-32 as the checksum of a key.
func putChecksum(sum *[sumLen]byte, crc uint32) {
	for i := sumLen - 1; i >= 0; i-- {
		sum[i] = base62[crc%62]
		crc /= 62
	}
}

// values are what characters of base62 stand for, and noValue for all other bytes.
var values = func() (of [256]byte) {
	for i := range of {
		of[i] = noValue
	}
	for i, c := range []byte(base62) {
		of[c] = byte(i)
	}
	return of
}()

const noValue = 0x80 // a bit that no value has

// generate makes a key: its id, and the whole of it.
func (f Format) generate(random io.Reader) (id string, key Secret, err error) {
	body, err := randomText(random, idLen+secretLen)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	var sum [sumLen]byte
	putChecksum(&sum, extend(f.sum, body))
	return body[:idLen], Secret(f.prefix + body + string(sum[:])), nil
}

// randomText is a text of base62, each character as likely as any other.
func randomText(random io.Reader, length int) (string, error) {
	const fair = 256 / 62 * 62 // bytes from there on would make some characters likelier
	text := make([]byte, 0, length)
	var bytes [64]byte
	for {
		if _, err := io.ReadFull(random, bytes[:]); err != nil {
			return "", err
		}
		for _, b := range bytes {
			if int(b) >= fair {
				continue
			}
			text = append(text, base62[b%62])
			if len(text) == length {
				return string(text), nil
			}
		}
	}
}
