package tenantsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// beside is a tenant's *sql.DB, and pgx's own on the same database.
func beside(t testing.TB, opts ...tenantsql.Option) (ours, theirs *sql.DB) {
	t.Helper()
	w := newWorld(t)
	a := w.tenant()
	w.exec(`CREATE TYPE "` + schema(a) + `".mood AS ENUM ('calm', 'busy')`)
	ours = closing(t, tenantsql.OpenFor(openOn(t, w.pool(2)), a, opts...))
	config := w.owner.Config()
	config.RuntimeParams["search_path"] = schema(a)
	return ours, closing(t, stdlib.OpenDB(*config))
}

// values are expressions of PostgreSQL's types. xid8 is not among them: it is an int64 here,
// as xid is, and a string there.
var values = []string{
	`true`, `false`, `NULL::boolean`,
	`7::smallint`, `-7::integer`, `9223372036854775807::bigint`, `NULL::bigint`,
	`1.1::real`, `1e300::double precision`, `'NaN'::double precision`, `'-infinity'::real`,
	`1.10::numeric(10,2)`, `'NaN'::numeric`, `12345678901234567890.5::numeric`, `1::money`,
	`'text'`, `''::text`, `NULL::text`, `'v'::varchar(20)`, `'b'::char(5)`, `'n'::name`, `'c'::"char"`, `'ü€😀'::text`,
	`'\x00ff10'::bytea`, `''::bytea`, `NULL::bytea`,
	`DATE '2024-02-29'`, `DATE 'infinity'`, `DATE '0044-03-15 BC'`,
	`TIMESTAMP '2024-02-29 12:34:56.789'`, `TIMESTAMP '-infinity'`,
	`TIMESTAMPTZ '2024-02-29 12:34:56.789+02'`, `TIMESTAMPTZ 'infinity'`, `NULL::timestamptz`,
	`TIME '12:34:56.7'`, `TIMETZ '12:34:56+02'`, `INTERVAL '1 month 2 days 3.5 s'`,
	`'{"a": [1, null]}'::json`, `'{"a": 1}'::jsonb`, `'null'::jsonb`, `NULL::jsonb`, `'$.a'::jsonpath`,
	`'<a/>'::xml`,
	`'01890a5d-ac96-774b-bcce-b302099a8057'::uuid`,
	`'10.0.0.1/8'::inet`, `'10.0.0.0/8'::cidr`, `'08:00:2b:01:02:03'::macaddr`,
	`'101'::bit(3)`, `'101'::varbit`, `'101'::varbit(9)`,
	`ARRAY[1,2,NULL]`, `ARRAY['a,b', '"']::text[]`, `'{}'::uuid[]`, `ARRAY[now()] = '{}'`,
	`'[1,5)'::int4range`, `'{[1,5)}'::int4multirange`, `'["2024-01-01","2024-01-02")'::tstzrange`,
	`ROW(1, 'a')`, `'(1,2)'::point`, `'((0,0),(1,1))'::box`, `'{1,2,3}'::line`, `'<(0,0),1>'::circle`,
	`'a & b'::tsquery`, `'a b'::tsvector`,
	`42::oid`, `'7'::xid`, `'8'::cid`, `'(1,2)'::tid`, `'1/2'::pg_lsn`, `'pg_class'::regclass`,
	`'busy'::mood`, `ARRAY['busy'::mood]`, `NULL`, // which pgx was not told of
}

func TestValuesAreThoseOfPgxStdlib(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]tenantsql.Option{
		"described": nil,
		"as text":   {tenantsql.WithExecMode(pgx.QueryExecModeExec)},
	} {
		ours, theirs := beside(t, opts...)
		for _, expression := range values {
			query := `SELECT ` + expression
			var got, want any
			require.NoError(t, theirs.QueryRowContext(t.Context(), query).Scan(&want), query)
			require.NoError(t, ours.QueryRowContext(t.Context(), query).Scan(&got), query)
			if wantTime, ok := want.(time.Time); ok {
				assert.True(t, wantTime.Equal(got.(time.Time)), "%s, %s: %v, not %v", query, name, got, want)
				continue
			}
			if wantFloat, ok := want.(float64); ok && math.IsNaN(wantFloat) {
				assert.True(t, math.IsNaN(got.(float64)), query)
				continue
			}
			assert.Equal(t, want, got, "%s, %s", query, name)
		}
	}
}

func TestAKnownTimeIsInTheLocationOfPgxStdlib(t *testing.T) {
	t.Parallel()
	ours, theirs := beside(t)
	for _, query := range []string{`SELECT TIMESTAMPTZ '2024-02-29 12:34:56+02'`, `SELECT TIMESTAMP '2024-02-29 12:34:56'`, `SELECT DATE '2024-02-29'`} {
		var got, want time.Time
		require.NoError(t, theirs.QueryRowContext(t.Context(), query).Scan(&want))
		require.NoError(t, ours.QueryRowContext(t.Context(), query).Scan(&got))
		assert.Equal(t, want, got, query)
	}
}

