package apikey

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// maxUses bounds how many keys wait to be written down. When so many were used, they are
// written before their time.
const maxUses = 10_000

// flushTimeout bounds one write, that of Close too.
const flushTimeout = 5 * time.Second

// use is when a key was used last.
type use struct {
	tenant tenant.ID
	id     string
	at     atomic.Int64 // in microseconds since 1970
	noted  atomic.Bool  // it is among those to be written
}

// uses gathers which keys were used, and has them written together: a request writes
// nothing, and a key that was used a thousand times is written once.
type uses struct {
	write func(ctx context.Context, used []*use) error
	full  chan struct{} // has an element when it is time
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once

	mu      sync.Mutex
	waiting map[string]*use
}

func startUses(every time.Duration, write func(context.Context, []*use) error) *uses {
	u := &uses{
		write: write, waiting: make(map[string]*use),
		full: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go u.run(every)
	return u
}

func (u *uses) run(every time.Duration) {
	defer close(u.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for full := u.full; ; {
		select {
		case <-u.stop:
			return
		case <-tick.C:
		case <-full:
		}
		full = u.full
		if u.flush() != nil { // write has logged why
			full = nil // it stays full while the database is away: only the time counts until it is back
		}
	}
}

// close ends the background, and writes what waits.
func (u *uses) close() error {
	var err error
	u.once.Do(func() {
		close(u.stop)
		<-u.ended
		err = u.flush()
	})
	return err
}

// note says that a key was used. It takes a lock at the first use since the last flush alone.
func (u *uses) note(of *use, now time.Time) {
	of.at.Store(now.UnixMicro())
	if of.noted.Load() || !of.noted.CompareAndSwap(false, true) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.add(of)
}

// add puts a use among those that wait. An earlier one of the same key, as it was read
// before, is taken in.
func (u *uses) add(of *use) {
	if _, known := u.waiting[of.id]; !known && len(u.waiting) >= maxUses {
		of.noted.Store(false) // the next use tries again
	} else {
		u.waiting[of.id] = of
	}
	if len(u.waiting) >= maxUses {
		select {
		case u.full <- struct{}{}:
		default:
		}
	}
}

// flush writes what waits, in one statement. When that fails, it waits for the next time.
func (u *uses) flush() error {
	u.mu.Lock()
	taken := make([]*use, 0, len(u.waiting))
	for _, of := range u.waiting {
		of.noted.Store(false) // before the time is read: a use from now on is noted again
		taken = append(taken, of)
	}
	clear(u.waiting)
	u.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	err := u.write(ctx, taken)
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, of := range taken {
		if _, again := u.waiting[of.id]; !again && of.noted.CompareAndSwap(false, true) {
			u.add(of)
		}
	}
	return err
}

// writeUses writes down when keys were used, in one statement.
func (k *Keys) writeUses(ctx context.Context, used []*use) error {
	tenants, ids, times := make([]string, len(used)), make([]string, len(used)), make([]time.Time, len(used))
	for i, of := range used {
		tenants[i], ids[i], times[i] = of.tenant.String(), of.id, time.UnixMicro(of.at.Load()).UTC()
	}
	if _, err := k.pool.Exec(ctx, sqlUsed, tenants, ids, times); err != nil {
		k.counts.flushErrors.Add(1)
		k.cfg.Logger.WarnContext(ctx, "apikey: uses of keys could not be written down", "keys", len(used), "error", err)
		return fmt.Errorf("write down the uses of %d keys: %w", len(used), err)
	}
	k.counts.flushes.Add(1)
	return nil
}
