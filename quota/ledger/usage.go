package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// Usage is what a tenant has used of some units in one period.
type Usage struct {
	Tenant tenant.ID
	Name   string
	Period quota.Period
	Used   int64
}

// UsageOptions say which uses [Ledger.Usage] reads. The zero value is all that there are.
type UsageOptions struct {
	Tenant tenant.ID // only this tenant's; zero means all

	// EndAfter and EndUpTo bound the periods by their ends: after the one, and up to the
	// other. Zero is no bound. A bill of all that has ended since the last one has the last
	// one's EndUpTo as its EndAfter, so that each period is billed once.
	EndAfter, EndUpTo time.Time
}

// Usage reads what was used, in the order of the periods' ends. It reads page by page: no
// connection is held while the caller works. The sequence ends with an error if there is
// one. A period is complete once all processes have written after its end, see
// [Config.FlushEvery]: bill what has ended a minute ago and more.
func (l *Ledger) Usage(ctx context.Context, o UsageOptions) iter.Seq2[Usage, error] {
	return func(yield func(Usage, error) bool) {
		var last *Usage
		for {
			page, err := l.usagePage(ctx, o, last)
			if err != nil {
				yield(Usage{}, fmt.Errorf("ledger: read usage: %w", err))
				return
			}
			for _, u := range page {
				if !yield(u, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last = &page[len(page)-1]
		}
	}
}

// pageSize is how many rows a sequence reads at a time.
const pageSize = 500

func (l *Ledger) usagePage(ctx context.Context, o UsageOptions, last *Usage) ([]Usage, error) {
	behind := [4]any{}
	if last != nil {
		behind = [4]any{last.Period.End, last.Tenant, last.Period.Start, last.Name}
	}
	rows, err := l.pool.Query(ctx, sqlUsage, o.Tenant, orNull(o.EndAfter), orNull(o.EndUpTo), behind[0], behind[1], behind[2], behind[3], pageSize)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Usage, error) {
		var u Usage
		err := row.Scan(&u.Tenant, &u.Name, &u.Period.Start, &u.Period.End, &u.Used)
		u.Period = quota.Period{Start: u.Period.Start.UTC(), End: u.Period.End.UTC()}
		return u, err
	})
}

// orNull is a time as the database takes it, which has none that is not set.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
