package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// What happens to a tenant's keys. The events name keys by "key", their id, and say by whom;
// names and metadata are not in them, for an event outlives those whom it is about.
const (
	EventCreated tenantdb.EventKind = "key.created" // After: key, scopes, by
	EventRotated tenantdb.EventKind = "key.rotated" // Before: key; After: key, the new one's; until, when the old one ends; by
	EventRevoked tenantdb.EventKind = "key.revoked" // Before: key; After: by, reason
)

// change is one transaction that changes the keys of one tenant, which it holds. Nothing
// else changes them meanwhile, so what it reads stays true until it ends.
type change struct {
	k       *Keys
	tx      pgx.Tx
	tenant  tenant.Tenant // its id, status and version
	now     time.Time
	touched []string // keys that are no good any more, or not for long
}

// change runs fn while it holds the tenant, and commits what fn has written; with an error,
// nothing is. The error tells what was to be done.
func (k *Keys) change(ctx context.Context, what string, in tenant.ID, fn func(c *change) error) error {
	// Counting needs to see what the transaction before has committed, whatever the
	// server's default isolation is.
	begin := fmt.Sprintf(`BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = %d`, k.cfg.LockTimeout.Milliseconds())
	c := &change{k: k, tenant: tenant.Tenant{ID: in}}
	err := pgx.BeginTxFunc(ctx, k.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		c.tx = tx
		err := tx.QueryRow(ctx, sqlLockTenant, in).Scan(&c.tenant.Status, &c.tenant.Version)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return tenant.ErrNotFound
		case err != nil:
			return fmt.Errorf("hold the tenant: %w", err)
		}
		c.now = k.now() // and not before: others may have held the tenant for long
		return fn(c)
	})
	// With an error too, because a commit whose answer was lost may have been done.
	for _, id := range c.touched {
		k.Forget(id)
		if k.cfg.OnChange != nil {
			k.cfg.OnChange(in, id)
		}
	}
	if err != nil {
		return fmt.Errorf("apikey: %s: %w", what, err)
	}
	return nil
}

// insert adds a key, of which the id, the hash and the times are given here.
func (c *change) insert(ctx context.Context, n NewKey, by Minter) (Key, Secret, error) {
	id, secret, err := c.k.format.generate(c.k.cfg.Random)
	if err != nil {
		return Key{}, "", err
	}
	version := c.k.hashes.current
	hash, err := c.k.hashes.hash(digestOf(string(secret)), version)
	if err != nil {
		return Key{}, "", err
	}
	networks := make([]string, len(n.Networks))
	for i, network := range n.Networks {
		networks[i] = network.String()
	}
	r, err := scanRecord(c.tx.QueryRow(ctx, sqlInsert, id, c.tenant.ID, n.Name, n.Scopes, networks, metadataText(n.Metadata), hash[:], version, by.ID, c.now, orNull(n.ExpiresAt)))
	if err != nil {
		return Key{}, "", fmt.Errorf("insert the key: %w", err)
	}
	return r.key, secret, nil
}

// makeRoom forgets keys that have ended long ago, and refuses another one when there are
// enough. A key that takes the place of another counts with those that were rotated.
func (c *change) makeRoom(ctx context.Context, replaces bool) error {
	if _, err := c.tx.Exec(ctx, sqlTrim, c.tenant.ID, c.now.Add(-c.k.cfg.KeepEnded), maxEnded, c.now); err != nil {
		return fmt.Errorf("forget old keys: %w", err)
	}
	var current, rotated int
	if err := c.tx.QueryRow(ctx, sqlCount, c.tenant.ID, c.now).Scan(&current, &rotated); err != nil {
		return fmt.Errorf("count the keys: %w", err)
	}
	grows := current
	if replaces {
		grows = rotated
	}
	if grows >= c.k.cfg.MaxKeys {
		return ErrKeyLimit
	}
	return nil
}

// tell writes the event of the change, which is the last thing that it does.
func (c *change) tell(ctx context.Context, kind tenantdb.EventKind, before, after map[string]string, by Minter) error {
	if by.ID != "" {
		after["by"] = by.ID
	}
	return tenantdb.WriteEvent(ctx, c.tx, tenantdb.Event{
		Tenant: c.tenant.ID, Kind: kind, Version: c.tenant.Version, Before: before, After: after, At: c.now,
	})
}

func scopesText(scopes []string) string { return strings.Join(scopes, " ") }
