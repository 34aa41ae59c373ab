package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// Ledger knows plans, what single tenants have besides, how much was used, and how many may
// join. Make one with [Open]. It may be used by several goroutines at once, several
// processes may each have one, and it is to be closed.
type Ledger struct {
	pool    *pgxpool.Pool
	cfg     Config
	cache   cache
	pending pending

	quit  context.CancelFunc // ends the goroutine that writes
	ended chan struct{}      // closed when it has
}

var (
	_ quota.Plans         = (*Ledger)(nil)
	_ quota.UnitsSource   = (*Ledger)(nil)
	_ quota.UnitsRecorder = (*Ledger)(nil)
)

// Close ends the goroutine that writes used units, and writes what is left. Close the limiter
// before, whose uses these are: what is recorded later is lost, and told. It ends with ctx at
// the latest, and each of two batches after [Config.FlushTimeout]. The error is an
// [*UnwrittenError], with all uses that are not written. Those that the database does not
// refuse are kept, so Close may be called again, which tries to write them.
func (l *Ledger) Close(ctx context.Context) error {
	l.quit()
	l.pending.close()
	select {
	case <-l.ended:
	case <-ctx.Done(): // what it does ends soon, too
	}
	refused, err := l.flush(ctx)
	switch {
	case err == nil && refused == nil:
		return nil
	case err == nil:
		return refused
	}
	left := &UnwrittenError{Uses: l.pending.left(), Err: err}
	if refused != nil {
		left.Uses, left.Err = append(left.Uses, refused.Uses...), errors.Join(err, refused.Err)
	}
	return left
}

// Forget removes what is kept of a tenant, in a transaction of the caller's on a connection
// of the control role. It is made for [tenantdb.CatalogConfig.OnPurge], and asks nobody: the
// tenant is to be gone already, and what it has used to be paid.
func Forget(ctx context.Context, tx pgx.Tx, in tenant.ID) error {
	if _, err := tx.Exec(ctx, sqlForget, in); err != nil {
		return fmt.Errorf("ledger: forget the quotas of a tenant: %w", err)
	}
	return nil
}

// inTx runs fn in a transaction that sees what the one before it has committed, whatever the
// server's default isolation is.
func (l *Ledger) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, l.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, fn)
}

// now is the time for what is stored, in the precision that it is stored with.
func (l *Ledger) now() time.Time { return l.cfg.Now().UTC().Truncate(time.Microsecond) }
