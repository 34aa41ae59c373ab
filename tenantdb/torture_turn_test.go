package tenantdb_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/tenant"
)

// turn is one operation of one goroutine for one tenant.
type turn struct {
	*torture
	rng    *rand.Rand
	who    tenant.Tenant
	mark   string // the tenant's
	victim string // the mark of another one
}

// operation is a way to use a session. Its error is nil when what happened is what should
// have, also when that is a refusal.
type operation struct {
	name   string
	weight int
	kind   kind
	run    func(t *turn, ctx context.Context) error
}

// kind says what an operation is about.
type kind uint8

const (
	ordinary  kind = 1 << iota // work
	needRoles                  // an attempt that only roles can stop
	violence                   // against the server
	borrowing                  // a look at the connections behind the sessions

	everything = ordinary | needRoles | violence | borrowing
)

// errPanicked is the error of an operation that has panicked, as it was meant to.
var errPanicked = errors.New("panicked")

// turn does one operation, chosen at random, and takes down how it ended.
func (x *torture) turn(ctx context.Context, rng *rand.Rand) {
	n := rng.IntN(len(x.tenants))
	t := &turn{torture: x, rng: rng, who: x.tenants[n]}
	t.mark = x.schema(t.who)
	t.victim = x.schema(x.tenants[(n+1+rng.IntN(len(x.tenants)-1))%len(x.tenants)])
	op := x.choose(rng)
	ctx, cancel := context.WithCancel(tenant.NewContext(ctx, t.who))
	defer cancel() // after the operation
	switch rng.IntN(40) {
	case 0:
		cancel() // before it
	case 1, 2:
		stop := time.AfterFunc(time.Duration(rng.IntN(5_000))*time.Microsecond, cancel)
		defer stop.Stop()
	}
	x.counts.add(op.name, t.outcome(ctx, op.name, func() error { return op.run(t, ctx) }))
}

func (x *torture) choose(rng *rand.Rand) *operation {
	for {
		n := rng.IntN(totalWeight())
		for i := range operations {
			op := &operations[i]
			if n -= op.weight; n < 0 {
				if x.kinds&op.kind != 0 {
					return op
				}
				break
			}
		}
	}
}

func totalWeight() (sum int) {
	for i := range operations {
		sum += operations[i].weight
	}
	return sum
}

// outcome runs an operation and says how it ended.
func (t *turn) outcome(ctx context.Context, name string, run func() error) outcome {
	err := recovered(run)
	switch {
	case err == nil:
		return fine
	case errors.Is(err, errPanicked):
		return panicked
	case ctx.Err() != nil:
		return cancelled
	case isLost(err):
		return lost
	}
	t.counts.problem("%s: %v", name, err)
	return failed
}

// recovered is run's error, and errPanicked for the panics that are meant.
func recovered(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errPanicked { //nolint:errorlint // the very value
				panic(p)
			}
			err = errPanicked
		}
	}()
	return run()
}

// isLost reports whether an error comes from a killed process of the server's.
func isLost(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pgErr.Code, "57P") || strings.Contains(pgErr.Message, "server conn crashed") // PgBouncer's words
	}
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return strings.Contains(err.Error(), "conn closed")
}

// saw takes down a row that was read.
func (t *turn) saw(mark string) {
	t.counts.rows.Add(1)
	if mark != t.mark {
		t.cross("%s has read a row of %s", t.mark, mark)
	}
}

// refused is nil for an error with one of the codes. No error at all is a crossing.
func (t *turn) refused(err error, codes ...string) error {
	if err == nil {
		t.cross("%s was not refused with %v", t.mark, codes)
		return nil
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && slices.Contains(codes, pgErr.Code) {
		return nil
	}
	return err
}
