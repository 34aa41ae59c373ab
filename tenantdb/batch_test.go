package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// transcript is what a caller sees of a batch.
type transcript []string

func (l *transcript) add(what string, values ...any) {
	for i, v := range values {
		if err, ok := v.(error); ok {
			values[i] = errorText(err)
		}
	}
	*l = append(*l, fmt.Sprintf("%s: %v", what, values))
}

// errorText is what is to be the same of pgx's errors and ours.
func errorText(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	known := []string{pgx.ErrNoRows.Error(), errRefused.Error(), "batch already closed", "no more results in batch"}
	if slices.Contains(known, err.Error()) {
		return err.Error()
	}
	return "an error of the client's"
}

func (l *transcript) exec(br pgx.BatchResults) {
	tag, err := br.Exec()
	l.add("Exec", tag.String(), err)
}

// query reads up to n rows, and closes them if it is told to.
func (l *transcript) query(br pgx.BatchResults, n int, closing bool) {
	rows, err := br.Query()
	l.add("Query", err)
	for range n {
		if !rows.Next() {
			break
		}
		values, err := rows.Values()
		l.add("row", values, err)
	}
	if closing {
		rows.Close()
		l.add("rows", rows.CommandTag().String(), rows.Err())
	}
}

func (l *transcript) row(br pgx.BatchResults) {
	var n int
	err := br.QueryRow().Scan(&n)
	l.add("QueryRow", n, err)
}

func (l *transcript) end(br pgx.BatchResults) {
	l.add("Close", br.Close())
}

const (
	itemInsert = `INSERT INTO item VALUES ($1, $2)`
	itemSelect = `SELECT v FROM item WHERE id <= $1 ORDER BY id`
	itemError  = `SELECT v / (v - v) FROM item`
	itemLater  = `SELECT 1 / (3 - id) FROM item ORDER BY id`
)

