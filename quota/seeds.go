package quota

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tenantwall/tenantwall/tenant"
)

// seeds asks a [UnitsSource], once for all who want to know the same at the same time: after
// a loss of the backend these are all requests of all tenants.
type seeds struct {
	mu    sync.Mutex
	calls map[seedKey]*seedCall
}

type seedKey struct {
	tenant tenant.ID
	name   string
	period Period
}

type seedCall struct {
	done chan struct{} // closed when used and err are set
	used int64
	err  error
}

// used is how many units the source says. ctx has a deadline.
func (s *seeds) used(ctx context.Context, source UnitsSource, key seedKey) (int64, error) {
	s.mu.Lock()
	call, ok := s.calls[key]
	if !ok {
		if s.calls == nil {
			s.calls = make(map[seedKey]*seedCall)
		}
		call = &seedCall{done: make(chan struct{}), err: errors.New("the source of units has panicked")}
		s.calls[key] = call
	}
	s.mu.Unlock()
	if ok {
		select {
		case <-call.done:
			return call.used, call.err
		case <-ctx.Done():
			return 0, fmt.Errorf("quota: wait for the units used: %w", ctx.Err())
		}
	}
	defer func() {
		s.mu.Lock()
		delete(s.calls, key)
		s.mu.Unlock()
		close(call.done)
	}()
	// Others wait for it, so it ends with its time and not with its first caller.
	deadline, _ := ctx.Deadline()
	own, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	call.used, call.err = source.Used(own, key.tenant, key.name, key.period)
	return call.used, call.err
}
