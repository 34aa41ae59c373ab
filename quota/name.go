package quota

import "fmt"

// MaxNameLen bounds the name of a plan, a limit or a feature, in bytes.
const MaxNameLen = 64

// CheckName says what is wrong with the name of a plan, a limit or a feature. It is 1 to
// MaxNameLen of a-z, 0-9, '_', '-' and '.', the first a letter: what can stand as it is in
// a header, a metric and an address.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a name is needed")
	case len(name) > MaxNameLen:
		return fmt.Errorf("a name of %d bytes is longer than %d", len(name), MaxNameLen)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z':
		case i == 0:
			return fmt.Errorf("a name begins with a letter from a to z")
		case '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return fmt.Errorf("a name has a-z, 0-9, '_', '-' and '.' alone, and not %q", c)
		}
	}
	return nil
}