// batches are what is asked, and how the results are read.
var batches = map[string]struct {
	queue func(b *pgx.Batch, l *transcript)
	read  func(br pgx.BatchResults, l *transcript)
}{
	"in order, and past the end": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemInsert, 11, 1)
			b.Queue(itemSelect, 3)
			b.Queue(itemSelect, 2)
			b.Queue(`UPDATE item SET v = v + 1`)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.exec(br)
			l.query(br, 10, true)
			l.row(br)
			l.exec(br)
			l.exec(br)
			l.query(br, 1, true)
			l.row(br)
			l.end(br)
			l.end(br)
		},
	},
	"rows left open": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemSelect, 9)
			b.Queue(itemSelect, 9)
			b.Queue(itemSelect, 9)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.query(br, 2, false)
			l.row(br)
			l.query(br, 1, false)
			l.end(br)
		},
	},
	"no rows": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemSelect, 0)
			b.Queue(itemSelect, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.row(br)
			l.row(br)
			l.end(br)
		},
	},
	"an error in the middle": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemInsert, 11, 1)
			b.Queue(itemError)
			b.Queue(itemSelect, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.exec(br)
			l.exec(br)
			l.exec(br)
			l.query(br, 1, true)
			l.row(br)
			l.end(br)
			l.end(br)
		},
	},
	"an error that Query meets": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemError)
			b.Queue(itemSelect, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.query(br, 1, true)
			l.row(br)
			l.end(br)
		},
	},
	"an error behind some rows": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemLater)
			b.Queue(itemSelect, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.query(br, 10, true)
			l.query(br, 10, true)
			l.end(br)
		},
	},
	"an error behind rows that nobody has read": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemLater)
			b.Queue(itemSelect, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.query(br, 1, false)
			l.end(br)
		},
	},
	"an error that nobody has read": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemInsert, 11, 1)
			b.Queue(itemError)
		},
		func(br pgx.BatchResults, l *transcript) { l.end(br) },
	},
	"an error that comes with the end": {
		func(b *pgx.Batch, _ *transcript) { b.Queue(`INSERT INTO once VALUES (1), (1)`) },
		func(br pgx.BatchResults, l *transcript) {
			l.exec(br)
			l.end(br)
			l.end(br)
		},
	},
	"a statement that is wrong": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemInsert, 11, 1)
			b.Queue(`SELECT * FROM nowhere WHERE id = $1`, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.exec(br)
			l.row(br)
			l.end(br)
		},
	},
	"too few arguments": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(itemInsert, 11, 1)
			b.Queue(itemSelect)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.exec(br)
			l.end(br)
		},
	},
	"a value that can't be scanned": {
		func(b *pgx.Batch, _ *transcript) {
			b.Queue(`SELECT 'x'`)
			b.Queue(itemSelect, 1)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.row(br)
			l.row(br)
			l.end(br)
		},
	},
	"none": {
		func(*pgx.Batch, *transcript) {},
		func(br pgx.BatchResults, l *transcript) {
			l.exec(br)
			l.query(br, 1, true)
			l.row(br)
			l.end(br)
			l.end(br)
		},
	},
	"read after Close": {
		func(b *pgx.Batch, _ *transcript) { b.Queue(itemSelect, 1) },
		func(br pgx.BatchResults, l *transcript) {
			l.end(br)
			l.exec(br)
			l.query(br, 1, true)
			l.row(br)
			l.end(br)
		},
	},
	"callbacks": {
		func(b *pgx.Batch, l *transcript) {
			b.Queue(itemInsert, 11, 1).Exec(func(tag pgconn.CommandTag) error { l.add("exec", tag.String()); return nil })
			b.Queue(itemSelect, 3).Query(func(rows pgx.Rows) error {
				list, err := pgx.CollectRows(rows, pgx.RowTo[int])
				l.add("query", list, err)
				return err
			})
			b.Queue(itemSelect, 0).QueryRow(func(row pgx.Row) error {
				l.add("row", row.Scan(new(int)))
				return nil // which is no error of the batch's
			})
			b.Queue(itemSelect, 3).Query(func(pgx.Rows) error { return nil })
			b.Queue(itemSelect, 3)
		},
		func(br pgx.BatchResults, l *transcript) {
			l.end(br)
			l.end(br)
		},
	},
	"a callback that gives up": {
		func(b *pgx.Batch, l *transcript) {
			b.Queue(itemInsert, 11, 1).Exec(func(pgconn.CommandTag) error { return errRefused })
			b.Queue(itemInsert, 12, 1).Exec(func(pgconn.CommandTag) error { l.add("called"); return nil })
		},
		func(br pgx.BatchResults, l *transcript) {
			l.end(br)
			l.end(br)
		},
	},
	"a callback of what failed": {
		func(b *pgx.Batch, l *transcript) {
			b.Queue(itemError).Query(func(rows pgx.Rows) error { l.add("called", rows.Err()); return errRefused })
			b.Queue(itemSelect, 1).QueryRow(func(pgx.Row) error { l.add("called"); return nil })
		},
		func(br pgx.BatchResults, l *transcript) {
			l.end(br)
			l.end(br)
		},
	},
	"callbacks for what was not read by hand": {
		func(b *pgx.Batch, l *transcript) {
			for i := range 3 {
				b.Queue(itemSelect, 1).QueryRow(func(pgx.Row) error { l.add("called", i); return nil })
			}
		},
		func(br pgx.BatchResults, l *transcript) {
			l.row(br)
			l.end(br)
		},
	},
}

// The same batch is sent by pgx and by us, and must look the same to its caller.
func TestABatchReadsAsWithPgx(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := w.tenant()
	schema := w.schema(who)
	w.exec(fmt.Sprintf(`SET search_path = %[1]q;
		CREATE TABLE item (id int, v int); CREATE TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
		GRANT ALL ON item, once TO %[1]q`, schema))
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	const fill = `DELETE FROM item; DELETE FROM once; INSERT INTO item SELECT i, 10 * i FROM generate_series(1, 9) i`
	ctx := as(t, who)
	play := func(send func(context.Context, *pgx.Batch) pgx.BatchResults, name string) (l transcript) {
		w.exec(fill)
		b := &pgx.Batch{}
		batches[name].queue(b, &l)
		batches[name].read(send(ctx, b), &l)
		var count, sum int
		require.NoError(t, w.owner.QueryRow(ctx, `SELECT count(*), sum(v) FROM item`).Scan(&count, &sum))
		l.add("in the end", count, sum)
		return l
	}
	before := backend(t, pool)
	for range 2 { // of new statements, and of known ones
		for name := range batches {
			// pgx's connection does not survive all of them, and knows none of the statements.
			conn, err := pgx.Connect(ctx, w.url)
			require.NoError(t, err)
			_, err = conn.Exec(ctx, fmt.Sprintf(`SET search_path = %q`, schema))
			require.NoError(t, err)
			assert.Equal(t, play(conn.SendBatch, name), play(db.SendBatch, name), name)
			require.NoError(t, conn.Close(ctx))
			assert.Equal(t, before, backend(t, pool), "%s: the connection is the same one", name)
		}
	}
}
