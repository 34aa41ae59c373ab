package quota

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
)

// ids makes the ids of leases and slots: a random part that is the process's, and a number.
type ids struct {
	process string
	last    *atomic.Uint64
}

func newIDs(random io.Reader) (ids, error) {
	var b [10]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return ids{}, fmt.Errorf("make an id: %w", err)
	}
	return ids{process: hex.EncodeToString(b[:]), last: new(atomic.Uint64)}, nil
}

// next has a letter between its parts that neither has, so that no two are the same.
func (i ids) next() string { return i.process + "x" + strconv.FormatUint(i.last.Add(1), 10) }
