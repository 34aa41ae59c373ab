package isolationtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// maxCut is how long a context lives at most that is to end in the middle of work: a few
// times what a statement takes on the same machine.
const maxCut = 3 * time.Millisecond

// work is something that is done in a session. own is its tenant's mark.
type work struct {
	name string
	do   func(ctx context.Context, own string) error
}

// works are what is done in turn: the check's own work, and the service's.
func (c *sessionChecker) works() []work {
	works := []work{
		{"a query", c.query},
		{"rows that are left unread", c.leaveRows},
		{"a transaction that is committed", func(ctx context.Context, own string) error {
			return c.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { return c.inTx(ctx, tx, own) })
		}},
		{"a transaction that ends in an error", func(ctx context.Context, own string) error {
			return c.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				return errors.Join(c.inTx(ctx, tx, own), errBroken)
			})
		}},
		{"a transaction that ends in a panic", func(ctx context.Context, own string) error {
			return c.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				if err := c.inTx(ctx, tx, own); err != nil {
					return err
				}
				panic(errBroken)
			})
		}},
	}
	for i, f := range c.cfg.Work {
		works = append(works, work{fmt.Sprintf("Work[%d]", i), func(ctx context.Context, _ string) error { return f(ctx, c.db) }})
	}
	return works
}

var errBroken = errors.New("broken off on purpose")

// round does one piece of work for one tenant, and then looks whether all is as it was.
func (c *sessionChecker) round(ctx context.Context, n int) {
	t := c.cfg.Tenants[rand.IntN(len(c.cfg.Tenants))] //nolint:gosec // it may be guessed
	works := c.works()
	w := works[n%len(works)]
	err := c.attempt(tenant.NewContext(ctx, t), w, c.marks[t.ID], n/len(works)%2 == 1)
	c.done(err != nil)
	if ctx.Err() != nil {
		return
	}

	// The next one on this connection is of another tenant, for the most part.
	next := c.cfg.Tenants[rand.IntN(len(c.cfg.Tenants))] //nolint:gosec // it may be guessed
	switch got, err := c.mark(tenant.NewContext(ctx, next)); {
	case ctx.Err() != nil:
	case err != nil:
		c.find("after %s of tenant %s: the mark of tenant %s can't be read: %v", w.name, t.ID, next.ID, err)
	case got != c.marks[next.ID]:
		c.find("after %s of tenant %s: the mark of tenant %s is %s, and should be %s", w.name, t.ID, next.ID, short(got), short(c.marks[next.ID]))
	}
	switch got, err := c.state(ctx); {
	case ctx.Err() != nil:
	case err != nil:
		c.find("after %s of tenant %s: no connection can be had: %v", w.name, t.ID, err)
	case got != c.fresh:
		c.find("after %s of tenant %s: a connection of the pool is in the state %s, and a new one in %s", w.name, t.ID, short(got), short(c.fresh))
	}
}

// attempt does a piece of work, in a context that ends in the middle if cut is set. A panic is
// an error.
func (c *sessionChecker) attempt(ctx context.Context, w work, own string, cut bool) (err error) {
	if cut {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rand.N(maxCut)) //nolint:gosec // it may be guessed
		defer cancel()
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return w.do(ctx, own)
}

// query reads the mark. Whatever becomes of the context, it is the tenant's own or none.
func (c *sessionChecker) query(ctx context.Context, own string) error {
	text, err := c.mark(ctx)
	c.own(text, err, own)
	return err
}

// leaveRows begins to read, and ends without having read.
func (c *sessionChecker) leaveRows(ctx context.Context, own string) error {
	rows, err := c.db.Query(ctx, c.cfg.Mark)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		var text string
		err = rows.Scan(&text)
		c.own(text, err, own)
	}
	return errors.Join(err, rows.Err())
}

func (c *sessionChecker) inTx(ctx context.Context, tx pgx.Tx, own string) error {
	for range 2 {
		var text string
		err := tx.QueryRow(ctx, c.cfg.Mark).Scan(&text)
		c.own(text, err, own)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *sessionChecker) own(text string, err error, own string) {
	if err == nil && text != own {
		c.find("a tenant with the mark %s has read %s", short(own), short(text))
	}
}

// state is what a connection that somebody else borrows from the pool would do its work as.
func (c *sessionChecker) state(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var user, path string
	err := c.pool.QueryRow(ctx, sqlState, pgx.QueryExecModeExec).Scan(&user, &path)
	return "user " + user + ", search_path " + path, err
}

const sqlState = `SELECT current_user::text, pg_catalog.current_setting('search_path')`
