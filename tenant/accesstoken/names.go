package accesstoken

import (
	"bytes"
	"errors"
)

// maxClaims bounds how many claims a token has, those that nobody here knows included.
const maxClaims = 64

// knownClaims are the names that wire reads.
var knownClaims = [...][]byte{
	[]byte("iss"), []byte("aud"), []byte("sub"), []byte("exp"), []byte("nbf"), []byte("iat"), []byte("jti"),
	[]byte("tid"), []byte("role"), []byte("mver"), []byte("email"), []byte("email_verified"),
	[]byte("kind"), []byte("scope"),
}

// checkClaimNames holds the names of a JSON object to be distinct, and those that are known
// to be spelled as they must. encoding/json takes the last of two, and "TID" for "tid",
// where another reader of the same token takes the first, or none (RFC 7519, 4). object is
// any valid JSON.
func checkClaimNames(object []byte) error {
	if object[0] != '{' {
		return errors.New("the claims are no object")
	}
	names := namesOf(object)
	if len(names) > maxClaims {
		return errors.New("too many claims")
	}
	for i, name := range names {
		if bytes.IndexByte(name, '\\') >= 0 {
			return errors.New("a claim's name is written with an escape")
		}
		for _, earlier := range names[:i] {
			if bytes.EqualFold(name, earlier) { // as encoding/json compares
				return errors.New("a claim occurs twice")
			}
		}
		for _, known := range knownClaims {
			if bytes.EqualFold(name, known) && !bytes.Equal(name, known) {
				return errors.New("a claim's name is written with other letters")
			}
		}
	}
	return nil
}

// namesOf are the names of an object in JSON that is known to be valid, as they are written,
// and no names of objects in it. There is one more than maxClaims at most.
func namesOf(object []byte) [][]byte {
	names := make([][]byte, 0, 16)
	depth, nameIsNext := 0, false
	for i := 0; i < len(object) && len(names) <= maxClaims; i++ {
		switch object[i] {
		case '{', '[':
			depth++
			nameIsNext = depth == 1
		case '}', ']':
			depth--
		case ',':
			nameIsNext = depth == 1
		case '"':
			text := object[i+1 : i+1+endOfString(object[i+1:])]
			if nameIsNext {
				names = append(names, text)
			}
			nameIsNext = false
			i += len(text) + 1
		}
	}
	return names
}

// endOfString is where the quotation mark is that ends a string.
func endOfString(rest []byte) int {
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++ // whatever is escaped ends nothing
		case '"':
			return i
		}
	}
	return len(rest)
}
