package tenantdb_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantwall/tenantwall/tenant"
)

// operations are what the torture does, with their weights.
var operations = []operation{
	{"read", 300, ordinary, func(t *turn, ctx context.Context) error { return t.read(ctx, t.sessions) }},
	{"read many", 60, ordinary, (*turn).readMany},
	{"read half", 60, ordinary, (*turn).readHalf},
	{"write", 150, ordinary, func(t *turn, ctx context.Context) error {
		token, err := t.write(ctx, t.sessions)
		t.settle(fateOf(err), token)
		return err
	}},
	{"batch", 100, ordinary, (*turn).batch},
	{"batch, panic", 5, ordinary, (*turn).batchPanics},
	{"batch, error", 15, ordinary, (*turn).batchFails},
	{"copy", 30, ordinary, (*turn).copyIn},
	{"transaction", 120, ordinary, (*turn).transaction},
	{"begin", 30, ordinary, (*turn).begin},
	{"after the end", 10, ordinary, (*turn).afterTheEnd},
	{"error", 40, ordinary, (*turn).fails},
	{"panic", 10, ordinary, (*turn).panics},
	{"no tenant", 10, ordinary, (*turn).noTenant},
	{"raw borrower", 40, borrowing, (*turn).borrow},
	{"session setting", 6, ordinary, (*turn).setting},
	{"another's schema", 20, needRoles, (*turn).anothersSchema},
	{"SET ROLE", 6, needRoles, (*turn).leave},
	{"hidden SET ROLE", 3, needRoles, (*turn).leaveInAFunction},
	{"kill", 3, violence, (*turn).kill},
}

// poisonedName is the application_name of a connection on which the function leave ran.
const poisonedName = "poisoned"

// querier is a session or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

const (
	readSQL  = `SELECT mark FROM mark WHERE id = $1`
	writeSQL = `INSERT INTO entry (token, mark) VALUES ($1, $2)`
)

func (t *turn) read(ctx context.Context, q querier) error {
	var mark string
	if err := q.QueryRow(ctx, readSQL, 1+t.rng.IntN(tortureMarks)).Scan(&mark); err != nil {
		return err
	}
	t.saw(mark)
	return nil
}

func (t *turn) readMany(ctx context.Context) error {
	rows, err := t.sessions.Query(ctx, `SELECT mark FROM mark`)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var mark string
		if err := rows.Scan(&mark); err != nil {
			return err
		}
		t.saw(mark)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != tortureMarks {
		return fmt.Errorf("%d rows, want %d", n, tortureMarks)
	}
	return nil
}

// readHalf closes rows of which some have not been read, and many have not been sent.
func (t *turn) readHalf(ctx context.Context) error {
	rows, err := t.sessions.Query(ctx, `SELECT mark FROM mark, generate_series(1, $1)`, 100)
	if err != nil {
		return err
	}
	defer rows.Close()
	for range t.rng.IntN(30) {
		if !rows.Next() {
			break
		}
		var mark string
		if err := rows.Scan(&mark); err != nil {
			return err
		}
		t.saw(mark)
	}
	rows.Close()
	return rows.Err()
}

func (t *turn) write(ctx context.Context, q querier) (token int64, err error) {
	token = t.tokens.Add(1)
	if t.rng.IntN(2) == 0 {
		_, err = q.Exec(ctx, writeSQL, token, t.mark)
		return token, err
	}
	var mark string
	err = q.QueryRow(ctx, writeSQL+` RETURNING (SELECT mark FROM mark WHERE id = 1)`, token, t.mark).Scan(&mark)
	if err == nil {
		t.saw(mark)
	}
	return token, err
}

// queue adds reads and writes to a batch.
func (t *turn) queue(b *pgx.Batch) (tokens []int64) {
	for range 1 + t.rng.IntN(5) {
		if t.rng.IntN(2) == 0 {
			token := t.tokens.Add(1)
			b.Queue(writeSQL, token, t.mark)
			tokens = append(tokens, token)
			continue
		}
		b.Queue(readSQL, 1+t.rng.IntN(tortureMarks)).QueryRow(func(row pgx.Row) error {
			var mark string
			err := row.Scan(&mark)
			if err == nil {
				t.saw(mark)
			}
			return err
		})
	}
	return tokens
}

func (t *turn) batch(ctx context.Context) error {
	b := &pgx.Batch{}
	tokens := t.queue(b)
	err := t.sessions.SendBatch(ctx, b).Close()
	t.settle(fateOf(err), tokens...)
	return err
}

