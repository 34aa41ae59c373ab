package apikey

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tenantwall/tenantwall/tenant"
)

// Mint makes a key of a tenant, and returns it with its secret, which is never to be had
// again.
//
// The errors are [ErrForbidden] when a scope is none of the minter's, [ErrKeyLimit], those
// of [Keys], and one of the code validation_failed that says what is wrong with the key; its
// fields are name, scopes, expires_at, allowed_cidrs and metadata.
func (k *Keys) Mint(ctx context.Context, in tenant.ID, by Minter, n NewKey) (Key, Secret, error) {
	if err := by.check(); err != nil {
		return Key{}, "", fmt.Errorf("apikey: mint: %w", err)
	}
	n, err := n.check(k.cfg.Scopes, k.now())
	if err != nil {
		return Key{}, "", err
	}
	if !by.mayGive(n.Scopes) {
		return Key{}, "", ErrForbidden
	}
	var made Key
	var secret Secret
	err = k.change(ctx, "mint", in, func(c *change) (err error) {
		if err := c.tenant.Usable(); err != nil {
			return err
		}
		if err := c.makeRoom(ctx, false); err != nil {
			return err
		}
		if made, secret, err = c.insert(ctx, n, by); err != nil {
			return err
		}
		return c.tell(ctx, EventCreated, nil, map[string]string{"key": made.ID, "scopes": scopesText(made.Scopes)}, by)
	})
	if err != nil {
		return Key{}, "", err
	}
	return made, secret, nil
}

// mayGive reports whether scopes are all among the minter's.
func (m Minter) mayGive(scopes []string) bool {
	for _, scope := range scopes {
		if !slices.Contains(m.Scopes, scope) {
			return false
		}
	}
	return true
}

func (m Minter) check() error {
	if isText(m.ID, MaxCreatorLen) {
		return nil
	}
	return fmt.Errorf("the id of the minter is no text of up to %d bytes without control characters", MaxCreatorLen)
}

func metadataText(m map[string]string) string {
	if m == nil {
		return "{}"
	}
	text, _ := json.Marshal(m) // maps of strings always have a text
	return string(text)
}
