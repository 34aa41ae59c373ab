package tenantdb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ledgerName is the table in which a tenant's schema keeps what was applied there.
const ledgerName = "tenantwall_migration"

// ledger is the record of what was applied to one schema: a tenant's, which is its own, or
// that of a component of the control plane, which shares one with the others.
type ledger struct {
	schema    string // whose names the scripts use
	table     string // as it stands in SQL
	component string // empty for a tenant's
}

func tenantLedger(schema string) ledger {
	return ledger{schema: schema, table: pgx.Identifier{schema, ledgerName}.Sanitize()}
}

func controlLedger(component string) ledger {
	return ledger{schema: ControlSchema, table: pgx.Identifier{ControlSchema, "migration"}.Sanitize(), component: component}
}

// String is what is migrated, for errors.
func (l ledger) String() string {
	if l.component != "" {
		return "component " + l.component
	}
	return "schema " + l.schema
}

// record is what a ledger says of one migration.
type record struct {
	version  int64
	checksum string
}

// The columns have a length so that no row can be long, and PostgreSQL makes no second
// table for long values with each of thousands of ledgers.
const (
	sqlCreateTenantLedger = `
CREATE TABLE %s (
    version     bigint PRIMARY KEY,
    name        varchar(100) NOT NULL,
    checksum    varchar(64) NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    duration    interval NOT NULL,
    fingerprint varchar(80) -- of the layout, in the row that was written last`

	sqlCreateControlLedger = `
CREATE TABLE %s (
    component   varchar(63),
    version     bigint,
    name        varchar(100) NOT NULL,
    checksum    varchar(64) NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    duration    interval NOT NULL,
    PRIMARY KEY (component, version)`

	// sqlLedgerGrants are those other than the owner who have rights on the table $1, as
	// a list of names for REVOKE.
	sqlLedgerGrants = `
SELECT string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, ', ')
  FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
 WHERE c.oid = to_regclass($1) AND a.grantee <> c.relowner`
)

// create makes the table, which belongs to the current user alone: what default privileges
// give a tenant's role on each new table is taken back, or it could rewrite its history.
func (l ledger) create(ctx context.Context, tx pgx.Tx) error {
	sql := sqlCreateTenantLedger
	if l.component != "" {
		sql = sqlCreateControlLedger
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(sql, l.table)+"\n)"); err != nil {
		return err
	}
	var others *string
	if err := tx.QueryRow(ctx, sqlLedgerGrants, pgx.QueryExecModeExec, l.table).Scan(&others); err != nil || others == nil {
		return err
	}
	_, err := tx.Exec(ctx, `REVOKE ALL ON TABLE `+l.table+` FROM `+*others)
	return err
}

// read is what was applied, in the order of the versions.
func (l ledger) read(ctx context.Context, q querier) ([]record, error) {
	sql, args := `SELECT version, checksum FROM `+l.table, []any{pgx.QueryExecModeExec}
	if l.component != "" {
		sql, args = sql+` WHERE component = $1`, append(args, l.component)
	}
	rows, err := q.Query(ctx, sql+` ORDER BY version`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r record, err error) {
		return r, row.Scan(&r.version, &r.checksum)
	})
}

// insert is the statement that records a migration, unless the transaction with the number
// xid is over. It has no parameters, so that it can be one of several statements.
func (l ledger) insert(m migration, took time.Duration, xid string) string {
	columns, values := "", ""
	if l.component != "" {
		columns, values = "component, ", quoteLiteral(l.component)+", "
	}
	return fmt.Sprintf(`INSERT INTO %s (%sversion, name, checksum, duration) `+
		`SELECT %s%d, %s, %s, '%d us' WHERE pg_catalog.pg_current_xact_id()::text = %s`,
		l.table, columns, values, m.version, quoteLiteral(m.name), quoteLiteral(m.checksum), took.Microseconds(), quoteLiteral(xid))
}

// lockKey is the advisory lock of a ledger: the first eight bytes of the SHA-256 of a name,
// as a bigint. Who migrates holds it until the transaction is over, in which everything
// happens; who shares it sees no migration half done. A transaction's lock is safe behind
// a pooler, where a session's is not.
func (l ledger) lockKey() int64 {
	sum := sha256.Sum256([]byte("tenantwall: migrations of " + l.String()))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// surveySize is how many schemas are looked at by one statement. Each needs two of the
// server's locks for its duration, of which there are 64 a connection by default.
const surveySize = 100

// ledgerState is what a survey says of one schema. The zero value is one that does not
// exist.
type ledgerState struct {
	exists      bool   // the schema
	digest      string // what the ledger adds up to; empty without a ledger
	fingerprint string // of the layout when it was last migrated
}

const (
	// sqlLedgers are those of the schemas $1 that exist, and whether each has a ledger.
	sqlLedgers = `
SELECT n.nspname::text, EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relname = '` + ledgerName + `' AND c.relnamespace = n.oid)
  FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1::name[])`

	// sqlLedgerDigests is one part of a UNION ALL: what one ledger adds up to, equal to
	// [Migrations.sum] when all was applied, and its fingerprint. It is one index scan
	// of a small table.
	sqlLedgerDigests = `
SELECT %s, encode(sha256(convert_to(coalesce(string_agg(version || ':' || checksum, E'\n' ORDER BY version), ''), 'UTF8')), 'hex'),
       coalesce(max(fingerprint), '') FROM %s`
)

// survey reads the ledgers of up to surveySize schemas in two statements, without a lock
// that migrations would wait for.
func survey(ctx context.Context, q querier, schemas []string) (map[string]ledgerState, error) {
	states := make(map[string]ledgerState, len(schemas))
	var parts []string
	rows, err := q.Query(ctx, sqlLedgers, pgx.QueryExecModeExec, schemas)
	if err != nil {
		return nil, err
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (schema string, err error) {
		var has bool
		err = row.Scan(&schema, &has)
		states[schema] = ledgerState{exists: true}
		if has {
			parts = append(parts, fmt.Sprintf(sqlLedgerDigests, quoteLiteral(schema), tenantLedger(schema).table))
		}
		return schema, err
	})
	if err != nil || len(parts) == 0 {
		return states, err
	}
	rows, err = q.Query(ctx, strings.Join(parts, ` UNION ALL `), pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (schema string, err error) {
		state := ledgerState{exists: true}
		err = row.Scan(&schema, &state.digest, &state.fingerprint)
		states[schema] = state
		return schema, err
	})
	return states, err
}
