package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// EventOverridden is that a tenant's [Override] was set or cleared. What it says is not in
// the event.
const EventOverridden tenantdb.EventKind = "quota.overridden"

// SetOverride has a tenant's plan differ in what o says, in place of what an earlier one
// said: on the next request in this process, and within [Config.TTL] in others. It writes
// the event [EventOverridden]. The errors are [quota.ErrBadPlan] for an override that no
// plan could have, [tenant.ErrNotFound], and [tenant.ErrGone] for a tenant that is deleted.
func (l *Ledger) SetOverride(ctx context.Context, in tenant.ID, o Override) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("ledger: override of tenant %s: %w", in, err)
	}
	text, err := o.document().text()
	if err != nil {
		return fmt.Errorf("ledger: override of tenant %s: %w", in, err)
	}
	return l.override(ctx, in, sqlSetOverride, in, text, l.now())
}

// ClearOverride has a tenant's plan be that of all others who have it. Where it is so
// already, nothing happens. It writes the event [EventOverridden]. The errors are
// [tenant.ErrNotFound], and [tenant.ErrGone] for a tenant that is deleted.
func (l *Ledger) ClearOverride(ctx context.Context, in tenant.ID) error {
	return l.override(ctx, in, sqlClearOverride, in)
}

func (l *Ledger) override(ctx context.Context, in tenant.ID, sql string, args ...any) error {
	err := l.inTx(ctx, func(tx pgx.Tx) error {
		version, err := lockTenant(ctx, tx, in)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errUnchanged
		}
		if _, err := tx.Exec(ctx, sqlRevise); err != nil {
			return err
		}
		return tenantdb.WriteEvent(ctx, tx, tenantdb.Event{Tenant: in, Kind: EventOverridden, Version: version, At: l.now()})
	})
	switch {
	case errors.Is(err, errUnchanged):
		return nil
	case err != nil:
		return fmt.Errorf("ledger: override of tenant %s: %w", in, err)
	}
	l.changed(in)
	return nil
}

// lockTenant holds a tenant that is not deleted until the end of the transaction.
func lockTenant(ctx context.Context, tx pgx.Tx, in tenant.ID) (version int64, err error) {
	var status string
	err = tx.QueryRow(ctx, sqlLockTenant, in).Scan(&status, &version)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, tenant.ErrNotFound
	case err == nil && tenant.Status(status) == tenant.StatusDeleted:
		return 0, tenant.ErrGone
	}
	return version, err
}

// Override is in what a tenant's plan differs, the zero value for nothing. It asks the
// database.
func (l *Ledger) Override(ctx context.Context, in tenant.ID) (Override, error) {
	var text []byte
	err := l.pool.QueryRow(ctx, sqlOverride, in).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return Override{}, nil
	}
	if err != nil {
		return Override{}, fmt.Errorf("ledger: override of tenant %s: %w", in, err)
	}
	d, err := parse(text)
	if err != nil {
		return Override{}, fmt.Errorf("ledger: override of tenant %s: %w", in, err)
	}
	return d.override(), nil
}
