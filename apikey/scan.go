package apikey

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Found is a key in a text.
type Found struct {
	Offset int64 // of its first byte
	KeyID  string
	Key    Secret
}

// scanBuffer is how much of a text is looked at at once.
const scanBuffer = 32 << 10

// Scan finds the keys of the format in a text, such as a log, a commit or a backup: those
// with the right checksum, which random text has once in four billion times. Whether
// they were ever made, and may be used still, [Keys] know. They may stand next to anything.
//
// The text is read once, and its length costs no memory. The sequence ends with the text, or
// with the reader's error.
func (f Format) Scan(r io.Reader) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		length := len(f.prefix) + bodyLen
		buffer := make([]byte, 0, scanBuffer)
		var offset int64 // of the buffer's first byte
		for empty := 0; ; {
			n, err := r.Read(buffer[len(buffer):cap(buffer)])
			buffer = buffer[:len(buffer)+n]
			rest, goOn := f.scan(buffer, offset, yield)
			if !goOn {
				return
			}
			if n > 0 {
				empty = 0
			} else if empty++; empty == 100 && err == nil {
				err = io.ErrNoProgress
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Found{}, fmt.Errorf("apikey: scan: %w", err))
				}
				return
			}
			// The end may be the beginning of a key. It is shorter than one.
			from := max(rest, len(buffer)-length+1)
			offset += int64(from)
			buffer = buffer[:copy(buffer, buffer[from:])]
		}
	}
}

// ScanBytes is [Format.Scan] for a text in memory.
func (f Format) ScanBytes(text []byte) []Found {
	var found []Found
	f.scan(text, 0, func(one Found, _ error) bool {
		found = append(found, one)
		return true
	})
	return found
}

// scan finds the keys in a part of a text, and returns where what may be looked at again
// begins, and whether to go on.
func (f Format) scan(text []byte, offset int64, yield func(Found, error) bool) (rest int, goOn bool) {
	length := len(f.prefix) + bodyLen
	for f.prefix != "" {
		at := bytes.Index(text[rest:], []byte(f.prefix))
		if at < 0 || rest+at+length > len(text) {
			return rest, true
		}
		at += rest
		key := string(text[at : at+length])
		id, err := f.KeyID(key)
		if err != nil {
			rest = at + 1
			continue
		}
		rest = at + length
		if !yield(Found{Offset: offset + int64(at), KeyID: id, Key: Secret(key)}, nil) {
			return rest, false
		}
	}
	return rest, true
}
