package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// transaction works in one, with savepoints, and ends it in one of the ways there are.
func (t *turn) transaction(ctx context.Context) error {
	var tokens []int64
	end := t.rng.IntN(6)
	err := t.sessions.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := t.within(ctx, tx, &tokens, 0); err != nil {
			return err
		}
		switch end {
		case 0:
			return errRefused
		case 1:
			t.settle(refused, tokens...)
			panic(errPanicked)
		case 2: // rows that nobody closes
			rows, err := tx.Query(ctx, `SELECT mark FROM mark, generate_series(1, 100)`)
			if err == nil {
				rows.Next()
			}
			return err
		}
		return nil
	})
	switch {
	case errors.Is(err, errRefused):
		t.settle(refused, tokens...)
		return nil
	case end == 2 && ctx.Err() == nil && !isLost(err):
		t.settle(refused, tokens...)
		if err == nil {
			return errors.New("a transaction with open rows was committed")
		}
		return nil
	}
	t.settle(fateOf(err), tokens...)
	return err
}

// within does a few things in a transaction. What is written and not taken back is added
// to tokens.
func (t *turn) within(ctx context.Context, tx pgx.Tx, tokens *[]int64, depth int) error {
	for range 1 + t.rng.IntN(4) {
		var err error
		switch t.rng.IntN(8) {
		case 0, 1, 2:
			err = t.read(ctx, tx)
		case 3, 4:
			var token int64
			token, err = t.write(ctx, tx)
			*tokens = append(*tokens, token)
		case 5:
			b := &pgx.Batch{}
			*tokens = append(*tokens, t.queue(b)...)
			err = tx.SendBatch(ctx, b).Close()
		case 6:
			token := t.tokens.Add(1)
			*tokens = append(*tokens, token)
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"entry"}, []string{"token", "mark"}, pgx.CopyFromRows([][]any{{token, t.mark}}))
		case 7:
			if depth < 3 {
				err = t.savepoint(ctx, tx, tokens, depth+1)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// savepoint works in one and keeps it, or takes it back after an error or without one.
func (t *turn) savepoint(ctx context.Context, tx pgx.Tx, tokens *[]int64, depth int) error {
	nested, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	var inner []int64
	if err := t.within(ctx, nested, &inner, depth); err != nil {
		return err
	}
	switch t.rng.IntN(3) {
	case 0:
		*tokens = append(*tokens, inner...)
		return nested.Commit(ctx)
	case 1:
		_, err := nested.Exec(ctx, `SELECT 1 / 0`)
		if err := t.refused(err, "22012"); err != nil {
			return err
		}
	}
	t.settle(refused, inner...)
	if err := nested.Rollback(ctx); err != nil {
		return err
	}
	return t.read(ctx, tx)
}

// begin ends a transaction by hand.
func (t *turn) begin(ctx context.Context) error {
	tx, err := t.sessions.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	var tokens []int64
	if err := t.within(ctx, tx, &tokens, 0); err != nil {
		return err
	}
	if t.rng.IntN(3) == 0 {
		t.settle(refused, tokens...)
		return tx.Rollback(ctx)
	}
	err = tx.Commit(ctx)
	t.settle(fateOf(err), tokens...)
	return err
}

// afterTheEnd uses a savepoint of a transaction that has ended, whose connection others
// have by then.
func (t *turn) afterTheEnd(ctx context.Context) error {
	tx, err := t.sessions.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	nested, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.Rollback(ctx); err != nil {
		return err
	}
	for range 3 {
		runtime.Gosched()
		if err := t.read(ctx, nested); !errors.Is(err, pgx.ErrTxClosed) {
			return t.refused(err)
		}
	}
	return nil
}

// anothersSchema names another tenant's, or puts it into the path.
func (t *turn) anothersSchema(ctx context.Context) error {
	qualified := fmt.Sprintf(`SELECT mark FROM %q.mark WHERE id = $1`, t.victim)
	switch t.rng.IntN(4) {
	case 0:
		_, err := t.sessions.Exec(ctx, qualified, 1)
		return t.refused(err, "42501")
	case 1:
		_, err := t.sessions.Exec(ctx, fmt.Sprintf(`INSERT INTO %q.entry VALUES ($1, $2)`, t.victim), t.tokens.Add(1), t.mark)
		return t.refused(err, "42501")
	case 2:
		_, err := t.sessions.CopyFrom(ctx, pgx.Identifier{t.victim, "entry"}, []string{"token", "mark"}, pgx.CopyFromRows([][]any{{t.tokens.Add(1), t.mark}}))
		return t.refused(err, "42501")
	}
	err := t.sessions.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL search_path = %q`, t.victim)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT mark FROM mark`)
		return err
	})
	return t.refused(err, "42501", "42P01") // a path has only schemas that one may use
}

// leave changes the role in a statement that says so.
func (t *turn) leave(ctx context.Context) error {
	statements := []string{`SET ROLE %q`, `RESET ROLE -- %q`, `SET LOCAL ROLE %q`, `DO $do$ BEGIN EXECUTE 'SET ROLE %q'; END $do$`}
	sql := fmt.Sprintf(statements[t.rng.IntN(len(statements))], t.victim)
	token := t.tokens.Add(1)
	t.settle(refused, token)
	var err error
	switch t.rng.IntN(3) {
	case 0:
		_, err = t.sessions.Exec(ctx, sql)
	case 1:
		b := &pgx.Batch{}
		b.Queue(writeSQL, token, t.mark)
		b.Queue(sql)
		err = t.sessions.SendBatch(ctx, b).Close()
	case 2:
		err = t.leaveInTx(ctx, token, sql)
	}
	return t.left(err)
}

// leaveInAFunction changes the role in a statement that looks like any other.
func (t *turn) leaveInAFunction(ctx context.Context) error {
	if t.rng.IntN(2) == 0 {
		_, err := t.sessions.Exec(ctx, `SELECT leave($1)`, t.victim)
		return err // nothing has been seen yet; the connection is poisoned
	}
	token := t.tokens.Add(1)
	t.settle(refused, token)
	return t.left(t.leaveInTx(ctx, token, `SELECT leave($1)`, t.victim))
}

func (t *turn) leaveInTx(ctx context.Context, token int64, sql string, args ...any) error {
	return t.sessions.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, writeSQL, token, t.mark); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}

// left is nil for the error of who has left the tenant.
func (t *turn) left(err error) error {
	if errors.Is(err, tenantdb.ErrLeftTenant) {
		return nil
	}
	return t.refused(err)
}