// batchPanics has a callback that panics or gives up. What the batch wrote is kept.
func (t *turn) batchPanics(ctx context.Context) error {
	b := &pgx.Batch{}
	giveUp := t.rng.IntN(2) == 0
	t.queue(b)
	b.Queue(`SELECT 1`).Exec(func(pgconn.CommandTag) error {
		if giveUp {
			return errPanicked
		}
		panic(errPanicked)
	})
	t.queue(b)
	return t.sessions.SendBatch(ctx, b).Close()
}

func (t *turn) batchFails(ctx context.Context) error {
	b := &pgx.Batch{}
	tokens := t.queue(b)
	b.Queue(`SELECT 1 / 0`)
	tokens = append(tokens, t.queue(b)...)
	err := t.sessions.SendBatch(ctx, b).Close()
	t.settle(refused, tokens...)
	return t.refused(err, "22012")
}

func (t *turn) copyIn(ctx context.Context) error {
	tokens := []int64{t.tokens.Add(1), t.tokens.Add(1), t.tokens.Add(1)}
	_, err := t.sessions.CopyFrom(ctx, pgx.Identifier{"entry"}, []string{"token", "mark"},
		pgx.CopyFromSlice(len(tokens), func(i int) ([]any, error) { return []any{tokens[i], t.mark}, nil }))
	t.settle(fateOf(err), tokens...)
	return err
}

// fails runs statements that are wrong in themselves.
func (t *turn) fails(ctx context.Context) error {
	statements := []struct {
		sql, code string
		args      []any
	}{
		{`SELECT 1 / (id - id) FROM mark`, "22012", nil},
		{`SELECT * FROM nowhere WHERE id = $1`, "42P01", []any{1}},
		{writeSQL, "23505", []any{0, t.mark}},
		{`SELECT FROM WHERE`, "42601", nil},
	}
	s := statements[t.rng.IntN(len(statements))]
	_, err := t.sessions.Exec(ctx, s.sql, s.args...)
	return t.refused(err, s.code)
}

// panics has an argument that panics, in a statement of its own or in a transaction.
func (t *turn) panics(ctx context.Context) error {
	panicking := panicker(func() { panic(errPanicked) })
	if t.rng.IntN(2) == 0 {
		_, err := t.sessions.Exec(ctx, readSQL, panicking)
		return err
	}
	return t.sessions.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		token, err := t.write(ctx, tx)
		t.settle(refused, token)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, readSQL, panicking)
		return err
	})
}

// panicker is an argument that does something when it is encoded.
type panicker func()

func (p panicker) Int64Value() (v pgtype.Int8, err error) { p(); return v, nil }

func (t *turn) noTenant(ctx context.Context) error {
	_, err := t.sessions.Exec(tenant.NewContext(ctx, tenant.Tenant{}), readSQL, 1)
	if errors.Is(err, tenant.ErrRequired) {
		return nil
	}
	return t.refused(err)
}

// setting runs a statement whose effect would outlast it.
func (t *turn) setting(ctx context.Context) error {
	statements := []string{
		`SET statement_timeout = '9min'`,
		`LISTEN something`,
		`DO $$ BEGIN PERFORM pg_advisory_lock(7); PERFORM pg_advisory_unlock(7); END $$`,
		fmt.Sprintf(`SET search_path = %q`, t.victim),
	}
	sql := statements[t.rng.IntN(len(statements))]
	if t.rng.IntN(2) == 0 {
		_, err := t.sessions.Exec(ctx, sql)
		return err
	}
	return t.sessions.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := t.read(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sql)
		return err
	})
}

// borrow is what somebody sees who takes a connection that tenants have used.
func (t *turn) borrow(ctx context.Context) error {
	lease, err := t.borrowed.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	var user, path, name string
	err = lease.QueryRow(ctx, `SELECT current_user::text, current_setting('search_path'), current_setting('application_name')`, pgx.QueryExecModeExec).Scan(&user, &path, &name)
	if err != nil || name == poisonedName { // known: the next session will find out and close it
		return err
	}
	if user != t.gateway || path != `""` {
		t.cross("a raw borrower is %s and has the path %s", user, path)
	}
	rows, err := lease.Query(ctx, `SELECT mark FROM mark`, pgx.QueryExecModeExec)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	return t.refused(err, "42P01")
}

// kill ends one of the server's processes that tenants work on.
func (t *turn) kill(ctx context.Context) error {
	_, err := t.killer.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = $1 AND datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1`, t.gateway)
	return err
}
