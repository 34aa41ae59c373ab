package tenantdb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed ledger/*.sql
var ledgerFiles embed.FS

// ledgerComponent has the tables that the migrations themselves need.
const ledgerComponent = "migrations"

var componentPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// MigrateControl brings the tables of one component of the control plane up to date, in
// the schema [ControlSchema]. The component is the package they belong to; its versions are
// its own, and [ParseMigrations] says what its files are like. It does nothing when nothing
// is to be done, and may be called by all processes of a service as they start: they take
// turns. Call it before anything that uses the component.
//
// pool is signed in as the control role. The schema is one that [Setup] has made; where
// there is none, it is made if the role may. What was applied stands in the table
// tenantwall.migration, with its checksum.
//
// All pending files are one transaction. The error is a [*LedgerError] when an applied file
// was changed, or one is applied that fsys has not, and holds a [*MigrationFileError] when
// a file failed. A lock, deadlock or conflict in the way is waited for three times.
func MigrateControl(ctx context.Context, pool *pgxpool.Pool, component string, fsys fs.FS) error {
	if pool == nil {
		return errors.New("tenantdb: MigrateControl needs a pool")
	}
	if !componentPattern.MatchString(component) || component == ledgerComponent {
		return fmt.Errorf("tenantdb: MigrateControl: component %q: 1 to 63 characters of a-z, 0-9 and _, the first a letter, and not %q", component, ledgerComponent)
	}
	m, err := ParseMigrations(fsys)
	if err != nil {
		return fmt.Errorf("tenantdb: component %s: %w", component, err)
	}
	if err := migrateLedger(ctx, pool); err != nil {
		return err
	}
	return migrateComponent(ctx, pool, component, m)
}

// migrateLedger makes what all ledgers need.
func migrateLedger(ctx context.Context, pool *pgxpool.Pool) error {
	files, err := fs.Sub(ledgerFiles, "ledger")
	if err != nil {
		return err
	}
	m, err := ParseMigrations(files)
	if err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return ensureControlSchema(ctx, tx) }); err != nil {
		return fmt.Errorf("tenantdb: %w", err)
	}
	return migrateComponent(ctx, pool, ledgerComponent, m)
}

func migrateComponent(ctx context.Context, pool *pgxpool.Pool, component string, m *Migrations) error {
	conn := &migrationConn{pool: pool}
	defer conn.release(ctx)
	_, err := withRetries(ctx, DefaultMigrateAttempts, func() error {
		_, err := conn.apply(ctx, m, controlLedger(component), applyOptions{})
		return err
	})
	return err
}

// ensureControlSchema makes the schema of the control plane where Setup has not. The lock
// is that of the component which is migrated next.
func ensureControlSchema(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	sql := `SELECT to_regnamespace($1) IS NOT NULL`
	err := tx.QueryRow(ctx, sql, pgx.QueryExecModeExec, quote(ControlSchema)).Scan(&exists)
	if err != nil || exists {
		return err
	}
	lock := fmt.Sprintf(`SELECT pg_catalog.pg_advisory_xact_lock(%d)`, controlLedger(ledgerComponent).lockKey())
	if _, err := tx.Exec(ctx, lock); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+quote(ControlSchema))
	if isCode(err, codeInsufficientPrivilege) {
		return fmt.Errorf("there is no schema %s and the role may not make one: call Setup first: %w", ControlSchema, err)
	}
	return err
}
