package quota

import "time"

// Period is the time in which [Units] are counted together, from Start until just before
// End. Both are in UTC and on a whole second, so that periods can be compared with == and
// be keys of a map. A period is known by both of its ends: that of another anchor day may
// begin with it, and end on another day.
type Period struct {
	Start, End time.Time
}

// String is both ends as ISO 8601 writes an interval: 2026-01-31T00:00:00Z/2026-02-28T00:00:00Z.
func (p Period) String() string {
	return p.Start.Format(time.RFC3339) + "/" + p.End.Format(time.RFC3339)
}

// Contains reports whether a moment is in the period.
func (p Period) Contains(at time.Time) bool { return !at.Before(p.Start) && at.Before(p.End) }

// Period is the one that a moment is in, by the anchor day and the zone of the units. The
// error is [ErrBadPlan] for a zone that there is none of, which [Plan.Validate] finds out. It
// reads the zone's rules each time; a [Limiter] does so once.
func (u Units) Period(at time.Time) (Period, error) { return new(zones).period(&u, at) }

// MonthlyPeriod is the period that a moment is in when periods begin on a day of each
// month, from 1 to [MaxAnchor], in a zone. A month that is too short for the day has its
// period begin on its last one, and the next month on the day again: of 31 they are 31
// January, 28 or 29 February, 31 March.
//
// A period begins with the first moment of its day, which is not midnight everywhere: where
// the clock is put forward at midnight, the day begins at one o'clock; where it is put back
// past midnight, at the first of the two; and a day that a zone has left out begins with
// the next one. Each moment is in one period, and the next begins where it ends.
//
// It depends on its arguments alone, and on the zone's rules as they are known to the
// program: a government that changes them changes the periods that begin from then on.
// Days out of range are taken as the nearest one that is not.
func MonthlyPeriod(at time.Time, anchorDay int, zone *time.Location) Period {
	anchorDay = min(max(anchorDay, 1), MaxAnchor)
	local := at.In(zone)
	begin := func(months int) time.Time {
		// The day before the first of the month after.
		last := time.Date(local.Year(), local.Month()+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC)
		return dawn(time.Date(last.Year(), last.Month(), min(anchorDay, last.Day()), 0, 0, 0, 0, time.UTC), zone)
	}
	// The period begins in the month of the moment or in the one before. That of the month
	// after may have begun by then too, where a clock was put back into the day before.
	start, end := begin(0), begin(1)
	switch {
	case at.Before(start):
		start, end = begin(-1), start
	case !at.Before(end):
		start, end = end, begin(2)
	}
	return Period{Start: start, End: end}
}

// dawn is the first moment of a day in a zone. The day is told by its midnight in UTC.
func dawn(day time.Time, zone *time.Location) time.Time {
	const farthest = 26 * time.Hour // no zone was ever so far ahead
	at := day.Add(-farthest)
	for {
		local := at.In(zone)
		_, offset := local.Zone()
		first := day.Add(-time.Duration(offset) * time.Second)
		if first.Before(at) { // the clock was put forward over it
			first = at
		}
		_, end := local.ZoneBounds()
		if end.IsZero() || first.Before(end) {
			return first
		}
		at = end.UTC() // and on with the offset that the zone has from there
	}
}
