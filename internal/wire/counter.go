package wire

import "encoding/binary"

// counter reads both directions of one PostgreSQL connection (protocol 3) and counts its
// round trips. It wants the bytes in the order they pass, a question before its answer,
// cut anywhere. The zero value is the state of a new connection.
type counter struct {
	trips   int
	phase   phase
	ready   bool // the first ReadyForQuery has passed
	opaque  bool // not PostgreSQL, encrypted, or a cancel request: nothing more is read
	streams [2]stream
}

// phase is what the client says next.
type phase int

const (
	startUp     phase = iota // a message without a type
	negotiation              // nothing: the server answers with one byte without a frame
	typed                    // messages with a type, as the server does from then on
)

// Codes of the messages without a type, in the place of a protocol version.
const (
	sslRequest = 1234<<16 | 5679
	gssRequest = 1234<<16 | 5680
	version3   = 3 // the upper half; the lower is the minor version
)

// stream is the place in one direction.
type stream struct {
	head []byte // of the message under way, as far as it has come
	body uint32 // bytes of the message's body that are still to come
}

func (c *counter) read(d direction, data []byte) {
	s := &c.streams[d]
	for len(data) > 0 && !c.opaque {
		if s.body > 0 {
			n := min(uint64(s.body), uint64(len(data)))
			data, s.body = data[n:], s.body-uint32(n)
			continue
		}
		s.head, data = append(s.head, data[0]), data[1:]
		var whole bool
		switch {
		case d == toClient && c.phase == negotiation:
			c.phase, c.opaque, whole = startUp, s.head[0] != 'N', true
		case d == toServer && c.phase != typed:
			whole = c.untypedHead(s)
		default:
			whole = c.typedHead(d, s)
		}
		if whole {
			s.head = s.head[:0]
		}
	}
}

// untypedHead reads a length and a code: the client's first messages.
func (c *counter) untypedHead(s *stream) (whole bool) {
	if len(s.head) < 8 {
		return false
	}
	length, code := binary.BigEndian.Uint32(s.head), binary.BigEndian.Uint32(s.head[4:])
	switch {
	case code == sslRequest && length == 8, code == gssRequest && length == 8:
		c.phase = negotiation
	case code>>16 == version3 && length >= 8 && length <= 10_000: // the server's own limit
		c.phase = typed
		s.body = length - 8
	default: // another protocol, or a cancel request
		c.opaque = true
	}
	return true
}

// typedHead reads a type and a length, and counts.
func (c *counter) typedHead(d direction, s *stream) (whole bool) {
	if len(s.head) < 5 {
		return false
	}
	length := binary.BigEndian.Uint32(s.head[1:])
	if length < 4 {
		c.opaque = true
		return true
	}
	s.body = length - 4
	kind := s.head[0]
	switch {
	case d == toClient && kind == 'Z' && !c.ready: // ReadyForQuery
		c.ready = true
	case d == toClient && (kind == 'Z' || kind == 'G' || kind == 'W'), // CopyInResponse, CopyBothResponse
		d == toServer && kind == 'H' && c.ready: // Flush
		c.trips++
	}
	return true
}
