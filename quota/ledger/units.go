package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// Record notes units that were used, to be written with the next batch. It never waits for
// the database. What can't be noted is lost, which [Config.Logger] and [Stats] are told:
// because too many wait to be written, see [Config.MaxPending], because no limit has such a
// name or no month is such a period, or because the Ledger is closed.
func (l *Ledger) Record(ctx context.Context, use quota.UnitsUse) {
	if use.N == 0 {
		return
	}
	err := checkUse(use)
	if err == nil {
		err = l.pending.add(useKey{use.Tenant, use.Name, use.Period}, use.N)
	}
	if err != nil {
		l.lose(ctx, use, err)
	}
}

// lose tells of a use that will never be written.
func (l *Ledger) lose(ctx context.Context, use quota.UnitsUse, why error) {
	l.pending.lose(use.N)
	l.cfg.Logger.ErrorContext(ctx, "used units are lost",
		"error", why, "tenant", use.Tenant, "limit", use.Name, "period", use.Period.String(), "units", use.N)
}

// Used is how many units of a name a tenant has used in a period: what is written, and what
// this process has still to write. What others have still to write is missing, the uses of
// one [Config.FlushEvery] at most while the database answers.
func (l *Ledger) Used(ctx context.Context, in tenant.ID, name string, period quota.Period) (int64, error) {
	// Before the database is asked: a batch that it has by then is told by its number, and a
	// use that comes later is not ours to tell.
	own := l.pending.own(useKey{in, name, period})
	var used, written int64
	err := l.pool.QueryRow(ctx, sqlUsed, in, name, period.Start, period.End, l.pending.writer).Scan(&used, &written)
	if err != nil {
		return 0, fmt.Errorf("ledger: units used: %w", err)
	}
	for _, o := range own {
		if o.batch > written {
			used += o.n
		}
	}
	return max(used, 0), nil
}

// Flush writes the units that were recorded before it was called. When it fails they are
// kept, and the same batch is written the next time; should the database have it by then,
// it is not added again. Flushes of one Ledger take turns.
//
// An [*UnwrittenError] has uses that the database refuses whatever else is written. All
// others are written without them, they are not kept, and [Config.Logger] is told of each.
func (l *Ledger) Flush(ctx context.Context) error {
	refused, err := l.flush(ctx)
	if refused == nil {
		return err
	}
	return errors.Join(refused, err)
}

// flush is Flush, and tells what the database refuses apart from why the rest is not written.
func (l *Ledger) flush(ctx context.Context) (refused *UnwrittenError, err error) {
	p := &l.pending
	select {
	case p.writing <- struct{}{}:
		defer func() { <-p.writing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("ledger: wait to write used units: %w", ctx.Err())
	}
	// Two at most: the one that was left, and the one that has gathered since.
	for range 2 {
		b := p.next()
		if b == nil {
			break
		}
		if err := l.write(ctx, b); err != nil {
			return refused, fmt.Errorf("ledger: write used units: %w", err)
		}
		p.written()
		if b.refused == nil {
			continue
		}
		for _, use := range b.refused.Uses {
			l.lose(ctx, use, b.refused.Err)
		}
		if refused == nil {
			refused = new(UnwrittenError)
		}
		refused.Uses = append(refused.Uses, b.refused.Uses...)
		refused.Err = b.refused.Err
	}
	return refused, nil
}

// write writes a batch, but for what the database refuses of it, which it notes in the batch:
// when the answer is lost that the others are written, it is not found out again.
func (l *Ledger) write(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.FlushTimeout)
	defer cancel()
	var added int
	err := l.pool.QueryRow(ctx, sqlWrite, l.columns(usesOf(b), b)...).Scan(&added)
	switch {
	case isRefusal(err):
		return l.writeApart(ctx, b)
	case err == nil && added > 0:
		b.refused = nil // not any more
	}
	return err
}

// flushAgain writes again and again, until ctx ends with the Ledger.
func (l *Ledger) flushAgain(ctx context.Context) {
	defer close(l.ended)
	every := time.NewTicker(l.cfg.FlushEvery)
	defer every.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		_, err := l.flush(ctx) // what is refused is told already
		if ctx.Err() != nil {
			return // Close writes what is left
		}
		switch {
		case err != nil:
			l.pending.fail()
			if !failing {
				l.cfg.Logger.WarnContext(ctx, "used units can't be written; they are kept and tried again", "error", err)
			}
		case failing:
			l.cfg.Logger.InfoContext(ctx, "used units are written again")
		}
		failing = err != nil
	}
}

// Stats are the numbers of a [Ledger] since it was opened, for metrics.
type Stats struct {
	Pending       int   // counts that wait to be written
	Lost          int64 // units that could not be kept, see [Ledger.Record], and that were refused
	FailedFlushes int64 // of those that [Config.FlushEvery] has started
}

// Stats are the numbers now.
func (l *Ledger) Stats() Stats {
	p := &l.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Pending: len(p.open.used), Lost: p.lost, FailedFlushes: p.missed}
	if p.sent != nil {
		s.Pending += len(p.sent.used)
	}
	return s
}