func TestScansAreThoseOfPgxStdlib(t *testing.T) {
	t.Parallel()
	ours, theirs := beside(t)
	for _, c := range []struct {
		query string
		dest  any
	}{
		{`SELECT 7::smallint`, new(int)},
		{`SELECT 300`, new(uint8)}, // out of range
		{`SELECT 7`, new(string)},
		{`SELECT '7'`, new(int)},
		{`SELECT 'x'`, new(int)}, // not a number
		{`SELECT 1.5::real`, new(float32)},
		{`SELECT 1.25::numeric`, new(float64)},
		{`SELECT NULL::text`, new(sql.NullString)},
		{`SELECT NULL::int`, new(*int)},
		{`SELECT NULL::int`, new(int)}, // NULL into what has none
		{`SELECT 'x'`, new(sql.Null[string])},
		{`SELECT true`, new(bool)},
		{`SELECT 1`, new(bool)},
		{`SELECT '\x0102'::bytea`, new([]byte)},
		{`SELECT '\x0102'::bytea`, new(string)},
		{`SELECT '{"a":1}'::jsonb`, new([]byte)},
		{`SELECT '{"a":1}'::jsonb`, new(string)},
		{`SELECT TIMESTAMPTZ '2024-01-01 00:00:00Z'`, new(time.Time)},
		{`SELECT TIMESTAMPTZ '2024-01-01 00:00:00Z'`, new(sql.NullTime)},
		{`SELECT DATE 'infinity'`, new(time.Time)}, // which no time.Time is
		{`SELECT '01890a5d-ac96-774b-bcce-b302099a8057'::uuid`, new(tenant.ID)},
		{`SELECT ARRAY[1,2]`, new(string)},
		{`SELECT INTERVAL '1 day'`, new(pgtype.Interval)},
		{`SELECT 1.25::numeric`, new(pgtype.Numeric)},
		{`SELECT now(), 1`, new(time.Time)}, // two columns
	} {
		got, want := reflect.New(reflect.TypeOf(c.dest).Elem()), reflect.New(reflect.TypeOf(c.dest).Elem())
		gotErr := ours.QueryRowContext(t.Context(), c.query).Scan(got.Interface())
		wantErr := theirs.QueryRowContext(t.Context(), c.query).Scan(want.Interface())
		if wantErr == nil {
			require.NoError(t, gotErr, "%s into %T", c.query, c.dest)
		} else {
			require.EqualError(t, gotErr, wantErr.Error(), "%s into %T", c.query, c.dest)
		}
		assert.Equal(t, want.Elem().Interface(), got.Elem().Interface(), "%s into %T", c.query, c.dest)
	}
}

func TestArgumentsAreThoseOfPgxStdlib(t *testing.T) {
	t.Parallel()
	ours, theirs := beside(t)
	id := tenant.NewID()
	for _, c := range []struct {
		query string
		args  []any
	}{
		{`SELECT $1::text, $2::int, $3::bool`, []any{"a", 7, true}},
		{`SELECT $1::text, $2::int`, []any{nil, sql.NullInt32{}}},
		{`SELECT $1::bytea`, []any{[]byte{0, 1}}},
		{`SELECT $1::bytea`, []any{[]byte(nil)}},
		{`SELECT $1::timestamptz`, []any{time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)}},
		{`SELECT $1::uuid`, []any{id}}, // a driver.Valuer
		{`SELECT $1::uuid`, []any{[16]byte(id)}},
		{`SELECT $1::int[]`, []any{[]int{1, 2}}}, // of pgx, not of database/sql
		{`SELECT $1::jsonb`, []any{map[string]any{"a": 1}}},
		{`SELECT $1::numeric`, []any{pgtype.Numeric{}}},
		{`SELECT $1::bigint`, []any{uint64(1 << 63)}}, // too large
		{`SELECT $1::int`, []any{"x"}},
		{`SELECT $1::int`, []any{struct{}{}}},
		{`SELECT @a::int`, []any{pgx.NamedArgs{"a": 7}}},
		{`SELECT $1::int`, []any{pgx.QueryResultFormats{pgx.TextFormatCode}, 7}},
	} {
		got, gotErr := row(t.Context(), ours, c.query, c.args...)
		want, wantErr := row(t.Context(), theirs, c.query, c.args...)
		if wantErr == nil {
			require.NoError(t, gotErr, c.query)
		} else {
			require.EqualError(t, gotErr, wantErr.Error(), c.query)
		}
		assert.Equal(t, want, got, c.query)
	}
	_, err := row(t.Context(), ours, `SELECT $1::int`)
	require.ErrorContains(t, err, "expected 1 arguments, got 0")
	_, err = ours.ExecContext(t.Context(), `SELECT @a::int`, sql.Named("a", 1))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "pgx.NamedArgs as the only argument brings @a")
}

