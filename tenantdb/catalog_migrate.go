package tenantdb

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// migrateControl brings the catalog's own tables up to date.
func (c *Catalog) migrateControl(ctx context.Context) error {
	sql, err := controlFiles.ReadFile("control/0001_catalog.sql")
	if err != nil {
		return err
	}
	return c.inTx(ctx, func(tx pgx.Tx) error {
		var there bool
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(1952804471, 2); CREATE SCHEMA IF NOT EXISTS tenantwall`); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT to_regclass('tenantwall.event') IS NOT NULL`).Scan(&there); err != nil || there {
			return err
		}
		_, err := tx.Exec(ctx, string(sql))
		return err
	})
}

// migrate makes the tables of a new tenant.
func (c *Catalog) migrateNew(ctx context.Context, tx pgx.Tx, schema string) error {
	for _, file := range c.migrations.files {
		if _, err := tx.Exec(ctx, `SET LOCAL search_path = `+quote(schema)+`, pg_temp;`+file.script); err != nil {
			return err
		}
	}
	return nil
}
