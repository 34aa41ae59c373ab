package wire

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// message is a message with a type.
func message(kind byte, body []byte) []byte {
	b := append([]byte{kind}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))...)
	return append(b, body...)
}

// untyped is one of a client's first messages.
func untyped(code uint32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(binary.BigEndian.AppendUint32(b, code), body...)
}

// However TCP cuts the streams, the same messages make the same count.
func TestCountDoesNotDependOnHowTheStreamIsCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type part struct {
			d    direction
			data []byte
		}
		var parts []part
		add := func(d direction, data []byte) { parts = append(parts, part{d, data}) }
		body := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 4, 'Z', 'H', 'G', 'S'}), 0, 20) // bodies that look like messages

		if rapid.Bool().Draw(t, "asks for TLS") {
			add(toServer, untyped(sslRequest, nil))
			add(toClient, []byte{'N'})
		}
		add(toServer, untyped(3<<16, body.Draw(t, "start-up")))
		add(toServer, message('p', body.Draw(t, "password")))
		add(toClient, append(message('R', []byte{0, 0, 0, 0}), message('Z', []byte{'I'})...))
		want := 0
		for range rapid.IntRange(0, 8).Draw(t, "trips") {
			add(toServer, message('P', body.Draw(t, "parse")))
			switch rapid.SampledFrom([]string{"sync", "flush", "copy"}).Draw(t, "kind") {
			case "sync":
				add(toServer, message('S', nil))
				add(toClient, append(message('D', body.Draw(t, "row")), message('Z', []byte{'I'})...))
				want++
			case "flush":
				add(toServer, message('H', nil))
				add(toClient, message('D', body.Draw(t, "row")))
				want++
			case "copy":
				add(toServer, message('Q', body.Draw(t, "query")))
				add(toClient, message('G', []byte{0, 0, 0}))
				add(toServer, append(message('d', body.Draw(t, "data")), message('c', nil)...))
				add(toClient, append(message('C', []byte("COPY 1\x00")), message('Z', []byte{'I'})...))
				want += 2
			}
			add(toClient, message('H', body.Draw(t, "CopyOutResponse, which is no Flush")))
		}

		var c counter
		for _, p := range parts {
			for data := p.data; len(data) > 0; {
				n := rapid.IntRange(1, len(data)).Draw(t, "segment")
				c.read(p.d, data[:n])
				data = data[n:]
			}
		}
		assert.Equal(t, want, c.trips)
		assert.False(t, c.opaque)
	})
}

func TestWhatCannotBeReadIsNotCounted(t *testing.T) {
	t.Parallel()
	ready := bytes.Repeat(message('Z', []byte{'I'}), 9)
	for name, first := range map[string][]byte{
		"Redis":                             []byte("*1\r\n$4\r\nPING\r\n"),
		"HTTP":                              []byte("GET / HTTP/1.1\r\n\r\n"),
		"a cancel request":                  untyped(1234<<16|5678, make([]byte, 8)),
		"an old protocol":                   untyped(2<<16, nil),
		"a start-up message without an end": append(binary.BigEndian.AppendUint32(nil, 1<<31), 0, 3, 0, 0),
		"a message shorter than its length": append(untyped(3<<16, nil), 'Q', 0, 0, 0, 3),
	} {
		var c counter
		c.read(toServer, first)
		c.read(toClient, ready)
		assert.True(t, c.opaque, name)
		assert.Zero(t, c.trips, name)
	}

	var c counter
	c.read(toServer, untyped(sslRequest, nil))
	c.read(toClient, append([]byte{'S'}, ready...))
	assert.True(t, c.opaque, "an encrypted connection")
	assert.Zero(t, c.trips, "an encrypted connection")
}
