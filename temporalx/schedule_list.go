package temporalx

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
)

// List lists the tenant's schedules, and to the system those of all. The server is asked
// for everybody's, page by page, so a namespace of many schedules is better kept in a
// table of the product's own.
func (s *ScheduleClient) List(ctx context.Context, options client.ScheduleListOptions) (client.ScheduleListIterator, error) {
	id, err := identityOf(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("temporalx: list schedules: %w", err)
	}
	all, err := s.client.ScheduleClient().List(ctx, options)
	if err != nil {
		return nil, err
	}
	return &scheduleList{all: all, id: id}, nil
}

// scheduleList leaves out what is another tenant's. It looks one ahead.
type scheduleList struct {
	all  client.ScheduleListIterator
	id   Identity
	next *client.ScheduleListEntry
	err  error
}

func (l *scheduleList) HasNext() bool {
	for l.next == nil && l.err == nil && l.all.HasNext() {
		entry, err := l.all.Next()
		switch {
		case err != nil:
			l.err = err
		case l.id.mayReach(entry.ID) == nil:
			l.next = entry
		}
	}
	return l.next != nil || l.err != nil
}

// Next is the next schedule. It panics when there is none, as that of the SDK.
func (l *scheduleList) Next() (*client.ScheduleListEntry, error) {
	if !l.HasNext() {
		panic("temporalx: Next of a list of schedules was called without a look at HasNext")
	}
	entry := l.next
	l.next = nil
	return entry, l.err
}
