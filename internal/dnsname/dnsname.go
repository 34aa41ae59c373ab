// Package dnsname is the one rule of what a domain's name is: for the domains of tenants, for
// those of mail addresses, and for the hosts of requests.
package dnsname

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// MaxLen is how long a name may be, in bytes, without the dot that makes it absolute
// (RFC 1035, 2.3.4).
const MaxLen = 253

// ErrBad says that a text is no domain. Errors of [Parse] are this one and say why.
var ErrBad = errors.New("not a domain")

// lookup is how browsers read names (WHATWG URL, 3.3): they take hyphens anywhere in a label,
// where IDNA itself is stricter.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.CheckHyphens(false))

// Is reports whether s is a host name (RFC 1123, 2.1) in its canonical form: ASCII, in lower
// case, without a dot at its end. An address is none, in whatever way it is written: of what
// ends in a number, every browser makes one (WHATWG URL, 3.5).
func Is(s string) bool {
	if len(s) > MaxLen {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
		last = label
	}
	return !isNumber(last)
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isNumber reports whether a label is one in decimal or hexadecimal.
func isNumber(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	digits, hex := strings.CutPrefix(label, "0x")
	return hex && strings.Trim(digits, "0123456789abcdef") == ""
}

// Parse is the canonical form of a domain as people write it: with spaces around it, in upper
// case, with a dot at its end, or in letters outside ASCII, which become the A-labels that
// browsers send and DNS knows (UTS 46, without its transitional mapping). A name of one
// label, such as localhost, is no domain. The error is [ErrBad].
func Parse(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > 4*MaxLen { // what it could be in letters of several bytes
		return "", fmt.Errorf("%w: it is too long", ErrBad)
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: it is not valid UTF-8", ErrBad)
	}
	ascii, err := lookup.ToASCII(s)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBad, err)
	}
	name := strings.TrimSuffix(ascii, ".")
	if !Is(name) || !strings.Contains(name, ".") {
		return "", fmt.Errorf("%w: it is to be of the form example.com, without scheme, port or path, and no address", ErrBad)
	}
	return name, nil
}

// IsCanonical reports whether name is what [Parse] makes of it. It costs little for names
// without A-labels.
func IsCanonical(name string) bool {
	if !strings.Contains(name, "xn--") {
		return Is(name) && strings.Contains(name, ".")
	}
	canonical, err := Parse(name)
	return err == nil && canonical == name
}

// IsPublicSuffix reports whether anybody can have a name directly below name, a canonical
// one: co.uk is such a suffix, and so is github.io, where each name is another customer's.
func IsPublicSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// Within reports whether name is base or lies below it. Both are canonical.
func Within(name, base string) bool {
	rest, found := strings.CutSuffix(name, base)
	return found && (rest == "" || rest[len(rest)-1] == '.')
}
