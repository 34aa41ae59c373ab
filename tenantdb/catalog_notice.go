package tenantdb

import (
	"context"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
)

// changed tells [CatalogConfig.OnChange] of a change that is committed. The change stands
// whatever comes of it: the caller's context may be over by now, and a panic is no error of
// the change's.
func (c *Catalog) changed(ctx context.Context, t tenant.Tenant) {
	if c.cfg.OnChange == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			c.cfg.Logger.ErrorContext(ctx, "tenantdb: CatalogConfig.OnChange has panicked; the change stands",
				"tenant", t.ID, "version", t.Version, "panic", fmt.Sprint(cause))
		}
	}()
	c.cfg.OnChange(ctx, t)
}
