package temporalx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// CapConfig says how many activities of a tenant one process runs at a time.
type CapConfig struct {
	// PerTenant is the number, at least 1. Take less than the worker's
	// MaxConcurrentActivityExecutionSize: what is left is for everybody else.
	PerTenant int

	// Plans has the number of some plans, by the plan's name; 0 lets all run.
	Plans map[string]int

	// Activities are the types that are counted, long ones; none means all.
	Activities []string

	// MaxRetry bounds the time until a refused activity comes back, from a second to an hour;
	// 0 means a minute. A backlog of n refused activities costs the server about n attempts
	// in each such time, whatever else.
	MaxRetry time.Duration

	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

const (
	defaultMaxRetry = time.Minute
	minMaxRetry     = time.Second

	// firstEstimate stands for how long an activity takes until one has ended.
	firstEstimate = time.Second
)

func (cfg CapConfig) complete() (CapConfig, error) {
	var problems []error
	if cfg.PerTenant < 1 {
		problems = append(problems, fmt.Errorf("the setting PerTenant is %d, and must be at least 1", cfg.PerTenant))
	}
	for plan, n := range cfg.Plans {
		if n < 0 {
			problems = append(problems, fmt.Errorf("the setting Plans[%q] is %d, and must not be negative", plan, n))
		}
	}
	if cfg.MaxRetry == 0 {
		cfg.MaxRetry = defaultMaxRetry
	}
	if cfg.MaxRetry < minMaxRetry || cfg.MaxRetry > maxRetryAfter {
		problems = append(problems, fmt.Errorf("the setting MaxRetry is %s, and must be 0 or from %s to %s", cfg.MaxRetry, minMaxRetry, maxRetryAfter))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg, errors.Join(problems...)
}

// Cap counts the running activities of each tenant in this process: with p processes a
// tenant runs up to p times as many. It is safe for concurrent use, by all workers of the
// process, and remembers nothing of a tenant that has nothing running or waiting.
type Cap struct {
	cfg CapConfig

	mu      sync.Mutex
	tenants map[tenant.ID]*usage
}

var _ Slots = (*Cap)(nil)

// usage is what a tenant has running, and when its refused activities come back.
type usage struct {
	running int
	took    time.Duration // how long an activity takes, a moving average
	next    time.Time     // when the last of those that were refused comes back
}

// NewCap returns the Slots of one process. The errors are about the settings.
func NewCap(cfg CapConfig) (*Cap, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("temporalx: NewCap: %w", err)
	}
	cfg.Activities = slices.Clone(cfg.Activities)
	return &Cap{cfg: cfg, tenants: make(map[tenant.ID]*usage)}, nil
}

// Acquire implements [Slots]. It never fails.
//
// The refused come back one after the other, about as fast as slots become free, judged by
// how long the tenant's activities have taken lately.
func (c *Cap) Acquire(_ context.Context, of tenant.Tenant, activityType string) (release func(), retryAfter time.Duration, err error) {
	most := c.most(of.Plan)
	if most == 0 || len(c.cfg.Activities) > 0 && !slices.Contains(c.cfg.Activities, activityType) {
		return func() {}, 0, nil
	}
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.tenants[of.ID]
	if u == nil {
		u = &usage{took: firstEstimate}
		c.tenants[of.ID] = u
	}
	if u.running >= most {
		return nil, u.queue(now, most, c.cfg.MaxRetry), nil
	}
	u.running++
	return func() { c.release(of.ID, now) }, 0, nil
}

func (c *Cap) most(plan string) int {
	if n, ok := c.cfg.Plans[plan]; ok {
		return n
	}
	return c.cfg.PerTenant
}

func (c *Cap) release(of tenant.ID, since time.Time) {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.tenants[of]
	u.running--
	u.took += (now.Sub(since) - u.took) / 8
	if u.running == 0 && !u.next.After(now) {
		delete(c.tenants, of)
	}
}

// queue puts one more behind those that were refused, and returns when it is its turn.
func (u *usage) queue(now time.Time, slots int, most time.Duration) time.Duration {
	pace := u.took / time.Duration(slots)
	if u.next.Before(now) {
		u.next = now
	}
	u.next = u.next.Add(pace)
	if last := now.Add(most); u.next.After(last) {
		u.next = last
	}
	return max(u.next.Sub(now), minRetryAfter)
}

// Running is how many activities of a tenant run now, for a metric.
func (c *Cap) Running(of tenant.ID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.tenants[of]; u != nil {
		return u.running
	}
	return 0
}
