package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// maxReads is how often a key is read again because it was changed meanwhile.
const maxReads = 10

// load reads a key. Of several who need the same one at once, one reads it, and is counted
// by the limit of failures for the address from, unless that is nil. judge looks at what was
// read for each of them; what it accepts for the one who has read is remembered.
func (k *Keys) load(ctx context.Context, id string, from *netip.Addr, judge func(*verdict) error) (*verdict, error) {
	for range maxReads {
		r, mine := k.verdicts.join(id, k.cfg.Now(), k.cfg.TTL)
		if mine {
			v, err := k.read(ctx, r, from, judge)
			if !r.outdated.Load() {
				return v, err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil, orUnavailable(fmt.Errorf("apikey: wait for a key: %w", ctx.Err()))
		case <-r.done:
		}
		switch {
		case r.broken || r.outdated.Load():
			continue
		case r.err != nil:
			return nil, r.err
		}
		v := r.verdict()
		if err := judge(v); err != nil {
			return nil, err
		}
		return v, nil
	}
	return nil, orUnavailable(errors.New("apikey: the key was changed each time that it was read"))
}

// read reads a key for all who wait for it. What is wrong with the reader alone, such as the
// limit of its address or the end of its context, makes another one read.
func (k *Keys) read(ctx context.Context, r *read, from *netip.Addr, judge func(*verdict) error) (v *verdict, err error) {
	r.broken = true // should anything panic
	defer func() { k.verdicts.finish(r, v) }()
	if from != nil {
		address, refused := k.failures.enter(ctx, *from, k.cfg.Now)
		if refused != nil {
			if errors.Is(refused, ErrTooManyFailures) {
				k.counts.limited.Add(1)
			}
			return nil, orUnavailable(refused)
		}
		defer func() { k.failures.leave(address, isFailure(err)) }()
	}
	k.counts.loads.Add(1)
	r.connected = k.connected() // before it is read: what is told from then on is heard
	r.readAt = k.cfg.Now()
	r.record, r.err = k.lookUp(ctx, r.id)
	r.broken = r.err != nil && ctx.Err() != nil
	if r.err != nil {
		return nil, r.err
	}
	v = r.verdict()
	if err := judge(v); err != nil {
		return nil, err
	}
	return v, nil
}

// lookUp reads a key by its id, and whether its tenant is active.
func (k *Keys) lookUp(ctx context.Context, id string) (record, error) {
	var status tenant.Status
	found, err := scanRecord(k.pool.QueryRow(ctx, sqlLoad, id), &status)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return record{}, errUnknown
	case err != nil:
		k.counts.unavailable.Add(1)
		return record{}, orUnavailable(fmt.Errorf("apikey: look up a key: %w", err))
	}
	found.status = status
	return found, nil
}
