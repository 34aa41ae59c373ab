package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// Keys makes keys, verifies and ends them. Make one with [Open], and Close it. It may be used
// by several goroutines at once, and several processes may each have one.
//
// All changes of one tenant's keys take turns. Each is one transaction with its event, see
// [tenantdb.Catalog.Events]. Who may change keys is for the caller to decide; what scopes
// they may give, the [Minter] says. A tenant that never was has the error
// [tenant.ErrNotFound]; keys are made for one that is active alone, see
// [tenant.Tenant.Usable].
type Keys struct {
	pool     *pgxpool.Pool
	cfg      Config
	format   Format
	hashes   hasher
	verdicts *verdicts
	refused  *refusals
	failures *failures
	uses     *uses
	counts   counters
}

func newKeys(pool *pgxpool.Pool, cfg Config, format Format, hashes hasher) *Keys {
	k := &Keys{
		pool: pool, cfg: cfg, format: format, hashes: hashes,
		verdicts: newVerdicts(cfg.CacheSize),
		refused:  newRefusals(cfg.RefusedSize),
		failures: newFailures(cfg.Failures),
	}
	k.uses = startUses(cfg.FlushEvery, k.writeUses)
	return k
}

// Close writes down what keys were used since the last time, and ends what runs in the
// background. The error says that the uses could not be written, and are lost. Keys that are
// verified after it are not written down.
func (k *Keys) Close() error {
	if err := k.uses.close(); err != nil {
		return fmt.Errorf("apikey: close: %w", err)
	}
	return nil
}

// Format is what the keys look like.
func (k *Keys) Format() Format { return k.format }

// Scopes are those that keys may have, sorted.
func (k *Keys) Scopes() []string { return slices.Clone(k.cfg.Scopes) }

// Get is a key of a tenant, good for use or not. The error is [ErrNotFound] when the tenant has
// none with the id.
func (k *Keys) Get(ctx context.Context, in tenant.ID, id string) (Key, error) {
	r, err := readKey(ctx, k.pool, in, id)
	if err != nil {
		return Key{}, fmt.Errorf("apikey: get: %w", err)
	}
	return r.key, nil
}

// List is all keys of a tenant, in the order in which they were made: those that are good
// for use, and those that have ended for [Config.KeepEnded], the last 1,000 of them at most.
func (k *Keys) List(ctx context.Context, in tenant.ID) ([]Key, error) {
	rows, _ := k.pool.Query(ctx, sqlKeys, in) // CollectRows tells the error
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Key, error) {
		r, err := scanRecord(row)
		return r.key, err
	})
	if err != nil {
		return nil, fmt.Errorf("apikey: list: %w", err)
	}
	return keys, nil
}

// Forget removes all keys of a tenant, in a transaction of the caller's on a connection of
// the control role. It is made for [tenantdb.CatalogConfig.OnPurge], and asks nobody: the
// tenant is to be gone already.
func Forget(ctx context.Context, tx pgx.Tx, in tenant.ID) error {
	if _, err := tx.Exec(ctx, sqlForget, in); err != nil {
		return fmt.Errorf("apikey: forget the keys of a tenant: %w", err)
	}
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readKey is a key as the database has it. The error is ErrNotFound when there is none, also
// for an id that no key can have.
func readKey(ctx context.Context, q querier, in tenant.ID, id string) (record, error) {
	if !isText(id, idLen) {
		return record{}, ErrNotFound
	}
	r, err := scanRecord(q.QueryRow(ctx, sqlKey, in, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return record{}, ErrNotFound
	}
	return r, err
}

// now is the time for what is stored, in the precision that it is stored with.
func (k *Keys) now() time.Time { return k.cfg.Now().UTC().Truncate(time.Microsecond) }
