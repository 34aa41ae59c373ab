package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Slot is what a tenant holds of one or more concurrency limits. While it is held it is
// renewed in the background, so it lasts as long as the process lives and reaches the
// backend. Its methods may be called by several goroutines at once.
type Slot struct {
	limiter *Limiter
	in      tenant.ID
	id      string
	lost    chan struct{}

	mu    sync.Mutex
	parts []part
	ended bool
	timer *time.Timer // of the next renewal
}

// part is the slot of one limit.
type part struct {
	name  string
	local bool          // counted by this process
	until time.Duration // by Limiter.now
}

// Acquire is [Limiter.Admit] for a request that names a [Concurrency] with a cost of 1:
// when it is allowed, its slots are held until [Slot.Release], which the caller must call.
// The Slot is nil when the request is refused. The errors are those of Admit.
func (l *Limiter) Acquire(ctx context.Context, t tenant.Tenant, req Request) (*Slot, Decision, error) {
	s := &Slot{limiter: l, in: t.ID, id: l.ids.next(), lost: make(chan struct{})}
	d, err := l.admit(ctx, t, req, s)
	if err != nil || !d.Allowed {
		return nil, d, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) > 0 {
		l.tally.slots.Add(1)
		s.timer = time.AfterFunc(l.cfg.SlotTTL/3, s.beat)
	}
	return s, d, nil
}

// hold notes a slot that was granted by a source; of some there is nothing to hold.
func (s *Slot) hold(name string, source Source, sent time.Duration) {
	if source == SourceBackend || source == SourceLocal {
		s.parts = append(s.parts, part{name: name, local: source == SourceLocal, until: sent + s.limiter.cfg.SlotTTL})
	}
}

// Lost is closed when the slot has ended without being released, because the backend
// couldn't be reached for [Config.SlotTTL] or has lost it: somebody else may have it now.
func (s *Slot) Lost() <-chan struct{} { return s.lost }

// Release gives the slot back. It may be called again, which does nothing once it was given
// back, and with a context that has ended. With the error of a backend that can't be
// reached, the slot is renewed no more and ends by itself after [Config.SlotTTL].
func (s *Slot) Release(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		if s.timer != nil {
			s.limiter.tally.slots.Add(-1)
			s.timer.Stop()
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limiter.cfg.Timeout)
	defer cancel()
	var back Back
	for _, p := range s.parts {
		if p.local {
			_ = s.limiter.local.Return(ctx, s.in, Back{Slots: []HeldSlot{{p.name, s.id}}}) // the only error is ctx's
			continue
		}
		back.Slots = append(back.Slots, HeldSlot{p.name, s.id})
	}
	if len(back.Slots) > 0 {
		s.limiter.tally.calls.Add(1)
		if err := s.limiter.backend.Return(ctx, s.in, back); err != nil {
			s.limiter.tally.errors.Add(1)
			return fmt.Errorf("release a slot: %w", err)
		}
	}
	s.parts = nil
	return nil
}

// beat renews the slot, and sets the time of the next beat.
func (s *Slot) beat() {
	l := s.limiter
	if !l.enter() {
		return
	}
	defer l.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	for i := range s.parts {
		if !s.renew(&s.parts[i]) {
			close(s.lost)
			return
		}
	}
	s.timer.Reset(l.cfg.SlotTTL / 3)
}

// renew keeps the slot of one limit, and reports false when it has ended. The caller has the
// lock.
func (s *Slot) renew(p *part) bool {
	l := s.limiter
	backend := l.backend
	if p.local {
		backend = l.local
	}
	sent := l.now()
	// A backend that hangs is not waited for beyond the slot's end, of which the holder is to
	// know.
	ctx, cancel := context.WithTimeout(context.Background(), min(l.cfg.Timeout, max(p.until-sent, l.cfg.SlotTTL/3)))
	defer cancel()
	l.tally.calls.Add(1)
	renewed, err := backend.Renew(ctx, s.in, HeldSlot{p.name, s.id}, l.cfg.SlotTTL)
	if err != nil {
		l.tally.errors.Add(1)
		return l.now() < p.until // there is time to try again
	}
	if renewed {
		p.until = sent + l.cfg.SlotTTL
	}
	return renewed
}

// abandonSlots gives back the slots of a request that the backend may have admitted
// although its answer was lost.
func (a *attempt) abandonSlots() {
	l := a.limiter
	var back Back
	for _, s := range a.ask.Slots {
		if s.ID != "" {
			back.Slots = append(back.Slots, HeldSlot{s.Name, s.ID})
		}
	}
	if len(back.Slots) == 0 || !l.enter() {
		return
	}
	go func() {
		defer l.running.Done()
		// The error says that the backend is still away, and then the slots end by themselves.
		_ = l.giveBack(context.Background(), a.in, back)
	}()
}
