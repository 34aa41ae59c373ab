package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// DefaultLockTimeout is how long a statement of a migration waits for a lock that a
// tenant's session holds, while all that come after it wait behind it.
const DefaultLockTimeout = 5 * time.Second

// applyOptions say how the migrations of one schema are applied. The zero value has the
// defaults.
type applyOptions struct {
	lockTimeout  time.Duration // 0 means DefaultLockTimeout
	allowUnknown bool          // migrations that were applied and are not in the set
}

// apply brings one tenant's schema up to date within tx, and returns the versions that it
// applied. The ledger says which those are: all that are in the set and not in it, in the
// order of their versions, so that one which came late, with a version between others, is
// applied too. The error is a [*LedgerError] when the ledger has others, a
// [*MigrationFileError] when a file failed; after any error tx is to be rolled back.
//
// tx is a transaction of level READ COMMITTED, begun by the role that owns the schema. It
// first takes the schema's migration lock, waiting as long as ctx allows, and keeps it until
// tx is over. When anything was applied, then for the rest of tx the search_path is empty,
// and the settings of the connection are as they were when it was made: scripts may have
// changed them.
func (m *Migrations) apply(ctx context.Context, tx pgx.Tx, schema string, o applyOptions) ([]int64, error) {
	return m.applyTo(ctx, tx, tenantLedger(schema), o)
}

func (m *Migrations) applyTo(ctx context.Context, tx pgx.Tx, l ledger, o applyOptions) ([]int64, error) {
	if o.lockTimeout == 0 {
		o.lockTimeout = DefaultLockTimeout
	}
	a := &application{tx: tx, ledger: l, lockTimeout: o.lockTimeout}
	applied, err := a.apply(ctx, m, o.allowUnknown)
	if err != nil {
		return nil, fmt.Errorf("tenantdb: migrate %s: %w", l, err)
	}
	return applied, nil
}

// application is the migration of one schema, in its transaction.
type application struct {
	tx          pgx.Tx
	ledger      ledger
	lockTimeout time.Duration
	xid         string // the number of the transaction
}

func (a *application) apply(ctx context.Context, m *Migrations, allowUnknown bool) ([]int64, error) {
	records, err := a.begin(ctx)
	if err != nil {
		return nil, err
	}
	pending, bad := m.compare(records)
	if len(bad.Changed) > 0 || len(bad.Unknown) > 0 && !allowUnknown {
		return nil, &bad
	}
	if len(pending) == 0 {
		return nil, nil
	}
	applied := make([]int64, 0, len(pending))
	for i, file := range pending {
		if err := a.run(ctx, file, i == len(pending)-1); err != nil {
			return nil, err
		}
		applied = append(applied, file.version)
	}
	if a.ledger.component == "" {
		err = a.keepLayout(ctx, applied[len(applied)-1])
	}
	return applied, err
}

// sqlApplication tells about the transaction: its level, its number (it gets one by this),
// whether the schema $1 exists, and the ledger $2.
const sqlApplication = `
SELECT current_setting('transaction_isolation'), pg_current_xact_id()::text,
       to_regnamespace($1) IS NOT NULL, to_regclass($2) IS NOT NULL`

// begin takes the lock, and reads the ledger that it guards; makes one where there is none.
func (a *application) begin(ctx context.Context) ([]record, error) {
	if a.tx.Conn().PgConn().TxStatus() != inTransaction {
		return nil, errors.New("not inside a transaction, or inside one that has failed")
	}
	lock := fmt.Sprintf(`SET LOCAL lock_timeout TO 0; SELECT pg_catalog.pg_advisory_xact_lock(%d); `, a.ledger.lockKey())
	if _, err := a.tx.Exec(ctx, lock+a.settings(a.path())); err != nil {
		return nil, err
	}
	var level string
	var schema, table bool
	err := a.tx.QueryRow(ctx, sqlApplication, pgx.QueryExecModeExec, quote(a.ledger.schema), a.ledger.table).Scan(&level, &a.xid, &schema, &table)
	switch {
	case err != nil:
		return nil, err
	case level != string(pgx.ReadCommitted):
		return nil, fmt.Errorf("in a transaction of level %s, not %s: it would not see what was done while it waited for the lock", level, pgx.ReadCommitted)
	case !schema:
		return nil, errNoSchema
	case !table:
		return nil, a.ledger.create(ctx, a.tx)
	}
	return a.ledger.read(ctx, a.tx)
}

// errNoSchema says that there is nothing to migrate.
var errNoSchema = errors.New("the schema does not exist")

// inTransaction is what a connection's TxStatus is inside a transaction that has not failed.
const inTransaction = 'T'

// sqlReset undoes what a script has set for its whole session, and which outlives the
// transaction: another role, settings, temporary tables, channels. What is left then, such
// as a cursor WITH HOLD, ends with the connection.
const sqlReset = `RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DISCARD TEMP; UNLISTEN *; `

// run executes one file and records it.
func (a *application) run(ctx context.Context, m migration, last bool) error {
	began := time.Now()
	if _, err := a.tx.Exec(ctx, m.script); err != nil {
		return scriptError(m, err)
	}
	took := time.Since(began)
	if a.tx.Conn().PgConn().TxStatus() != inTransaction {
		return inFile(m.file, ErrMigrationTransaction)
	}
	path := a.path()
	if last {
		path = emptyPath
	}
	tag, err := a.tx.Exec(ctx, sqlReset+a.settings(path)+a.ledger.insert(m, took, a.xid))
	if err != nil {
		return inFile(m.file, err)
	}
	if tag.RowsAffected() != 1 {
		return inFile(m.file, ErrMigrationTransaction)
	}
	return nil
}

// settings are those under which scripts run, up to the end of the transaction. Strings are
// standard ones, as [checkScript] reads them.
func (a *application) settings(path string) string {
	return fmt.Sprintf(`SET LOCAL search_path TO %s; SET LOCAL lock_timeout TO %d; SET LOCAL standard_conforming_strings TO on; `,
		path, max(a.lockTimeout.Milliseconds(), 1))
}

// path is the search_path of the scripts: a name without a schema never means anything
// outside of theirs.
func (a *application) path() string { return quote(a.ledger.schema) + `, pg_temp` }

// emptyPath makes PostgreSQL print all names with their schemas.
const emptyPath = `''`

// compare holds the set against what a ledger has, both in the order of the versions: what
// is still to be applied, and what ought not to be.
func (m *Migrations) compare(records []record) (pending []migration, bad LedgerError) {
	for _, file := range m.files {
		for len(records) > 0 && records[0].version < file.version {
			bad.Unknown = append(bad.Unknown, records[0].version)
			records = records[1:]
		}
		if len(records) == 0 || records[0].version != file.version {
			pending = append(pending, file)
			continue
		}
		if records[0].checksum != file.checksum {
			bad.Changed = append(bad.Changed, file.version)
		}
		records = records[1:]
	}
	for _, r := range records {
		bad.Unknown = append(bad.Unknown, r.version)
	}
	return pending, bad
}
