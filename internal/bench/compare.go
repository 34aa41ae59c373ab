package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// workload is a piece of work that is compared.
type workload struct {
	name string
	do   func(r runner, ctx context.Context, tenant int, id int64) error
}

var workloads = []workload{
	{"read", runner.read},
	{"write", runner.write},
	{"transaction", runner.transaction},
}

// entrant is a contender that takes part, with what its slices have cost.
type entrant struct {
	contender
	runner runner
	allocs []float64         // of one operation, by workload
	costs  map[string][]cost // by workload, a round each
}

// compare runs all rounds with n tenants and prints them.
func compare(ctx context.Context, w *world, s settings, n int) error {
	entrants, err := enter(ctx, w, s, n)
	defer func() {
		for _, e := range entrants {
			e.runner.close()
		}
	}()
	if err != nil {
		return err
	}
	for _, e := range entrants {
		if err := warmUp(ctx, e, s, n); err != nil {
			return err
		}
	}
	meter := meter{postmaster: w.server.PID()}
	for _, work := range workloads {
		if !s.workloads.MatchString(work.name) {
			continue
		}
		for round := range s.rounds {
			if err := playRound(ctx, meter, entrants, work, s, n, round); err != nil {
				return err
			}
		}
		show(n, work.name, entrants, s)
	}
	return nil
}

// enter opens the contenders that take part.
func enter(ctx context.Context, w *world, s settings, n int) (entrants []*entrant, err error) {
	for _, c := range contenders {
		if c.name != raw && c.name != qualified && !s.contenders.MatchString(c.name) {
			continue
		}
		r, err := c.open(ctx, w, n)
		if err != nil {
			return entrants, fmt.Errorf("%s: %w", c.name, err)
		}
		entrants = append(entrants, &entrant{contender: c, runner: r, costs: map[string][]cost{}})
	}
	return entrants, nil
}

// playRound gives each entrant a slice. Another one begins in each round.
func playRound(ctx context.Context, m meter, entrants []*entrant, work workload, s settings, n, round int) error {
	for i := range entrants {
		e := entrants[(i+round)%len(entrants)]
		runtime.GC() // what the others have left is not this one's to collect
		c, err := m.measure(func() (int, error) { return slice(ctx, e.runner, work, s, n, s.slice) })
		if err != nil {
			return fmt.Errorf("%s, %s: %w", e.name, work.name, err)
		}
		e.costs[work.name] = append(e.costs[work.name], c)
	}
	return nil
}

// warmUp makes each connection know the statements, and counts allocations.
func warmUp(ctx context.Context, e *entrant, s settings, n int) error {
	for _, work := range workloads {
		if _, err := slice(ctx, e.runner, work, s, n, s.warmUp/time.Duration(len(workloads))); err != nil {
			return fmt.Errorf("%s, %s: %w", e.name, work.name, err)
		}
		var err error
		e.allocs = append(e.allocs, testing.AllocsPerRun(200, func() {
			if failed := work.do(e.runner, ctx, 0, 1); failed != nil {
				err = failed
			}
		}))
		if err != nil {
			return fmt.Errorf("%s, %s: %w", e.name, work.name, err)
		}
	}
	return nil
}

// zipf is how unequal tenants are: the exponent of the distribution by which callers pick
// theirs. The first of 100 gets about a fifth of the work.
const zipf = 1.1

// slice has all callers work for some time, and says how often they did.
func slice(ctx context.Context, r runner, work workload, s settings, n int, length time.Duration) (int, error) {
	var callers sync.WaitGroup
	var operations atomic.Int64
	errs := make(chan error, s.callers)
	end := time.Now().Add(length)
	for range s.callers {
		callers.Go(func() {
			rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // it only spreads work
			tenants := rand.NewZipf(rng, zipf, 1, uint64(n-1))
			done := 0
			for time.Now().Before(end) {
				if err := work.do(r, ctx, int(tenants.Uint64()), 1+rng.Int64N(rowsPerTenant)); err != nil {
					errs <- err
					return
				}
				done++
			}
			operations.Add(int64(done))
		})
	}
	callers.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return int(operations.Load()), nil
	}
}
