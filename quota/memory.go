package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Memory is a [Backend] in the memory of one process. It is for tests, for a service that
// runs as one process, and it is what a [Limiter] counts with while the other backend is
// away. What it knows ends with the process. Make one with [NewMemory].
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	tenants map[tenant.ID]*account
	sweepAt int // number of tenants at which those that are forgotten are removed
}

// account is what one tenant has used.
type account struct {
	until  int64 // when it makes no difference any more
	rates  map[string]*bucket
	slots  map[string]map[string]int64 // ends by limit and slot
	counts map[string]count
}

// firstSweep is the number of tenants at which a Memory looks for idle ones for the first
// time; later it is twice what was left.
const firstSweep = 1024

// NewMemory makes a Memory that goes by the clock now; nil means [time.Now].
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, tenants: make(map[tenant.ID]*account), sweepAt: firstSweep}
}

// Admit implements [Backend]. The only error is that of ctx.
func (m *Memory) Admit(ctx context.Context, in tenant.ID, ask Ask) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, fmt.Errorf("quota: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	a := m.account(in, now)
	d := a.weigh(now, ask)
	if d.answer.Admitted {
		a.take(now, ask, &d)
	}
	a.until = max(a.until, now+ask.Keep.Microseconds())
	return d.answer, nil
}

// Return implements [Backend]. The only error is that of ctx.
func (m *Memory) Return(ctx context.Context, in tenant.ID, back Back) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	a := m.account(in, now)
	for _, r := range back.Rates {
		if b := a.rates[r.Name]; b != nil {
			b.pass(now)
			b.settle(r.LeaseID, r.Used)
			b.give(now, r.Tokens)
		}
	}
	for _, s := range back.Slots {
		delete(a.slots[s.Name], s.ID)
	}
	for _, u := range back.Units {
		if c, ok := a.counts[u.Name]; ok && c.is(u.Period) {
			c.used = max(c.used-u.N, 0)
			a.counts[u.Name] = c
		}
	}
	return nil
}

// Renew implements [Backend]. The only error is that of ctx.
func (m *Memory) Renew(ctx context.Context, in tenant.ID, slot HeldSlot, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("quota: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	a := m.account(in, now)
	if a.slots[slot.Name][slot.ID] <= now {
		return false, nil
	}
	a.slots[slot.Name][slot.ID] = now + ttl.Microseconds()
	a.until = max(a.until, now+ttl.Microseconds())
	return true, nil
}

// account is the tenant's, a new one when it is not known or forgotten.
func (m *Memory) account(in tenant.ID, now int64) *account {
	if a := m.tenants[in]; a != nil && a.until > now {
		return a
	}
	if len(m.tenants) >= m.sweepAt {
		for id, a := range m.tenants {
			if a.until <= now {
				delete(m.tenants, id)
			}
		}
		m.sweepAt = max(firstSweep, 2*len(m.tenants))
	}
	a := &account{
		until: now, rates: make(map[string]*bucket),
		slots: make(map[string]map[string]int64), counts: make(map[string]count),
	}
	m.tenants[in] = a
	return a
}
