package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantwall/tenantwall/tenant"
)

// position is a place in the list of a tenant's notes: behind the note with these. The
// zero position is before the first.
type position struct {
	createdAt time.Time // to the microsecond, as PostgreSQL keeps it
	id        pgtype.UUID
}

func (p position) isZero() bool { return p == (position{}) }

// cursors writes positions for clients to hand back. A cursor is sealed for its tenant:
// to any other it is as good as one that was made up.
type cursors struct{ key []byte }

const (
	positionLen = 8 + 16
	cursorLen   = positionLen + sha256.Size
)

// seal is the cursor of a position in t's list.
func (c cursors) seal(t tenant.ID, p position) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorLen), uint64(p.createdAt.UnixMicro()))
	b = append(b, p.id.Bytes[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, c.mac(t, b)...))
}

// open is the position that seal made a cursor of, for the same tenant.
func (c cursors) open(t tenant.ID, cursor string) (position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != cursorLen || !hmac.Equal(b[positionLen:], c.mac(t, b[:positionLen])) {
		return position{}, badRequest("the cursor is none that a list of this tenant's notes has given")
	}
	return position{
		createdAt: time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC(),
		id:        pgtype.UUID{Bytes: [16]byte(b[8:positionLen]), Valid: true},
	}, nil
}

func (c cursors) mac(t tenant.ID, position []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write(t[:])
	h.Write(position)
	return h.Sum(nil)
}
