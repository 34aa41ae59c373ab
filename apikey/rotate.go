package apikey

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// MaxOverlap bounds how long a key is good after it was rotated.
const MaxOverlap = 720 * time.Hour

// Rotate makes a key in the place of another one, which is good for the overlap still, so
// that its holder has time to change over: from 0, for a secret that has leaked, to
// MaxOverlap. The new key has the name, scopes, networks, metadata and end of the old one;
// scopes that the product does not declare any more are left out. A key is rotated once; its
// successor can be rotated again.
//
// Errors besides those of [Keys]: [ErrNotFound] when the tenant has no key with the id that
// is good for use and was not rotated yet; [ErrForbidden] when a scope is none of the
// minter's; [ErrKeyLimit] when too many keys that were rotated are good still; and one of
// the code validation_failed about the field overlap.
func (k *Keys) Rotate(ctx context.Context, in tenant.ID, by Minter, id string, overlap time.Duration) (Key, Secret, error) {
	if err := by.check(); err != nil {
		return Key{}, "", fmt.Errorf("apikey: rotate: %w", err)
	}
	if overlap < 0 || overlap > MaxOverlap {
		return Key{}, "", invalid("overlap", fmt.Sprintf("must be from 0s to %dh", int(MaxOverlap.Hours())))
	}
	var made Key
	var secret Secret
	err := k.change(ctx, "rotate", in, func(c *change) (err error) {
		if err := c.tenant.Usable(); err != nil {
			return err
		}
		old, err := readKey(ctx, c.tx, in, id)
		if err != nil {
			return err
		}
		made, secret, err = c.replace(ctx, old.key, by, overlap)
		return err
	})
	if err != nil {
		return Key{}, "", err
	}
	return made, secret, nil
}

// replace makes the successor of a key.
func (c *change) replace(ctx context.Context, old Key, by Minter, overlap time.Duration) (Key, Secret, error) {
	if !old.Usable(c.now) || old.ReplacedBy != "" {
		return Key{}, "", errEnded
	}
	n := NewKey{Name: old.Name, Scopes: c.k.declared(old.Scopes), ExpiresAt: old.ExpiresAt, Networks: old.Networks, Metadata: old.Metadata}
	switch {
	case len(n.Scopes) == 0:
		return Key{}, "", invalid("scopes", "none of the key's scopes is one of the product's any more")
	case !by.mayGive(n.Scopes):
		return Key{}, "", ErrForbidden
	}
	if err := c.makeRoom(ctx, true); err != nil {
		return Key{}, "", err
	}
	made, secret, err := c.insert(ctx, n, by)
	if err != nil {
		return Key{}, "", err
	}
	until := c.now.Add(overlap)
	if old.ExpiresAt.Before(until) && !old.ExpiresAt.IsZero() {
		until = old.ExpiresAt // an overlap makes no key live longer
	}
	var revoked *time.Time
	if overlap == 0 {
		revoked = &c.now
	}
	if _, err := c.tx.Exec(ctx, sqlReplace, c.tenant.ID, old.ID, made.ID, until, revoked); err != nil {
		return Key{}, "", fmt.Errorf("end the former key: %w", err)
	}
	c.touched = append(c.touched, old.ID)
	after := map[string]string{"key": made.ID, "until": until.Format(time.RFC3339Nano)}
	return made, secret, c.tell(ctx, EventRotated, map[string]string{"key": old.ID}, after, by)
}

// declared are those of scopes that the product has.
func (k *Keys) declared(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(k.cfg.Scopes, s) })
}
