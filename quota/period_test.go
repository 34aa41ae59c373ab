package quota_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/quota"
)

func TestPeriodsBeginOnTheAnchorDay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		anchor     int
		zone       string
		at         string // local time of the zone
		start, end string // UTC
	}{
		{"the calendar month", 0, "", "2026-06-15T12:00:00Z", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"},
		{"its first moment", 1, "", "2026-06-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"},
		{"the moment before", 1, "", "2026-05-31T23:59:59.999999999Z", "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"},
		{"across the year", 15, "", "2026-01-14T23:59:59Z", "2025-12-15T00:00:00Z", "2026-01-15T00:00:00Z"},
		{"31 in January", 31, "", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"31 in February", 31, "", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
		{"31 in a leap year", 31, "", "2028-02-28T23:59:59Z", "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"31 on the leap day", 31, "", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"},
		{"29 in a common year", 29, "", "2026-02-28T12:00:00Z", "2026-02-28T00:00:00Z", "2026-03-29T00:00:00Z"},
		{"29 in a leap year", 29, "", "2028-02-28T12:00:00Z", "2028-01-29T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"no leap day in 2100", 30, "", "2100-02-28T00:00:00Z", "2100-02-28T00:00:00Z", "2100-03-30T00:00:00Z"},
		{"31 in April", 31, "", "2026-04-30T08:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"},
		{"the month that has summer time", 1, "Europe/Berlin", "2026-03-15T12:00:00+01:00", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"the month that loses it", 1, "Europe/Berlin", "2026-10-31T23:59:59+01:00", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"},
		{"east of all others", 1, "Pacific/Kiritimati", "2026-06-01T00:00:00+14:00", "2026-05-31T10:00:00Z", "2026-06-30T10:00:00Z"},
		{"west of all others", 1, "Pacific/Niue", "2026-05-31T23:59:59-11:00", "2026-05-01T11:00:00Z", "2026-06-01T11:00:00Z"},
		{"midnight that does not exist", 4, "America/Sao_Paulo", "2018-11-04T01:00:00-02:00", "2018-11-04T03:00:00Z", "2018-12-04T02:00:00Z"},
		{"just before it", 4, "America/Sao_Paulo", "2018-11-03T23:59:59-03:00", "2018-10-04T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"midnight that comes twice, the first", 1, "America/Havana", "2020-11-01T00:00:00-04:00", "2020-11-01T04:00:00Z", "2020-12-01T05:00:00Z"},
		{"midnight that comes twice, the second", 1, "America/Havana", "2020-11-01T00:00:00-05:00", "2020-11-01T04:00:00Z", "2020-12-01T05:00:00Z"},
		{"a clock put back into the day before", 1, "America/St_Johns", "2009-10-31T23:30:00-03:30", "2009-11-01T02:30:00Z", "2009-12-01T03:30:00Z"},
		{"a day that does not exist", 30, "Pacific/Apia", "2011-12-31T00:00:00+14:00", "2011-12-30T10:00:00Z", "2012-01-29T10:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, test.at)
			require.NoError(t, err)
			p, err := quota.Units{Name: "exports", AnchorDay: test.anchor, Zone: test.zone}.Period(at)
			require.NoError(t, err)
			assert.Equal(t, test.start+"/"+test.end, p.String())
			assert.True(t, p.Contains(at))
		})
	}
}

func TestPeriodsOfAZoneThatIsNone(t *testing.T) {
	t.Parallel()
	p, err := quota.Units{Name: "exports", Zone: "Atlantis/Poseidonis"}.Period(time.Now())
	require.ErrorIs(t, err, quota.ErrBadPlan)
	require.ErrorContains(t, err, `zone of "exports"`)
	assert.Zero(t, p)
}

func TestAnchorDaysOutOfRangeAreTheNearest(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	assert.Equal(t, quota.MonthlyPeriod(at, 1, time.UTC), quota.MonthlyPeriod(at, -3, time.UTC))
	assert.Equal(t, quota.MonthlyPeriod(at, 31, time.UTC), quota.MonthlyPeriod(at, 99, time.UTC))
}

func TestPeriodHasItsStartAndNotItsEnd(t *testing.T) {
	t.Parallel()
	p := quota.MonthlyPeriod(time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC), 1, time.UTC)
	assert.True(t, p.Contains(p.Start))
	assert.False(t, p.Contains(p.Start.Add(-1)))
	assert.True(t, p.Contains(p.End.Add(-1)))
	assert.False(t, p.Contains(p.End))
}

// zones have been unkind to midnight in one way or another.
var zones = []string{
	"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "America/Asuncion", "Africa/Cairo",
	"Asia/Beirut", "Asia/Amman", "Asia/Kolkata", "Asia/Kathmandu", "Atlantic/Azores", "Australia/Lord_Howe",
	"Pacific/Apia", "Pacific/Kiritimati", "Pacific/Chatham", "America/Scoresbysund", "Antarctica/Troll",
}

// Each moment is in one period, periods leave no gap, and they begin on the anchor day or
// the last of the month.
func TestPeriodsTileTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		require.NoError(t, err)
		anchor := rapid.IntRange(1, quota.MaxAnchor).Draw(t, "anchor")
		at := time.Unix(rapid.Int64Range(-2e9, 6e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))

		p := quota.MonthlyPeriod(at, anchor, zone)
		require.True(t, p.Contains(at), "%s in %s", at, p)
		require.Equal(t, time.UTC, p.Start.Location())
		require.Zero(t, p.Start.Nanosecond())
		for _, inside := range []time.Time{p.Start, p.End.Add(-1), p.Start.Add(p.End.Sub(p.Start) / 2)} {
			require.Equal(t, p, quota.MonthlyPeriod(inside, anchor, zone), "all of its moments are in it")
		}
		next, before := quota.MonthlyPeriod(p.End, anchor, zone), quota.MonthlyPeriod(p.Start.Add(-1), anchor, zone)
		require.Equal(t, p.End, next.Start)
		require.Equal(t, p.Start, before.End)
		length := p.End.Sub(p.Start)
		require.True(t, 26*24*time.Hour < length && length < 33*24*time.Hour, "%s lasts %s", p, length)

		first := p.Start.In(zone)
		last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if first.Day() != min(anchor, last) { // but where the day was left out
			require.Equal(t, "Pacific/Apia", zone.String())
			require.Equal(t, 2011, first.Year())
		}
	})
}
