package rediscache

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	breakAfter = 3 // failures in a row
	restTime   = time.Second
)

// breaker leaves a server alone that has failed several times in a row: for a moment nothing
// is tried, then one operation is, and when it fails again nothing for another moment.
type breaker struct {
	now func() time.Time
	log *slog.Logger

	mu       sync.Mutex
	failures int
	until    time.Time // of the rest; zero while all is well
}

// newBreaker takes nil for the system's clock, and for no logger.
func newBreaker(now func() time.Time, log *slog.Logger) *breaker {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &breaker{now: now, log: log}
}

// allow reports whether to try. The one who is let through after a rest keeps the others out
// until that is over, or for another rest.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return true
	}
	now := b.now()
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(restTime)
	return true
}

// isOpen reports whether the server is taken to be away.
func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.until.IsZero()
}

func (b *breaker) succeed(ctx context.Context) {
	b.mu.Lock()
	wasOpen := !b.until.IsZero()
	b.failures, b.until = 0, time.Time{}
	b.mu.Unlock()
	if wasOpen {
		b.log.InfoContext(ctx, "Redis is back")
	}
}

func (b *breaker) fail(ctx context.Context, err error) {
	b.mu.Lock()
	b.failures++
	opens := b.failures >= breakAfter && b.until.IsZero()
	if b.failures >= breakAfter {
		b.until = b.now().Add(restTime)
	}
	b.mu.Unlock()
	if opens {
		b.log.WarnContext(ctx, "Redis is away, and is left alone for a moment at a time", "error", err)
	}
}
