package quotatest

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

// in2026 is the month of 2026 of that number.
func in2026(month time.Month) quota.Period {
	start := time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC)
	return quota.Period{Start: start, End: start.AddDate(0, 1, 0)}
}

// month asks for units of June, of which none were used before.
func month(cost, limit int64) quota.UnitsAsk {
	return quota.UnitsAsk{Name: "exports", Period: in2026(time.June), Limit: limit, Cost: cost, Seeded: true}
}

func testUnitsSeed(_ *testing.T, b bench) {
	ask := month(5, 100)
	ask.Seeded, ask.MaxAge = false, time.Minute
	answer := b.admit(quota.Ask{Rates: []quota.RateAsk{slow(1)}, Units: []quota.UnitsAsk{ask}})
	b.is("units that nobody knows", answer.Admitted, false)
	b.is("unknown", answer.Units[0].Unknown, true)

	ask.Seed, ask.Seeded = 90, true
	answer = b.admit(quota.Ask{Rates: []quota.RateAsk{slow(1)}, Units: []quota.UnitsAsk{ask}})
	b.is("units with a seed", answer.Admitted, true)
	b.is("unknown", answer.Units[0].Unknown, false)
	b.want("units used", answer.Units[0].Used, 95)
	b.want("remaining of the rate: the first request took nothing", answer.Rates[0].Remaining, 9)

	// A seed raises the count and never lowers it: it may be behind.
	ask.Cost, ask.Seed = 0, 91
	_, u := b.units(ask)
	b.want("units used after a seed that is behind", u.Used, 95)
	ask.Seed = 97
	_, u = b.units(ask)
	b.want("units used after a seed that is ahead", u.Used, 97)

	ask.Seeded = false
	_, u = b.units(ask)
	b.is("unknown right after the seed", u.Unknown, false)
	ask.MaxAge = 50 * time.Millisecond
	b.advance(100 * time.Millisecond)
	_, u = b.units(ask)
	b.is("unknown after the greatest age", u.Unknown, true)
	ask.MaxAge = 0
	_, u = b.units(ask)
	b.is("unknown without a greatest age", u.Unknown, false)
	b.want("units used", u.Used, 97)
}

// What is known of a month doesn't hang on whether there is room in it: the truth would be
// asked for with each request that is refused.
func testUnitsSeedRefused(_ *testing.T, b bench) {
	full := month(1, 100)
	full.Seed, full.MaxAge = 100, time.Minute
	ok, u := b.units(full)
	b.is("units past the limit by their seed", ok, false)
	b.is("denied", u.Denied, true)
	full.Seeded = false
	_, u = b.units(full)
	b.is("unknown after a seed that had the request refused", u.Unknown, false)
	b.is("denied", u.Denied, true)
	b.want("units used", u.Used, 100)

	// The other limit of the request refuses.
	b.rate(slow(10))
	other := month(1, 100)
	other.Name, other.Seed, other.MaxAge = "other", 7, time.Minute
	answer := b.admit(quota.Ask{Rates: []quota.RateAsk{slow(1)}, Units: []quota.UnitsAsk{other}})
	b.is("a request whose rate refuses", answer.Admitted, false)
	other.Cost, other.Seeded = 0, false
	_, u = b.units(other)
	b.is("unknown after it", u.Unknown, false)
	b.want("units used", u.Used, 7)
}

func testUnitsPeriod(_ *testing.T, b bench) {
	june, july := month(5, 100), month(7, 100)
	july.Period = in2026(time.July)
	b.units(june)

	july.Seeded = false
	_, u := b.units(july)
	b.is("a new month unknown", u.Unknown, true)
	july.Seeded = true
	_, u = b.units(july)
	b.want("units used in the new month", u.Used, 7)

	// A process whose clock is late still asks for June, and uses July.
	june.Seeded = false
	ok, u := b.units(june)
	b.is("the month before", ok, true)
	b.want("units used in the month that has begun", u.Used, 12)

	// Another anchor day: the periods overlap, and are two counts.
	mid := june
	mid.Period = quota.Period{Start: in2026(time.June).Start.AddDate(0, 0, 14), End: in2026(time.July).Start.AddDate(0, 0, 14)}
	_, u = b.units(mid)
	b.is("a month with another anchor day unknown", u.Unknown, true)
	mid.Seed, mid.Seeded = 50, true
	_, u = b.units(mid)
	b.want("units used in it", u.Used, 55)
}

func testUnitsLimit(_ *testing.T, b bench) {
	ok, u := b.units(month(90, 100))
	b.is("within the limit", ok, true)
	b.want("granted", u.Granted, 90)
	ok, u = b.units(month(11, 100))
	b.is("past the limit", ok, false)
	b.is("denied", u.Denied, true)
	b.want("units used", u.Used, 90)

	atMost := month(11, 100)
	atMost.AtMost = true
	ok, u = b.units(atMost)
	b.is("at most 11 of 10", ok, true)
	b.want("granted", u.Granted, 10)
	ok, _ = b.units(atMost)
	b.is("at most 11 of none", ok, false)
	ok, u = b.units(month(0, 100))
	b.is("a look", ok, true)
	b.is("denied", u.Denied, false)

	soft := month(50, 100)
	soft.Soft = true
	ok, u = b.units(soft)
	b.is("soft units past their limit", ok, true)
	b.is("denied", u.Denied, false)
	b.want("units used", u.Used, 150)
	answer := b.admit(quota.Ask{Rates: []quota.RateAsk{slow(4)}, Units: []quota.UnitsAsk{month(0, 100)}})
	b.is("a rate, with a look at units that are past their limit", answer.Admitted, true)
	b.is("denied", answer.Units[0].Denied, false)
	_, r := b.rate(slow(0))
	b.want("remaining of the rate", r.Remaining, 6)
	ok, u = b.units(month(1, quota.Unlimited))
	b.is("units without a limit", ok, true)
	b.want("units used", u.Used, 151)
}

func testReturnUnits(_ *testing.T, b bench) {
	back := func(p quota.Period, n int64) {
		b.giveBack(quota.Back{Units: []quota.UnitsBack{{Name: "exports", Period: p, N: n}}})
	}
	back(in2026(time.June), 5) // of what nobody has used
	b.units(month(9, 100))
	back(in2026(time.June), 4)
	_, u := b.units(month(0, 100))
	b.want("units used after 9 and 4 back", u.Used, 5)
	back(in2026(time.May), 4)
	_, u = b.units(month(0, 100))
	b.want("units used after some of another month came back", u.Used, 5)
	back(in2026(time.June), 1000)
	_, u = b.units(month(0, 100))
	b.want("units used after too many came back", u.Used, 0)
}
