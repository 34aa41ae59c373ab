package tenantdb

import (
	"context"
	"fmt"
)

// Ping reports whether the pool given to [Open] has a connection that answers, in one
// round trip. It works for no tenant and needs none, so it is what a readiness check
// calls. [WithPools]'s other pools are not asked.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.pool.Ping(ctx); err != nil {
		return fmt.Errorf("tenantdb: ping: %w", err)
	}
	return nil
}
