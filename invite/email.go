package invite

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/tenantwall/tenantwall/internal/dnsname"
)

// MaxEmailLen bounds an address, in bytes: the longest that SMTP carries (RFC 5321,
// 4.5.3.1.3). The part before the @ has up to 64 (4.5.3.1.1).
const (
	MaxEmailLen = 254
	maxLocalLen = 64
)

// ErrBadEmail says that a text is no address that can be invited.
var ErrBadEmail = errors.New("malformed e-mail address")

// CanonicalEmail is the form in which addresses are kept and compared: without spaces
// around it, in lower case. Mail servers may tell the upper case of the part before the @
// from the lower (RFC 5321, 2.4), but people don't, and no provider of note does. Dots and
// what follows a plus are kept: what they mean is the provider's secret.
//
// It takes bare addresses of ASCII with a domain of letters, digits and hyphens. Names,
// comments, quotes and addresses of hosts are refused; so are other characters than ASCII,
// some of which are lower-cased to ASCII and would make one person's address another's. A
// domain with such characters is written in its xn-- form. The error is [ErrBadEmail].
func CanonicalEmail(address string) (string, error) {
	address = strings.TrimSpace(address)
	if address == "" || len(address) > MaxEmailLen {
		return "", fmt.Errorf("%w: it has 1 to %d bytes", ErrBadEmail, MaxEmailLen)
	}
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f {
			return "", fmt.Errorf("%w: a character other than visible ASCII", ErrBadEmail)
		}
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return "", fmt.Errorf("%w: not of the form name@example.com", ErrBadEmail)
	}
	local, domain, _ := strings.Cut(address, "@")
	if len(local) > maxLocalLen {
		return "", fmt.Errorf("%w: more than %d bytes before the @", ErrBadEmail, maxLocalLen)
	}
	if domain = strings.ToLower(domain); !dnsname.Is(domain) {
		return "", fmt.Errorf("%w: what follows the @ is no domain", ErrBadEmail)
	}
	return strings.ToLower(local) + "@" + domain, nil
}
