package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/quota"
)

// UnwrittenError is that used units are not in the database: those that [Ledger.Close] could
// not write, of which a part may be there when it was sent and the answer was lost; or those
// that the database refuses. They are told to nobody else, so whoever gets the error writes
// Uses down for the bill.
type UnwrittenError struct {
	Uses []quota.UnitsUse // one for each tenant, name and period, in the order of these
	Err  error            // why, of the last of them
}

// Error tells how much it is, and why.
func (e *UnwrittenError) Error() string {
	var units int64
	for _, use := range e.Uses {
		units += use.N
	}
	return fmt.Sprintf("ledger: %d units in %d uses are not written: %v", units, len(e.Uses), e.Err)
}

// Unwrap is why.
func (e *UnwrittenError) Unwrap() error { return e.Err }

// usesOf are the uses of batches, in the order in which rows are taken.
func usesOf(batches ...*batch) []quota.UnitsUse {
	sum := make(map[useKey]int64)
	for _, b := range batches {
		for key, n := range b.used {
			sum[key] += n
		}
	}
	uses := make([]quota.UnitsUse, 0, len(sum))
	for key, n := range sum {
		uses = append(uses, quota.UnitsUse{Tenant: key.tenant, Name: key.name, Period: key.period, N: n})
	}
	slices.SortFunc(uses, func(a, b quota.UnitsUse) int {
		return cmp.Or(bytes.Compare(a.Tenant[:], b.Tenant[:]), a.Period.End.Compare(b.Period.End), a.Period.Start.Compare(b.Period.Start), strings.Compare(a.Name, b.Name))
	})
	return uses
}

// checkUse says why a use could never be written: no limit has such a name, or no month
// such ends.
func checkUse(use quota.UnitsUse) error {
	if err := quota.CheckName(use.Name); err != nil {
		return err
	}
	if p := use.Period; !p.Start.Before(p.End) || p.Start.Year() < 1 || p.End.Year() > 9999 {
		return fmt.Errorf("no period is %s", p)
	}
	return nil
}

// isRefusal reports whether the database says that it is the rows that it can't take, so
// that they are in vain the next time too. By its class the error is of data, of a
// constraint, or of a limit of the program (PostgreSQL documentation, appendix A).
func isRefusal(err error) bool {
	told, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(told.Code) != 5 {
		return false
	}
	switch told.Code[:2] {
	case "22", "23", "54":
		return true
	}
	return false
}

// writeApart writes a batch of which the database refuses a part. That is found by halves,
// and the others are written without it, in the one transaction that says that the batch is
// there.
func (l *Ledger) writeApart(ctx context.Context, b *batch) error {
	return l.inTx(ctx, func(tx pgx.Tx) error {
		var added int
		if err := tx.QueryRow(ctx, sqlWrite, l.columns(nil, b)...).Scan(&added); err != nil || added == 0 {
			return err // it was written before
		}
		var refused UnwrittenError
		if err := addApart(ctx, tx, usesOf(b), &refused); err != nil {
			return err
		}
		b.refused = nil
		if len(refused.Uses) > 0 {
			b.refused = &refused // before it is committed, the answer to which may be lost
		}
		return nil
	})
}

// addApart adds uses, all but those that are refused alone. It costs a trip for each half.
func addApart(ctx context.Context, tx pgx.Tx, uses []quota.UnitsUse, refused *UnwrittenError) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlAdd, columnsOf(uses)...)
		return err
	})
	switch {
	case err == nil || !isRefusal(err):
		return err
	case len(uses) == 1:
		refused.Uses = append(refused.Uses, uses[0])
		refused.Err = err
		return nil
	}
	half := len(uses) / 2
	if err := addApart(ctx, tx, uses[:half], refused); err != nil {
		return err
	}
	return addApart(ctx, tx, uses[half:], refused)
}

// columnsOf are uses as the database takes them, a column each.
func columnsOf(uses []quota.UnitsUse) []any {
	tenants, names := make([]string, len(uses)), make([]string, len(uses))
	starts, ends := make([]time.Time, len(uses)), make([]time.Time, len(uses))
	used := make([]int64, len(uses))
	for i, use := range uses {
		tenants[i], names[i] = use.Tenant.String(), use.Name
		starts[i], ends[i] = use.Period.Start, use.Period.End
		used[i] = use.N
	}
	return []any{tenants, names, starts, ends, used}
}

// columns are uses and the batch that they are of.
func (l *Ledger) columns(uses []quota.UnitsUse, b *batch) []any {
	return append(columnsOf(uses), l.pending.writer, b.number, l.now())
}
