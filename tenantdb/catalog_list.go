package tenantdb

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// pageSize is how many rows a sequence reads at a time.
const pageSize = 500

// ListOptions say which tenants [Catalog.List] lists. The zero value is all.
type ListOptions struct {
	Status []tenant.Status // only those in one of these; empty means all, deleted ones too
	After  tenant.ID       // only those behind this id, to go on with a list
}

// List lists tenants in the order of their ids, which is that of their creation for ids
// that were made here. It reads page by page: no connection is held while the caller
// works, and tenants that are created meanwhile may be listed or not. The sequence ends
// with an error if there is one.
//
// Other than [Catalog.Lookup], it tells of deleted tenants, with their status.
func (c *Catalog) List(ctx context.Context, o ListOptions) iter.Seq2[tenant.Tenant, error] {
	return func(yield func(tenant.Tenant, error) bool) {
		for after := o.After; ; {
			page, err := c.listPage(ctx, after, o.Status)
			if err != nil {
				yield(tenant.Tenant{}, fmt.Errorf("tenantdb: list tenants: %w", err))
				return
			}
			for _, t := range page {
				if !yield(t, nil) {
					return
				}
				after = t.ID
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// Count is how many tenants [Catalog.List] would list, at one moment. It reads all of their
// rows: about a millisecond for each thousand.
func (c *Catalog) Count(ctx context.Context, o ListOptions) (int, error) {
	var n int
	if err := c.pool.QueryRow(ctx, sqlCount, o.After, statuses(o.Status)).Scan(&n); err != nil {
		return 0, fmt.Errorf("tenantdb: count tenants: %w", err)
	}
	return n, nil
}

// statuses are those as the statements take them: nil for all.
func statuses(of []tenant.Status) []string {
	var names []string
	for _, s := range of {
		names = append(names, string(s))
	}
	return names
}

func (c *Catalog) listPage(ctx context.Context, after tenant.ID, status []tenant.Status) ([]tenant.Tenant, error) {
	rows, err := c.pool.Query(ctx, sqlList, after, statuses(status), pageSize)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (tenant.Tenant, error) { return scanTenant(row) })
}
