package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// FollowOptions say what [Catalog.Follow] follows. The zero value is all events that there
// ever were and will be.
type FollowOptions struct {
	// After is the id of the last event that is known already; 0 begins with the first
	// event ever. [Catalog.LastEvent] is where "from now on" begins.
	After int64

	// Tenant has only the events of one tenant told; zero means all.
	Tenant tenant.ID

	// Every is how long it waits when it has seen the newest event, from 10 milliseconds to
	// an hour; 0 means a second.
	Every time.Duration
}

// The bounds of [FollowOptions.Every], and of the pauses after a failure.
const (
	defaultFollowEvery = time.Second
	minFollowEvery     = 10 * time.Millisecond
	maxFollowEvery     = time.Hour
	maxFollowPause     = 5 * time.Second  // however often it has failed
	followTimeout      = 10 * time.Second // of one query
)

// LastEvent is the id of the newest event that is committed; 0 when there is none. It is
// one look at the end of an index.
func (c *Catalog) LastEvent(ctx context.Context) (int64, error) {
	var last int64
	if err := c.pool.QueryRow(ctx, sqlLastEvent).Scan(&last); err != nil {
		return 0, fmt.Errorf("tenantdb: read the newest event: %w", err)
	}
	return last, nil
}

// Follow tells fn of each event, in the order of their commits and one at a time, those that
// are there and then those that come, until ctx is over. Whatever keeps something else in
// step with the catalog can rely on it, where [CatalogConfig.OnChange] and messages between
// processes may be lost: it misses none.
//
// When fn fails it is told of the same event again, after a pause, and of none behind it
// before it succeeds: whoever wants to pass one over returns nil. After a crash, follow from
// the last id that was dealt with. So each event is told at least once, and fn must bear it
// twice.
//
// A database that can't be reached is asked again, after pauses that grow to 5 seconds, or
// to [FollowOptions.Every] when that is longer; the logger is told when that begins and when
// it is over. While nothing happens, each round is one query that reads the end of an index.
// No connection is held between rounds or while fn works.
//
// The error is that of ctx when it is over, or says what of o can't be.
func (c *Catalog) Follow(ctx context.Context, o FollowOptions, fn func(ctx context.Context, e Event) error) error {
	switch {
	case fn == nil:
		return errors.New("tenantdb: follow events: there is no function to tell")
	case o.After < 0:
		return fmt.Errorf("tenantdb: follow events: FollowOptions.After is %d: 0 is the beginning, Catalog.LastEvent is now", o.After)
	case o.Every == 0:
		o.Every = defaultFollowEvery
	case o.Every < minFollowEvery || o.Every > maxFollowEvery:
		return fmt.Errorf("tenantdb: follow events: FollowOptions.Every is %s, and must be from %s to %s", o.Every, minFollowEvery, maxFollowEvery)
	}
	f := &follower{catalog: c, FollowOptions: o, fn: fn}
	for {
		pause := f.round(ctx)
		if err := wait(ctx, pause); err != nil {
			return fmt.Errorf("tenantdb: follow events: %w", err)
		}
	}
}

// follower is one call of Follow. Its After moves on with what fn was told.
type follower struct {
	FollowOptions
	catalog *Catalog
	fn      func(context.Context, Event) error
	failed  int // rounds since the last good one
}

// round tells a page of events, and says how long to wait before the next round.
func (f *follower) round(ctx context.Context) time.Duration {
	full, err := f.tell(ctx)
	if ctx.Err() != nil {
		return 0
	}
	logger := f.catalog.cfg.Logger
	switch {
	case err != nil:
		f.failed++
		pause := f.pause()
		if f.failed == 1 {
			logger.WarnContext(ctx, "tenantdb: following events does not get on; it is tried again until it does", "after", f.After, "error", err)
		}
		return pause
	case f.failed > 0:
		logger.InfoContext(ctx, "tenantdb: following events gets on again", "after", f.After, "failed", f.failed)
		f.failed = 0
	}
	if full {
		return 0
	}
	return f.Every
}

// tell tells a page of events, and reports whether it was a full one.
func (f *follower) tell(ctx context.Context) (full bool, err error) {
	asking, cancel := context.WithTimeout(ctx, followTimeout)
	page, err := f.catalog.eventPage(asking, f.After, f.Tenant)
	cancel()
	if err != nil {
		return false, err
	}
	for _, e := range page {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := f.fn(ctx, e); err != nil {
			return false, fmt.Errorf("tell of event %d: %w", e.ID, err)
		}
		f.After = e.ID
	}
	return len(page) == pageSize, nil
}

// pause grows with the failures, and differs from process to process, lest all of them ask
// a server at once that has just come back.
func (f *follower) pause() time.Duration {
	pause := min(f.Every<<min(f.failed-1, 10), max(maxFollowPause, f.Every))
	return pause/2 + rand.N(pause/2+1) //nolint:gosec // a pause may be guessed
}

// wait is over after d, or with an error when ctx is.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
