package isolationtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// SessionConfig says what [CheckSessions] and [Sessions] work with.
type SessionConfig struct {
	// Pool is how the service's pool signs in. The check makes pools of its own of it: one
	// with a single connection, and one with Connections.
	Pool *pgxpool.Config

	// Options are those that the service gives to [tenantdb.Open], but for those that
	// choose another pool.
	Options []tenantdb.Option

	// Tenants are at least two tenants that are active.
	Tenants []tenant.Tenant

	// Mark is a query whose only value is a text that each tenant has another of, such as
	// SELECT title FROM note ORDER BY id LIMIT 1. Work must not change it.
	Mark string

	// Work is what the service does in a session. It is called with the tenant in the
	// context, which is cancelled at any time. What it returns, and a panic, count for
	// nothing: what counts is what others find afterwards.
	Work []func(ctx context.Context, db *tenantdb.DB) error

	// Rounds is how many pieces of work there are for each pool, up to a million; 0 means
	// 300. Connections is the size of the larger pool, from 2 to 100; 0 means 4.
	Rounds      int
	Connections int

	// Timeout is how long a tenant's mark may take to be read; 0 means 10 seconds. It bounds
	// how long a connection that is never given back is waited for.
	Timeout time.Duration
}

// SessionReport is what [CheckSessions] has found.
type SessionReport struct {
	Findings []string // up to 100, one for each thing that went wrong
	Rounds   int      // pieces of work that were done
	Broken   int      // of them, those that were broken off by their context, an error or a panic
}

// String is the report for people, one line for each thing.
func (r *SessionReport) String() string {
	lines := []string{fmt.Sprintf("%d pieces of work, %d of them broken off: %d findings", r.Rounds, r.Broken, len(r.Findings))}
	return strings.Join(append(lines, r.Findings...), "\n")
}

// maxFindings bounds a report: what goes wrong once in sessions goes wrong all the time.
const maxFindings = 100

// Sessions is [CheckSessions] for a test: it fails with each finding.
func Sessions(t TB, cfg SessionConfig) {
	t.Helper()
	report, err := CheckSessions(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	for _, f := range report.Findings {
		t.Errorf("isolationtest: %s", f)
	}
	t.Logf("isolationtest: %d pieces of work, %d of them broken off", report.Rounds, report.Broken)
}

// CheckSessions works for several tenants on shared connections, breaks work off in all ways
// that there are, and reports every tenant that then finds something else than its own mark,
// every mark that can't be read any more, and every connection that comes back to the pool
// with another role or path than it began with.
//
// An error says that nothing can be said: settings that can't be, a server that does not
// answer, marks that do not tell the tenants apart.
func CheckSessions(ctx context.Context, cfg SessionConfig) (*SessionReport, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("isolationtest: %w", err)
	}
	report := new(SessionReport)
	for _, size := range []int{1, cfg.Connections} {
		if len(report.Findings) > 0 {
			break // and nothing that follows tells more
		}
		c := &sessionChecker{cfg: cfg, report: report}
		if err := c.check(ctx, size); err != nil {
			return nil, fmt.Errorf("isolationtest: with %d connections: %w", size, err)
		}
	}
	return report, nil
}

// complete checks the configuration and fills in the defaults.
func (cfg SessionConfig) complete() (SessionConfig, error) {
	var problems []error
	if cfg.Pool == nil {
		problems = append(problems, errors.New("SessionConfig.Pool is nil: pgxpool.ParseConfig makes one"))
	}
	if len(cfg.Tenants) < 2 {
		problems = append(problems, errors.New("SessionConfig.Tenants has fewer than two"))
	}
	if cfg.Mark == "" {
		problems = append(problems, errors.New("SessionConfig.Mark is empty: give a query whose value tells the tenants apart"))
	}
	for _, d := range []struct {
		name                  string
		value                 *int
		standard, least, most int
	}{
		{"Rounds", &cfg.Rounds, 300, 1, 1_000_000},
		{"Connections", &cfg.Connections, 4, 2, 100},
	} {
		switch {
		case *d.value == 0:
			*d.value = d.standard
		case *d.value < d.least || *d.value > d.most:
			problems = append(problems, fmt.Errorf("SessionConfig.%s is %d, and must be from %d to %d", d.name, *d.value, d.least, d.most))
		}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	} else if cfg.Timeout < 0 {
		problems = append(problems, fmt.Errorf("SessionConfig.Timeout is %s", cfg.Timeout))
	}
	return cfg, errors.Join(problems...)
}

// sessionChecker is a check with one pool.
type sessionChecker struct {
	cfg   SessionConfig
	pool  *pgxpool.Pool
	db    *tenantdb.DB
	marks map[tenant.ID]string
	fresh string // the state of a connection that nobody has used

	mu     sync.Mutex
	report *SessionReport
}

func (c *sessionChecker) check(ctx context.Context, size int) error {
	config := c.cfg.Pool.Copy()
	config.MaxConns, config.MinConns, config.MinIdleConns = int32(size), 0, 0
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer c.close(pool)
	c.pool = pool
	if c.fresh, err = c.state(ctx); err != nil {
		return err
	}
	if c.db, err = tenantdb.Open(ctx, pool, c.cfg.Options...); err != nil {
		return err
	}
	if err := c.learn(ctx); err != nil {
		return err
	}
	rounds := make(chan int, c.cfg.Rounds)
	for round := range c.cfg.Rounds {
		rounds <- round
	}
	close(rounds)
	var workers sync.WaitGroup
	for range 2 * size {
		workers.Go(func() {
			for round := range rounds {
				if ctx.Err() != nil || c.full() {
					return
				}
				c.round(ctx, round)
			}
		})
	}
	workers.Wait()
	return ctx.Err()
}

// close ends a pool. It waits for connections that are in use, but not for ever: work may have
// kept one.
func (c *sessionChecker) close(pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(c.cfg.Timeout):
		c.find("%d connections were never given back", pool.Stat().AcquiredConns())
	}
}

// learn reads each tenant's mark while nothing has gone wrong yet.
func (c *sessionChecker) learn(ctx context.Context) error {
	c.marks = make(map[tenant.ID]string)
	owners := make(map[string]tenant.Tenant)
	for _, t := range c.cfg.Tenants {
		text, err := c.mark(tenant.NewContext(ctx, t))
		if err != nil {
			return fmt.Errorf("read the mark of tenant %s: %w", t.ID, err)
		}
		if other, taken := owners[text]; taken {
			return fmt.Errorf("the tenants %s and %s have the same mark %q: SessionConfig.Mark must tell them apart", other.ID, t.ID, text)
		}
		owners[text], c.marks[t.ID] = t, text
	}
	return nil
}

func (c *sessionChecker) mark(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var text string
	err := c.db.QueryRow(ctx, c.cfg.Mark).Scan(&text)
	return text, err
}

// find adds a finding.
func (c *sessionChecker) find(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, fmt.Sprintf(format, args...))
	}
}

func (c *sessionChecker) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.report.Findings) >= maxFindings
}

// done counts a piece of work.
func (c *sessionChecker) done(broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Rounds++
	if broken {
		c.report.Broken++
	}
}
