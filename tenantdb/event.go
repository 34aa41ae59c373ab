package tenantdb

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Event is one change of a tenant, as it was committed.
type Event struct {
	// ID grows with the order in which events were committed: when an event has been seen,
	// none with a lower id appears any more. Ids have gaps.
	ID     int64
	Tenant tenant.ID
	Kind   EventKind

	// Version is the tenant's, after the change.
	Version int64

	// Before and After hold what changed of "slug", "status", "plan", "login" and "domain". A
	// tenant's name may be that of a person and must be forgotten with the tenant, so no
	// event has it.
	Before, After map[string]string

	At time.Time
}

// EventKind is what happened. Kinds other than those of this package are possible.
type EventKind string

// What happens to tenants.
const (
	EventReserved    EventKind = "tenant.reserved"     // being created: it has its slug, and no data yet
	EventReleased    EventKind = "tenant.released"     // given up before it was finished; there is no such tenant
	EventCreated     EventKind = "tenant.created"      // active for the first time
	EventRenamed     EventKind = "tenant.renamed"      // has another slug
	EventNameChanged EventKind = "tenant.name_changed" // has another name
	EventPlanChanged EventKind = "tenant.plan_changed"
	EventSuspended   EventKind = "tenant.suspended"
	EventResumed     EventKind = "tenant.resumed"
	EventDeleted     EventKind = "tenant.deleted"     // refused for good; its data are kept for the grace period
	EventPurged      EventKind = "tenant.purged"      // its data are gone
	EventLoginGiven  EventKind = "tenant.login_given" // has a login of its own
	EventLoginTaken  EventKind = "tenant.login_taken" // is back with the shared gateways

	EventDomainVerified EventKind = "tenant.domain_verified" // is found by a domain of its own
	EventDomainRemoved  EventKind = "tenant.domain_removed"  // by that no more: it was taken away
	EventDomainLapsed   EventKind = "tenant.domain_lapsed"   // by that no more: nobody proves it any longer
)

// EventOptions say which events [Catalog.Events] reads. The zero value is all.
type EventOptions struct {
	After  int64     // only those with a higher id
	Tenant tenant.ID // only this tenant's; zero means all
}

// Events reads the events that have been committed, in order, page by page: no connection
// is held while the caller works. The sequence ends at the newest event, or with an error.
// Whoever wants what comes later asks again with the last ID that it has seen; none is
// ever missed that way, nor seen twice.
func (c *Catalog) Events(ctx context.Context, o EventOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for after := o.After; ; {
			page, err := c.eventPage(ctx, after, o.Tenant)
			if err != nil {
				yield(Event{}, fmt.Errorf("tenantdb: read events: %w", err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = e.ID
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

func (c *Catalog) eventPage(ctx context.Context, after int64, of tenant.ID) ([]Event, error) {
	rows, err := c.pool.Query(ctx, sqlEvents, after, of, pageSize)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Event, error) {
		var e Event
		var data eventData
		err := row.Scan(&e.ID, &e.Tenant, (*string)(&e.Kind), &e.Version, &data, &e.At)
		e.Before, e.After, e.At = data.Before, data.After, e.At.UTC()
		return e, err
	})
}

// eventData is an event's column data.
type eventData struct {
	Before map[string]string `json:"before,omitempty"`
	After  map[string]string `json:"after,omitempty"`
}

// json is the text of the column: pgx must not be left to guess it, for in some of its
// modes it does not know the type of a parameter.
func (d eventData) json() string {
	text, _ := json.Marshal(d) // maps of strings always have a text
	return string(text)
}

// difference is what an event says of a change.
func difference(before, after tenant.Tenant) eventData {
	d := eventData{Before: map[string]string{}, After: map[string]string{}}
	for _, field := range []struct{ name, before, after string }{
		{"slug", string(before.Slug), string(after.Slug)},
		{"status", string(before.Status), string(after.Status)},
		{"plan", before.Plan, after.Plan},
	} {
		if field.before == field.after {
			continue
		}
		if field.before != "" {
			d.Before[field.name] = field.before
		}
		if field.after != "" {
			d.After[field.name] = field.after
		}
	}
	return d
}

// WriteEvent writes an event of another package's, in a transaction of the caller's on a
// connection of the control role, so that it is told if and only if the change is. ID is
// given by the database, and Before and After, which may be nil, hold what the kind says.
// An event needs a Tenant, a Kind, a Version and a time.
//
// Write events last: events are numbered in the order of commits, for which those of all
// other tenants wait until the transaction is over.
func WriteEvent(ctx context.Context, tx pgx.Tx, e Event) error {
	if e.Tenant.IsZero() || e.Kind == "" || e.Version < 1 || e.At.IsZero() {
		return fmt.Errorf("tenantdb: an event needs a Tenant, a Kind, a Version and a time: %+v", e)
	}
	data := eventData{Before: e.Before, After: e.After}
	if _, err := tx.Exec(ctx, sqlTell, e.Tenant, string(e.Kind), e.Version, data.json(), e.At); err != nil {
		return fmt.Errorf("tenantdb: write an event: %w", err)
	}
	return nil
}

// tell writes an event as the last statement of a transaction.
func (c *Catalog) tell(ctx context.Context, tx pgx.Tx, kind EventKind, t tenant.Tenant, data eventData) error {
	_, err := tx.Exec(ctx, sqlTell, t.ID, string(kind), t.Version, data.json(), c.now())
	return err
}
