package ledger

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// pending are the uses that this process has not written yet, in two batches: one that is
// being written, and one that gathers what comes meanwhile. Each has its number from its
// beginning, so that a reader can tell which of them the database has already.
type pending struct {
	writer [16]byte // this process, in the database
	most   int

	mu     sync.Mutex
	open   batch
	sent   *batch // nil when none is being written
	closed bool
	lost   int64 // units that will never be written
	missed int64 // flushes that have failed

	writing chan struct{} // held by the one who writes
}

// batch is uses that are added together.
type batch struct {
	number  int64
	used    map[useKey]int64
	refused *UnwrittenError // what the database refuses of it, nil for nothing
}

type useKey struct {
	tenant tenant.ID
	name   string
	period quota.Period
}

func newPending(cfg Config) (pending, error) {
	id, err := tenant.NewIDFrom(cfg.Now(), cfg.Random)
	if err != nil {
		return pending{}, fmt.Errorf("make the id of a writer: %w", err)
	}
	return pending{
		writer: id, most: cfg.MaxPending, writing: make(chan struct{}, 1),
		open: batch{number: 1, used: make(map[useKey]int64)},
	}, nil
}

// mostUsed keeps the sum of a batch from turning over.
const mostUsed = 1000 * quota.MaxUnits

// What a use can't be noted for.
var (
	errFull   = errors.New("too many wait to be written")
	errClosed = errors.New("the ledger is closed")
)

// add notes a use.
func (p *pending) add(key useKey, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	held := len(p.open.used)
	if p.sent != nil {
		held += len(p.sent.used)
	}
	if _, there := p.open.used[key]; !there && held >= p.most {
		return errFull
	}
	n = min(max(n, -mostUsed), mostUsed)
	p.open.used[key] = min(max(p.open.used[key]+n, -mostUsed), mostUsed)
	return nil
}

// lose counts units that will never be written.
func (p *pending) lose(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost += n
}

// close lets nothing more in.
func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// left are all uses that are not written.
func (p *pending) left() []quota.UnitsUse {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		return usesOf(&p.open)
	}
	return usesOf(p.sent, &p.open)
}

// next is the batch to write: the one that was not written the last time, or what has been
// gathered since; nil when there is nothing.
func (p *pending) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil && len(p.open.used) > 0 {
		full := p.open
		p.sent = &full
		p.open = batch{number: full.number + 1, used: make(map[useKey]int64)}
	}
	return p.sent
}

// written says that the database has the batch that was being written.
func (p *pending) written() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = nil
}

// own are a key's uses in the batches, the older first.
func (p *pending) own(key useKey) (own []batchUse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent != nil {
		own = append(own, batchUse{p.sent.number, p.sent.used[key]})
	}
	return append(own, batchUse{p.open.number, p.open.used[key]})
}

type batchUse struct{ batch, n int64 }

func (p *pending) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed++
}
