package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// cache remembers tenants' plans. They all have one revision, which the database has with
// each of them: reading any plan tells whether the others are still as they were. So a
// process asks once in a TTL, whatever the number of its tenants, until something changes.
type cache struct {
	mu       sync.RWMutex
	plans    map[planKey]answer
	revision int64
	begun    time.Time         // when the read began that told the revision
	until    time.Time         // so long the revision is taken for that of the database
	reads    map[planKey]*read // under way, while the revision is known
	refresh  *read             // under way, while it is not: all wait for this one
}

type planKey struct {
	tenant tenant.ID
	plan   string
}

// answer is what a read has found out: a plan, or that there is none of the name.
type answer struct {
	revision int64
	plan     quota.Plan
	unknown  bool
}

// read is a question to the database that is under way.
type read struct {
	done   chan struct{} // closed when the others are set
	err    error
	broken bool // by its caller's context, which is of no concern to others
}

// Plan is the plan of t that is in force: that of its name, or [Config.Default] when t has
// none, with what the tenant's own [Override] says. It is as old as [Config.TTL] at most, or
// as the call itself while the database takes longer than that to answer. The error is
// [quota.ErrUnknownPlan], [quota.ErrBadPlan] when plan and override don't go together, or says
// that the database could not tell.
func (l *Ledger) Plan(ctx context.Context, t tenant.Tenant) (quota.Plan, error) {
	key := planKey{t.ID, cmp.Or(t.Plan, l.cfg.Default)}
	asked := l.cfg.Now()
	for now := asked; ; now = l.cfg.Now() {
		a, r, mine := l.find(key, asked, now)
		switch {
		case r == nil:
			return a.result(key)
		case mine:
			a, err := l.read(ctx, key, r)
			if err != nil {
				return quota.Plan{}, err
			}
			return a.result(key)
		}
		select {
		case <-ctx.Done():
			return quota.Plan{}, fmt.Errorf("ledger: wait for a plan: %w", ctx.Err())
		case <-r.done:
			if r.err != nil && !r.broken {
				return quota.Plan{}, r.err
			}
		}
	}
}

func (a answer) result(key planKey) (quota.Plan, error) {
	if a.unknown {
		return quota.Plan{}, fmt.Errorf("ledger: %w: %q of tenant %s", quota.ErrUnknownPlan, key.plan, key.tenant)
	}
	return a.plan, nil
}

// Forget has all plans read again, for when another process says that one has changed. A
// read that has begun before is not used by anybody who asks from now on.
func (l *Ledger) Forget() {
	c := &l.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun, c.until = time.Time{}, time.Time{}
	c.refresh = nil
	clear(c.reads)
}

// isKnown reports whether the revision is that of the database for who asked at a time and
// has waited until now. One that was read since they asked is good for them however long
// reading it has taken: or each of those who wait for a slow database would read it in turn.
func (c *cache) isKnown(asked, now time.Time) bool {
	return now.Before(c.until) || !c.begun.Before(asked)
}

// find is the answer if it is remembered, and otherwise the read under way that is to be
// waited for, or a new one, which is the caller's own to do.
func (l *Ledger) find(key planKey, asked, now time.Time) (_ answer, r *read, mine bool) {
	c := &l.cache
	c.mu.RLock()
	a, ok := c.plans[key]
	ok = ok && a.revision == c.revision && c.isKnown(asked, now)
	c.mu.RUnlock()
	if ok {
		return a, nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.isKnown(asked, now)
	if a, ok := c.plans[key]; ok && known && a.revision == c.revision {
		return a, nil, false
	}
	if known {
		r = c.reads[key]
	} else {
		r = c.refresh
	}
	if r != nil {
		return answer{}, r, false
	}
	r = &read{done: make(chan struct{})}
	if known {
		c.reads[key] = r
	} else {
		c.refresh = r
	}
	return answer{}, r, true
}

// read asks the database, and tells those who wait.
func (l *Ledger) read(ctx context.Context, key planKey, r *read) (a answer, err error) {
	begun := l.cfg.Now()
	r.broken, r.err = true, errors.New("ledger: the read has panicked")
	defer func() { l.landed(key, r, begun, a) }()
	a, err = readPlan(ctx, l.pool, key)
	r.broken, r.err = err != nil && ctx.Err() != nil, err
	return a, err
}

// landed keeps an answer, unless it was forgotten while it was read.
func (l *Ledger) landed(key planKey, r *read, begun time.Time, a answer) {
	c := &l.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(r.done)
	switch r {
	case c.refresh:
		c.refresh = nil
	case c.reads[key]:
		delete(c.reads, key)
	default:
		return
	}
	if r.err != nil {
		return
	}
	if !begun.Before(c.begun) {
		c.begun, c.revision, c.until = begun, a.revision, begun.Add(l.cfg.TTL)
	}
	if _, there := c.plans[key]; !there && len(c.plans) >= l.cfg.Size {
		for any := range c.plans { // any one: all are read again now and then
			delete(c.plans, any)
			break
		}
	}
	c.plans[key] = a
}

// rowQuerier is a pool, or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readPlan reads the plan of a tenant. That there is none is no error but an answer.
func readPlan(ctx context.Context, db rowQuerier, key planKey) (answer, error) {
	var a answer
	var version int64
	var plan, override []byte
	if err := db.QueryRow(ctx, sqlPlan, key.plan, key.tenant).Scan(&a.revision, &version, &plan, &override); err != nil {
		return answer{}, fmt.Errorf("ledger: read a plan: %w", err)
	}
	if version == 0 {
		a.unknown = true
		return a, nil
	}
	d, err := parse(plan)
	if err != nil {
		return answer{}, fmt.Errorf("ledger: plan %q: %w", key.plan, err)
	}
	a.plan = d.plan(key.plan, version)
	if override != nil {
		if d, err = parse(override); err != nil {
			return answer{}, fmt.Errorf("ledger: override of tenant %s: %w", key.tenant, err)
		}
		a.plan = d.override().Apply(a.plan)
	}
	if err := a.plan.Validate(); err != nil {
		return answer{}, fmt.Errorf("ledger: plan %q of tenant %s: %w", key.plan, key.tenant, err)
	}
	return a, nil
}
