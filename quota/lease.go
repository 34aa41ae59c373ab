package quota

import (
	"context"
	"errors"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// leases reports whether tokens of r are taken in advance: of a bucket of less than ten they
// would be too large a part.
func (l *Limiter) leases(r *Rate) bool {
	return r.Lease && !r.Shadow && l.cfg.Lease.Most > 0 && r.Bucket() >= 10
}

// renew is what to ask for in place of the lease that the holding has, whose tokens are
// given up with it. The caller has the lock.
func (l *Limiter) renew(g *holding, r *Rate, now time.Duration) LeaseAsk {
	ttl := l.cfg.Lease.TTL
	busy := g.asked > 0 && now-g.asked < ttl/2
	g.asked = now
	switch {
	case !busy && g.lease == "":
		g.size = 0 // a request now and then isn't worth a lease
	case g.tokens > 0 && now >= g.end:
		g.size /= 2
	case now-g.begun < ttl/4 || g.size == 0:
		g.size = max(1, 2*g.size, 2*g.missed)
	}
	g.size = min(g.size, l.cfg.Lease.Most, r.Bucket()/10)
	ask := LeaseAsk{ID: g.lease, Used: g.used, Want: g.size, TTL: ttl}
	if g.lease == "" && g.size > 0 {
		ask.ID = l.ids.next()
	}
	g.tokens, g.missed = 0, 0
	g.serial++
	g.refilling = true
	return ask
}

// landed takes over a lease that the backend has given.
func (g *holding) landed(ask LeaseAsk, leased int64, sent time.Duration) {
	g.refilling = false
	g.lease, g.tokens, g.used = "", leased, 0
	if leased > 0 {
		// Counted from before the backend was asked, so it is over here first.
		g.lease, g.begun, g.end, g.spent = ask.ID, sent, sent+ask.TTL, sent
	}
}

// tend gives back leases that are not used, until ctx ends with the Limiter.
func (l *Limiter) tend(ctx context.Context) {
	ticker := time.NewTicker(l.cfg.Lease.TTL / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.tidy(ctx)
		}
	}
}

// tidy gives back the leases that are idle or about to end, and forgets idle tenants.
func (l *Limiter) tidy(ctx context.Context) {
	now := l.now()
	// The error is the backend's, which calls of Admit report; what it didn't take ends
	// by itself.
	_ = l.settle(ctx, func(g *holding) bool {
		return now >= g.spent+l.cfg.Lease.TTL/2 || now >= g.end-l.cfg.Lease.TTL/4
	})
	l.held.drop(now)
}

// settle ends the leases that match, and gives back what was not used of them.
func (l *Limiter) settle(ctx context.Context, match func(*holding) bool) error {
	backs := make(map[tenant.ID]Back)
	l.held.each(func(in tenant.ID, k *held) {
		for _, g := range k.rates {
			if g.lease == "" || g.refilling || !match(g) {
				continue
			}
			back := backs[in]
			back.Rates = append(back.Rates, RateBack{Name: g.name, LeaseID: g.lease, Used: g.used})
			backs[in] = back
			g.lease, g.tokens, g.used = "", 0, 0
			g.serial++
			g.denied = 0 // there may be tokens again
		}
	})
	var problems []error
	row := 0 // failures one after the other
	for in, back := range backs {
		err := l.giveBack(ctx, in, back)
		if err == nil {
			row = 0
			continue
		}
		problems = append(problems, err)
		// A backend that is away is not waited for once for each of many tenants.
		if row++; row == failuresToGiveUp || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(problems...)
}

// failuresToGiveUp is after how many failures in a row nothing more is given back at once.
const failuresToGiveUp = 5

// giveBack is [Backend.Return] within the time-out.
func (l *Limiter) giveBack(ctx context.Context, in tenant.ID, back Back) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	l.tally.calls.Add(1)
	err := l.backend.Return(ctx, in, back)
	if err != nil {
		l.tally.errors.Add(1)
	}
	return err
}