// row is one row of any columns.
func row(ctx context.Context, db *sql.DB, query string, args ...any) ([]any, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	found := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range found {
		dest[i] = &found[i]
	}
	rows.Next()
	return found, errors.Join(rows.Scan(dest...), rows.Err())
}

func TestColumnTypesAreThoseOfPgxStdlib(t *testing.T) {
	t.Parallel()
	ours, theirs := beside(t)
	for _, expression := range values {
		for _, where := range []string{``, ` WHERE false`} { // also of a result without rows
			query := `SELECT ` + expression + ` AS "the Name"` + where
			got, want := columnType(t, ours, query), columnType(t, theirs, query)
			assert.Equal(t, want.Name(), got.Name(), query)
			assert.Equal(t, want.DatabaseTypeName(), got.DatabaseTypeName(), query)
			assert.Equal(t, want.ScanType(), got.ScanType(), query)
			if strings.Contains(expression, "(") { // see below for types without a modifier
				gotLength, gotOK := got.Length()
				wantLength, wantOK := want.Length()
				assert.Equal(t, []any{wantLength, wantOK}, []any{gotLength, gotOK}, query)
			}
		}
	}
	for _, c := range []struct {
		expression       string
		length           int64
		precision, scale int64
	}{
		{expression: `'x'::varchar(20)`, length: 20},
		{expression: `'x'::char(5)`, length: 5},
		{expression: `'1'::varbit(9)`, length: 9},
		{expression: `'x'::varchar`, length: 1<<63 - 1},
		{expression: `'1'::varbit`, length: 1<<63 - 1},
		{expression: `'x'::text`, length: 1<<63 - 1},
		{expression: `1::numeric(10,2)`, precision: 10, scale: 2},
		{expression: `0::numeric(1000,1000)`, precision: 1000, scale: 1000},
		{expression: `1::numeric(3,-2)`, precision: 3, scale: -2},
		{expression: `1::numeric`},
		{expression: `1`},
	} {
		got := columnType(t, ours, `SELECT `+c.expression)
		length, ok := got.Length()
		assert.Equal(t, c.length, length, c.expression)
		assert.Equal(t, c.length != 0, ok, c.expression)
		precision, scale, ok := got.DecimalSize()
		assert.Equal(t, []int64{c.precision, c.scale}, []int64{precision, scale}, c.expression)
		assert.Equal(t, c.precision != 0, ok, c.expression)
	}
}

func columnType(t testing.TB, db *sql.DB, query string) *sql.ColumnType {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err, query)
	defer rows.Close()
	types, err := rows.ColumnTypes()
	require.NoError(t, err, query)
	require.NoError(t, rows.Err(), query)
	require.Len(t, types, 1, query)
	return types[0]
}

// The connection is another statement's by the time the columns are asked for.
func TestColumnsOfAResultWithoutRowsStayItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := closing(t, tenantsql.Open(openOn(t, w.pool(1))))
	none, err := db.QueryContext(as(t, a), `SELECT id AS of_a FROM note WHERE false`)
	require.NoError(t, err)
	defer none.Close()
	_, err = row(as(t, b), db, `SELECT body AS of_b, 1 FROM note`)
	require.NoError(t, err)
	types, err := none.ColumnTypes()
	require.NoError(t, err)
	require.Len(t, types, 1)
	assert.Equal(t, "of_a", types[0].Name())
	assert.Equal(t, "INT8", types[0].DatabaseTypeName())
	assert.False(t, none.Next())
	require.NoError(t, none.Err())
}

// RawBytes are good until the next row. Whoever keeps them for longer may see anything, but
// not another tenant's rows.
func TestRawBytesKeptForTooLongNeverShowAnotherTenantsRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := closing(t, tenantsql.Open(openOn(t, w.pool(1))))
	for _, expression := range []string{`body::bytea`, `to_jsonb(body)`, `body`} {
		query := `SELECT ` + expression + ` FROM note WHERE id = $1`
		kept := map[string]sql.RawBytes{}
		for range 3 {
			for _, who := range []tenant.Tenant{a, b} {
				rows, err := db.QueryContext(as(t, who), query, 1)
				require.NoError(t, err)
				require.True(t, rows.Next())
				var raw sql.RawBytes
				require.NoError(t, rows.Scan(&raw))
				require.NoError(t, rows.Close())
				require.NoError(t, rows.Err())
				for owner, bytes := range kept {
					assert.NotContains(t, string(bytes), schema(otherOf(owner, a, b)), "%s: what %s kept", expression, owner)
				}
				kept[schema(who)] = raw
			}
		}
	}
}

