package quota

import (
	"context"
	"time"
)

// SetClock has a Redis go by a clock of the test's.
func (r *Redis) SetClock(now func() time.Time) {
	r.now = func() int64 { return now().UnixMicro() }
}

// Tidy is what a limiter does now and then in the background.
func (l *Limiter) Tidy() { l.tidy(context.Background()) }

// Crash ends a limiter as the end of its process does: nothing is given back.
func (l *Limiter) Crash() {
	l.ending.Lock()
	again := l.closed.Swap(true)
	l.ending.Unlock()
	if !again {
		l.quit()
		l.running.Wait()
	}
}
