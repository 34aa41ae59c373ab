package quota

import (
	"context"
	"sync"
	"time"
)

// breaker keeps calls from a backend that has failed several times in a row. After a pause
// one call tries again, and the others wait for what becomes of it.
type breaker struct {
	failures int // in a row, until it opens; below 0 for never
	pause    time.Duration

	mu    sync.Mutex
	row   int
	until time.Duration // open until then; by Limiter.now
	open  bool
	trial bool // a call is trying
}

// allow reports whether the backend may be asked. Who is allowed tells how it went, by
// success, failure or spare.
func (b *breaker) allow(now time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true
	}
	if now < b.until || b.trial {
		return false
	}
	b.trial = true
	return true
}

// success reports whether the breaker was open.
func (b *breaker) success() (back bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	back = b.open
	b.row, b.open, b.trial = 0, false, false
	return back
}

// failure reports whether the breaker has opened with it.
func (b *breaker) failure(now time.Duration) (away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row++
	b.trial = false
	if b.failures < 0 || b.row < b.failures {
		return false
	}
	away = !b.open
	b.open, b.until = true, now+b.pause
	return away
}

// spare is for a call that says nothing of the backend: its caller has given it up.
func (b *breaker) spare() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trial = false
}

func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// succeeded and failed tell the breaker, the log and the numbers of a call.
func (l *Limiter) succeeded(ctx context.Context) {
	if l.breaker.success() {
		l.cfg.Logger.InfoContext(ctx, "limits are counted again")
	}
}

func (l *Limiter) failed(ctx context.Context, err error) {
	l.tally.errors.Add(1)
	if l.breaker.failure(l.now()) {
		l.cfg.Logger.ErrorContext(ctx, "limits can't be counted, and are decided by what each is to do then", "error", err)
	}
}
