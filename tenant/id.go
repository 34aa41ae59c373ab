package tenant

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// ID is a tenant's identity: a UUID, version 7 when made here (RFC 9562, 5.7). It never
// changes and is never used again, so everything that is stored refers to it. The zero
// ID is no tenant.
//
// Its text form, in JSON and SQL too, is the 36 characters of RFC 9562, 4.
type ID [16]byte

// ErrBadID is what [ParseID] and the methods that read an ID return for anything that is
// not one, wrapped with what was wrong. The text itself is not in the error.
var ErrBadID = errors.New("malformed tenant id")

// NewID makes an ID that sorts behind those made in earlier milliseconds.
func NewID() ID {
	id, _ := NewIDFrom(time.Now(), rand.Reader) // crypto/rand.Reader never fails
	return id
}

// NewIDFrom makes the ID of a moment, with 10 bytes of randomness from random. It fails
// only when random does. Moments before 1970 and after the year 10889 are taken modulo
// the 48 bits that the format has for milliseconds.
func NewIDFrom(now time.Time, random io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		return ID{}, fmt.Errorf("new tenant id: %w", err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id, nil
}

// ParseID reads the one text form that an ID has: 36 characters, lower case. Other
// spellings of the same UUID (upper case, braces, no hyphens) are refused, so that an id
// in an address has one canonical meaning. Any version is taken, but not the zero ID.
// The error is [ErrBadID].
func ParseID(s string) (ID, error) {
	var id ID
	if !hasIDForm(s) {
		return ID{}, fmt.Errorf("%w: not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", ErrBadID)
	}
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'F' {
			return ID{}, fmt.Errorf("%w: upper case", ErrBadID)
		}
	}
	at := 0
	for _, group := range [...]string{s[0:8], s[9:13], s[14:18], s[19:23], s[24:36]} {
		n, err := hex.Decode(id[at:], []byte(group))
		if err != nil {
			return ID{}, fmt.Errorf("%w: not hexadecimal", ErrBadID)
		}
		at += n
	}
	if id.IsZero() {
		return ID{}, fmt.Errorf("%w: zero", ErrBadID)
	}
	return id, nil
}

// hasIDForm reports whether s has the length and the hyphens of an ID.
func hasIDForm(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
}

// IsZero reports whether id is no tenant.
func (id ID) IsZero() bool { return id == ID{} }

// String is the text form.
func (id ID) String() string {
	var text [36]byte
	id.put(&text)
	return string(text[:])
}

// Time is the moment at which an ID of version 7 was made, to the millisecond, in UTC.
// Of other versions it means nothing.
func (id ID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// AppendText implements [encoding.TextAppender]. It never fails.
func (id ID) AppendText(b []byte) ([]byte, error) {
	var text [36]byte
	id.put(&text)
	return append(b, text[:]...), nil
}

// MarshalText implements [encoding.TextMarshaler], and so makes an ID a JSON string. It
// never fails.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParseID] does, but takes the
// zero ID, which a struct without a tenant writes.
func (id *ID) UnmarshalText(text []byte) error {
	if string(text) == (ID{}).String() {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Value implements [driver.Valuer]: a uuid for PostgreSQL, NULL for the zero ID, so that
// a forgotten one violates a NOT NULL and matches no row.
func (id ID) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id.String(), nil
}

// Scan implements [database/sql.Scanner] for the text form, for 16 bytes, and for NULL,
// which is the zero ID. The error is [ErrBadID].
func (id *ID) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*id = ID{}
		return nil
	case string:
		return id.UnmarshalText([]byte(src))
	case []byte:
		if len(src) == len(id) {
			copy(id[:], src)
			return nil
		}
		return id.UnmarshalText(src)
	case [16]byte:
		*id = src
		return nil
	}
	return fmt.Errorf("%w: cannot scan %T", ErrBadID, src)
}

func (id ID) put(text *[36]byte) {
	hex.Encode(text[0:8], id[0:4])
	text[8] = '-'
	hex.Encode(text[9:13], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:36], id[10:16])
}
