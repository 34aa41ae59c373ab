package apikey

import (
	"context"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
)

// Revoke ends a key. It is refused from now on in this process; in others once they are
// told, see [Config.OnChange], and within the bound of [Config.TTL] or
// [Config.ConnectedTTL] in any case. One that was revoked before stays so. It works for a
// tenant in whatever status. Of the minter the ID is looked at alone. The error besides
// those of [Keys] is [ErrNotFound] when the tenant has no key with the id.
func (k *Keys) Revoke(ctx context.Context, in tenant.ID, by Minter, id string) error {
	return k.revoke(ctx, in, by, id, "")
}

// revoke ends a key for a reason, which may be empty.
func (k *Keys) revoke(ctx context.Context, in tenant.ID, by Minter, id, reason string) error {
	if err := by.check(); err != nil {
		return fmt.Errorf("apikey: revoke: %w", err)
	}
	return k.change(ctx, "revoke", in, func(c *change) error {
		r, err := readKey(ctx, c.tx, in, id)
		if err != nil {
			return err
		}
		c.touched = append(c.touched, id) // also of one that another process has revoked
		if !r.key.RevokedAt.IsZero() {
			return nil
		}
		if _, err := c.tx.Exec(ctx, sqlRevoke, in, id, c.now); err != nil {
			return fmt.Errorf("end the key: %w", err)
		}
		after := map[string]string{}
		if reason != "" {
			after["reason"] = reason
		}
		return c.tell(ctx, EventRevoked, map[string]string{"key": id}, after, by)
	})
}
