package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// provision makes all of a reserved tenant in one transaction, or finds that another
// creation has done so. The error is errReleased when the reservation is gone.
func (c *Catalog) provision(ctx context.Context, t tenant.Tenant, seed func(context.Context, pgx.Tx, tenant.Tenant) error) (tenant.Tenant, error) {
	made, found := t, false
	err := c.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		made, found, err = c.provisionTx(ctx, tx, t.ID, seed)
		return err
	})
	if err != nil {
		return t, err
	}
	if !found {
		c.changed(ctx, made)
	}
	return made, nil
}

// provisionTx makes the tenant in a transaction, or finds it made.
func (c *Catalog) provisionTx(ctx context.Context, tx pgx.Tx, id tenant.ID, seed func(context.Context, pgx.Tx, tenant.Tenant) error) (t tenant.Tenant, found bool, err error) {
	reserved, err := scanTenant(tx.QueryRow(ctx, sqlLockTenant, id))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return reserved, false, errReleased
	case err != nil:
		return reserved, false, err
	case reserved.Status != tenant.StatusProvisioning:
		return reserved, true, nil
	}
	if err := c.makeSchema(ctx, tx, id); err != nil {
		return reserved, false, err
	}
	if _, err := c.migrations.apply(ctx, tx, SchemaName(id), applyOptions{lockTimeout: c.cfg.LockTimeout}); err != nil {
		return reserved, false, err
	}
	t, err = scanTenant(tx.QueryRow(ctx, sqlActivate, id, c.now()))
	if err != nil {
		return reserved, false, err
	}
	if seed != nil {
		if err := seed(ctx, tx, t); err != nil {
			return reserved, false, err
		}
	}
	return t, false, c.tell(ctx, tx, EventCreated, t, difference(reserved, t))
}

// makeSchema makes a tenant's role and schema, in one trip. A role or schema of the name
// that is there already was made by somebody else, because ours come with the tenant's
// activation or not at all; it is not touched.
func (c *Catalog) makeSchema(ctx context.Context, tx pgx.Tx, id tenant.ID) error {
	name := SchemaName(id)
	gateways, err := c.gatewaysOf(id)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, c.schemaSQL(name, gateways))
	if isCode(err, codeDuplicateObject) || isCode(err, codeDuplicateSchema) {
		return fmt.Errorf("the role or the schema %s is there already, and was not made by this catalog: drop it if nothing needs it, or create the tenant with another id: %w", name, err)
	}
	return err
}

// schemaSQL makes the role, which owns nothing, and the schema with the rights that the
// role is to have on all that is made in it later. It locks nothing that exists.
func (c *Catalog) schemaSQL(schema string, gateways []string) string {
	name := quote(schema)
	if c.cfg.WithoutRoles {
		return `CREATE SCHEMA ` + name
	}
	return strings.Join([]string{
		`CREATE ROLE ` + name + ` NOLOGIN NOINHERIT`,
		`CREATE SCHEMA ` + name,
		`GRANT USAGE ON SCHEMA ` + name + ` TO ` + name,
		`ALTER DEFAULT PRIVILEGES IN SCHEMA ` + name + ` GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ` + name,
		`ALTER DEFAULT PRIVILEGES IN SCHEMA ` + name + ` GRANT USAGE, SELECT ON SEQUENCES TO ` + name,
		`ALTER DEFAULT PRIVILEGES IN SCHEMA ` + name + ` GRANT EXECUTE ON FUNCTIONS TO ` + name,
		`GRANT ` + name + ` TO ` + quoteAll(gateways),
	}, ";\n")
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}

// txAttempts and txPause bound how often a transaction is begun anew that met another one
// in the system catalogs.
const (
	txAttempts = 10
	txPause    = 20 * time.Millisecond
)

// inTx runs fn in a transaction as the control role, and commits it if fn succeeds. It
// begins anew when the transaction met another one that changed the same role or grant, or
// was chosen to end a deadlock.
func (c *Catalog) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	begin := fmt.Sprintf(`BEGIN; SET LOCAL lock_timeout = %d`, max(c.cfg.LockTimeout.Milliseconds(), 1))
	for attempt := 1; ; attempt++ {
		err := c.inTxOnce(ctx, begin, fn)
		if attempt == txAttempts || !isCode(err, codeDeadlock) && !concurrentChange(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(txPause)):
		}
	}
}

func (c *Catalog) inTxOnce(ctx context.Context, begin string, fn func(tx pgx.Tx) error) error {
	tx, err := c.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