func otherOf(owner string, a, b tenant.Tenant) tenant.Tenant {
	if owner == schema(a) {
		return b
	}
	return a
}

func TestAStatementThatFailsAsItRunsFailsTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	pool := w.pool(1)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), a))
	for code, query := range map[string]string{
		"22012": `SELECT 1 / (id - 1) FROM note`,
		"23505": `INSERT INTO note (id, body) OVERRIDING SYSTEM VALUE VALUES (1, 'x') RETURNING id`,
		"42P01": `SELECT * FROM nowhere`,
		"42601": `SELEC`,
	} {
		rows, err := db.QueryContext(t.Context(), query)
		assertCode(t, code, err)
		assert.Nil(t, rows)
		_, err = db.ExecContext(t.Context(), query)
		assertCode(t, code, err)
	}
	rows, err := db.QueryContext(t.Context(), `SELECT 1 / (3 - n) FROM generate_series(1, 5) n`)
	require.NoError(t, err)
	n := 0
	for rows.Next() {
		n++
	}
	assert.Equal(t, 2, n)
	assertCode(t, "22012", rows.Err())
	require.NoError(t, rows.Close())
	assertNoneHeld(t, pool)
}

func TestResults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := closing(t, tenantsql.OpenFor(openOn(t, w.pool(1)), w.tenant()))
	result, err := db.ExecContext(t.Context(), `INSERT INTO note (body) SELECT $1 FROM generate_series(1, 3)`, "x")
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
	_, err = result.LastInsertId()
	require.ErrorContains(t, err, "not supported")
	var id int64
	require.NoError(t, db.QueryRowContext(t.Context(), `INSERT INTO note (body) VALUES ($1) RETURNING id`, "y").Scan(&id))
	assert.EqualValues(t, 5, id)
	require.ErrorIs(t, db.QueryRowContext(t.Context(), `SELECT id FROM note WHERE false`).Scan(&id), sql.ErrNoRows)
}

// unreadable is a codec that can't read what it gets.
type unreadable struct{ pgtype.TextCodec }

func (unreadable) DecodeDatabaseSQLValue(*pgtype.Map, uint32, int16, []byte) (driver.Value, error) {
	return nil, errors.New("unreadable")
}

func TestAValueThatCannotBeReadEndsTheRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	pool := w.pool(1)
	config := pool.Config()
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "text", OID: pgtype.TextOID, Codec: unreadable{}})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db := closing(t, tenantsql.OpenFor(openOn(t, pool), a))
	_, err = row(t.Context(), db, `SELECT body FROM note`)
	require.ErrorContains(t, err, `tenantsql: column "body": unreadable`)
	assertNoneHeld(t, pool)
}

// note is what libraries on top of database/sql fill by the names of its columns.
type note struct {
	ID      int64           `db:"id"`
	Body    string          `db:"body"`
	Starred sql.Null[bool]  `db:"starred"`
	Tags    []byte          `db:"tags"`
	Author  tenant.ID       `db:"author"`
	Created time.Time       `db:"created"`
	Edited  *time.Time      `db:"edited"`
	Score   sql.NullFloat64 `db:"score"`
}

func TestStructsAreFilledByTheNamesOfColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := closing(t, tenantsql.OpenFor(openOn(t, w.pool(1)), w.tenant()))
	author := tenant.NewID()
	rows, err := db.QueryContext(t.Context(), `
		SELECT id, body, true AS starred, '["a"]'::jsonb AS tags, $1::uuid AS author,
			TIMESTAMPTZ '2024-01-02 03:04:05Z' AS created, NULL::timestamptz AS edited, 1.5::numeric AS score
		FROM (VALUES (1, 'one'), (2, 'two')) v (id, body) ORDER BY id`, author)
	require.NoError(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	var notes []note
	for rows.Next() {
		var n note
		fields := map[string]any{}
		for i := range reflect.TypeFor[note]().NumField() {
			fields[reflect.TypeFor[note]().Field(i).Tag.Get("db")] = reflect.ValueOf(&n).Elem().Field(i).Addr().Interface()
		}
		dest := make([]any, len(names))
		for i, name := range names {
			dest[i] = fields[name]
		}
		require.NoError(t, rows.Scan(dest...))
		notes = append(notes, n)
	}
	require.NoError(t, rows.Err())
	require.Len(t, notes, 2)
	assert.Equal(t, note{
		ID: 2, Body: "two", Starred: sql.Null[bool]{V: true, Valid: true}, Tags: []byte(`["a"]`), Author: author,
		Created: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC).Local(), Score: sql.NullFloat64{Float64: 1.5, Valid: true},
	}, notes[1])
}
