package quota

import "time"

// count is the running count of units in [Memory]; admit.lua has the same in another
// language.
type count struct {
	start, end int64 // of the period, seconds since 1970; both 0 where there is no count
	used       int64
	seeded     int64 // when it was last compared with the truth, microseconds since 1970
}

// mostUsed is where a running count stops: the script's numbers are exact up to 2^53.
const mostUsed = 9 * MaxUnits

func (c count) is(p Period) bool { return c.start == p.Start.Unix() && c.end == p.End.Unix() }

// current is the count that u is for, and whether it is known. One whose period has begun
// after u's was over is: somebody's clock is late.
func (c count) current(now int64, u UnitsAsk) (count, bool) {
	late := u.Period.Start.Unix() < c.start && u.Period.End.Unix() <= c.start
	mine := c.is(u.Period) || late
	switch {
	case mine && u.Seeded && !late:
		c.used, c.seeded = min(max(c.used, u.Seed), mostUsed), now
		return c, true
	case mine:
		return c, late || u.MaxAge <= 0 || now-c.seeded <= u.MaxAge.Microseconds()
	case u.Seeded:
		return count{start: u.Period.Start.Unix(), end: u.Period.End.Unix(), used: min(u.Seed, mostUsed), seeded: now}, true
	}
	return c, false
}

// weigh is the answer about a count if nothing is taken.
func (u *UnitsAsk) weigh(c count, known bool) UnitsAnswer {
	if !known {
		return UnitsAnswer{Unknown: true}
	}
	answer := UnitsAnswer{Used: c.used, Granted: u.Cost}
	if u.Limit < 0 {
		return answer
	}
	granted, denied := grant(u.Cost, max(u.Limit-c.used, 0), u.AtMost)
	answer.Denied = denied && !u.Soft
	if !u.Soft && !u.Shadow {
		answer.Granted = granted
	}
	return answer
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
