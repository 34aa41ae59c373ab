package tenantdb_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fate is what should have become of a row that was written. Of some it can't be known,
// for the connection was lost, or the context over, while they were committed.
type fate int

const (
	unknown fate = iota
	kept
	refused
)

// ledger has the fates of all rows that were written, by their token.
type ledger struct {
	mu    sync.Mutex
	fates map[int64]entry
}

type entry struct {
	mark string // of the tenant that wrote it
	fate fate
}

// settle takes down what should have become of the rows that a turn has written.
func (t *turn) settle(f fate, tokens ...int64) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	if t.ledger.fates == nil {
		t.ledger.fates = map[int64]entry{}
	}
	for _, token := range tokens {
		t.ledger.fates[token] = entry{t.mark, f}
	}
}

// fateOf is what becomes of rows that were written by what ended with err.
func fateOf(err error) fate {
	if err == nil {
		return kept
	}
	return unknown
}

// outcome is how an operation ended.
type outcome int

const (
	fine outcome = iota
	panicked
	cancelled
	lost
	failed
	outcomes
)

// counts is what a run is told by.
type counts struct {
	rows     atomic.Int64
	mu       sync.Mutex
	byName   map[string]*[outcomes]int
	problems []string // the first ones
}

func (c *counts) add(name string, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*[outcomes]int{}
	}
	if c.byName[name] == nil {
		c.byName[name] = new([outcomes]int)
	}
	c.byName[name][o]++
}

func (c *counts) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.problems) < 20 {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

// cross takes down that something of a tenant was seen or done by another.
func (x *torture) cross(format string, args ...any) {
	x.crossed.Add(1)
	x.counts.problem("CROSSED: "+format, args...)
}

// String is the table of what was done.
func (x *torture) String() string {
	x.counts.mu.Lock()
	defer x.counts.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %9s %9s %9s %9s %9s\n", "operation", "fine", "panicked", "cancelled", "lost", "failed")
	line := func(name string, n *[outcomes]int) {
		fmt.Fprintf(&b, "%-24s %9d %9d %9d %9d %9d\n", name, n[fine], n[panicked], n[cancelled], n[lost], n[failed])
	}
	var sum [outcomes]int
	for _, name := range slices.Sorted(maps.Keys(x.counts.byName)) {
		line(name, x.counts.byName[name])
		for i, n := range x.counts.byName[name] {
			sum[i] += n
		}
	}
	line("all", &sum)
	fmt.Fprintf(&b, "%d rows read, %d written, %d crossed\n", x.counts.rows.Load(), x.tokens.Load(), x.crossed.Load())
	return b.String()
}

// scan looks through every schema for rows that do not belong there.
func (x *torture) scan() {
	x.t.Helper()
	found := map[int64]bool{}
	for _, who := range x.tenants {
		schema := x.schema(who)
		rows, err := x.owner.Query(context.Background(), fmt.Sprintf(`
			SELECT token, mark FROM %[1]q.entry UNION ALL SELECT 0, mark FROM %[1]q.mark UNION ALL SELECT 0, body FROM %[1]q.note`, schema))
		require.NoError(x.t, err)
		var token int64
		var mark string
		_, err = pgx.ForEachRow(rows, []any{&token, &mark}, func() error {
			if mark != schema {
				x.cross("a row of %s lies in %s, token %d", mark, schema, token)
			}
			if e := x.ledger.fates[token]; e.fate == refused {
				x.counts.problem("kept, though it was rolled back: token %d of %s", token, mark)
			}
			found[token] = true
			return nil
		})
		require.NoError(x.t, err)
	}
	for token, e := range x.ledger.fates {
		if e.fate == kept && !found[token] {
			x.counts.problem("lost, though it was committed: token %d of %s", token, e.mark)
		}
	}
}

func (x *torture) assertNothingCrossed() {
	x.t.Helper()
	x.scan()
	assert.Zero(x.t, x.crossed.Load(), "rows that crossed")
	assert.Empty(x.t, x.counts.problems)
	assert.Positive(x.t, x.counts.rows.Load(), "rows read")
	assert.NotEmpty(x.t, x.ledger.fates, "rows written")
}

// assertWhole holds a pool to have lost no connection: all can be had at once, and none is
// out when nobody has one.
func (x *torture) assertWhole(pool *pgxpool.Pool) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.Eventually(x.t, func() bool { return pool.Stat().AcquiredConns() == 0 }, 10*time.Second, time.Millisecond, "connections out")
	leases := make([]*pgxpool.Conn, pool.Config().MaxConns)
	for i := range leases {
		var err error
		leases[i], err = pool.Acquire(ctx)
		require.NoError(x.t, err, "connection %d of %d", i+1, len(leases))
	}
	for _, lease := range leases {
		lease.Release()
	}
	assert.LessOrEqual(x.t, pool.Stat().TotalConns(), pool.Config().MaxConns)
}
