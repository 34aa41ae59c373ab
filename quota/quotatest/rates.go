package quotatest

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

func testRate(_ *testing.T, b bench) {
	const interval = 200 * time.Millisecond
	ask := quota.RateAsk{Name: "fast", Interval: interval, Burst: 3, Cost: 1}
	for i := range int64(3) {
		ok, r := b.rate(ask)
		b.is("token of a full bucket", ok, true)
		b.want("granted", r.Granted, 1)
		if i == 0 {
			b.want("remaining", r.Remaining, 2)
		}
	}
	ask.Cost = 3 // so that it is refused even when a while has passed
	ok, r := b.rate(ask)
	b.is("three tokens of a bucket that was emptied", ok, false)
	b.is("denied", r.Denied, true)
	b.want("granted", r.Granted, 0)
	if r.RetryAfter <= 0 || r.RetryAfter > 3*interval {
		b.Errorf("three tokens are said to be there in %s; want at most %s", r.RetryAfter, 3*interval)
	}
	if r.ResetAfter <= 0 || r.ResetAfter > 3*interval {
		b.Errorf("the bucket is said to be full in %s; want at most %s", r.ResetAfter, 3*interval)
	}
	b.advance(r.RetryAfter)
	ok, _ = b.rate(ask)
	b.is("three tokens when there were said to be", ok, true)
	b.advance(5 * interval)
	ask.Cost = 0
	_, r = b.rate(ask)
	b.want("remaining after a long time", r.Remaining, 3)
	b.want("time until a full bucket is full", int64(r.ResetAfter), 0)
}

func testAllOrNothing(_ *testing.T, b bench) {
	empty := quota.RateAsk{Name: "empty", Interval: time.Hour, Burst: 1, Cost: 1}
	if ok, _ := b.rate(empty); !ok {
		b.Fatal("the only token is refused")
	}
	all := func(empty quota.RateAsk) quota.Ask {
		return quota.Ask{
			Rates: []quota.RateAsk{slow(4), empty},
			Slots: []quota.SlotAsk{{Name: "jobs", Limit: 1, ID: "a", TTL: time.Hour}},
			Units: []quota.UnitsAsk{month(5, 100)},
		}
	}
	answer := b.admit(all(empty))
	b.is("a request of which one limit refuses", answer.Admitted, false)
	b.is("the limit that refuses", answer.Rates[1].Denied, true)
	b.is("the limit that doesn't", answer.Rates[0].Denied, false)
	b.want("granted", answer.Rates[0].Granted+answer.Units[0].Granted, 0)
	b.is("slot granted", answer.Slots[0].Granted, false)

	empty.Cost = 0
	answer = b.admit(quota.Ask{
		Rates: []quota.RateAsk{slow(0)},
		Slots: []quota.SlotAsk{{Name: "jobs", Limit: 1}},
		Units: []quota.UnitsAsk{month(0, 100)},
	})
	b.want("remaining of the other rate", answer.Rates[0].Remaining, 10)
	b.want("held slots", answer.Slots[0].Held, 0)
	b.want("units used", answer.Units[0].Used, 0)

	answer = b.admit(all(empty))
	b.is("the same without the limit that refuses", answer.Admitted, true)
	b.want("granted", answer.Rates[0].Granted, 4)
	b.want("remaining", answer.Rates[0].Remaining, 6)
	b.want("held slots", answer.Slots[0].Held, 1)
	b.want("units used", answer.Units[0].Used, 5)

	for _, ask := range []quota.Ask{
		{Rates: []quota.RateAsk{slow(1)}, Slots: []quota.SlotAsk{{Name: "jobs", Limit: 1, ID: "b", TTL: time.Hour}}},
		{Rates: []quota.RateAsk{slow(1)}, Units: []quota.UnitsAsk{month(96, 100)}},
	} {
		answer = b.admit(ask)
		b.is("a request whose slot or units are refused", answer.Admitted, false)
		b.want("remaining of its rate", answer.Rates[0].Remaining, 6)
	}
}

func testPeek(_ *testing.T, b bench) {
	b.rate(slow(10))
	for range 3 {
		ok, r := b.rate(slow(0))
		b.is("a look at an empty bucket", ok, true)
		b.is("denied", r.Denied, false)
		b.want("remaining", r.Remaining, 0)
	}
	ok, s := b.slot(quota.SlotAsk{Name: "none", Limit: 0})
	b.is("a look at slots of which there are none", ok, true)
	b.is("denied", s.Denied, false)
}

func testAtMost(_ *testing.T, b bench) {
	ask := slow(7)
	ask.AtMost = true
	for _, want := range []int64{7, 3} {
		ok, r := b.rate(ask)
		b.is("admitted", ok, true)
		b.want("granted of at most 7", r.Granted, want)
	}
	ok, r := b.rate(ask)
	b.is("at most 7 of an empty bucket", ok, false)
	if r.RetryAfter <= 0 || r.RetryAfter > time.Hour {
		b.Errorf("a token is said to be there in %s; want at most %s", r.RetryAfter, time.Hour)
	}
}

func testShadow(_ *testing.T, b bench) {
	b.rate(slow(8))
	shadow := slow(5)
	shadow.Shadow = true
	ok, r := b.rate(shadow)
	b.is("a shadow that would refuse", ok, true)
	b.is("would refuse", r.Denied, true)
	b.want("granted", r.Granted, 0)
	b.want("remaining", r.Remaining, 2)

	slot := quota.SlotAsk{Name: "jobs", Limit: 1, TTL: time.Hour, Shadow: true}
	for i, id := range []string{"a", "b"} {
		slot.ID = id
		ok, s := b.slot(slot)
		b.is("a shadow's slot", ok && s.Granted, true)
		b.is("would be refused", s.Denied, i == 1)
		b.want("held", s.Held, int64(i)+1)
	}
	units := month(8, 10)
	units.Shadow = true
	for i := range int64(2) {
		ok, u := b.units(units)
		b.is("a shadow's units", ok, true)
		b.is("would be refused", u.Denied, i == 1)
		b.want("units used", u.Used, 8*(i+1))
	}
}

func testReturnTokens(_ *testing.T, b bench) {
	back := func(tokens int64) {
		b.giveBack(quota.Back{Rates: []quota.RateBack{{Name: "slow", Tokens: tokens}}})
	}
	back(5) // of a bucket that nobody has used
	b.rate(slow(6))
	back(2)
	_, r := b.rate(slow(0))
	b.want("remaining after 6 were taken and 2 returned", r.Remaining, 6)
	back(1_000_000)
	_, r = b.rate(slow(0))
	b.want("remaining after too much was returned", r.Remaining, 10)
}

func testPlanChange(_ *testing.T, b bench) {
	small := quota.RateAsk{Name: "api", Interval: time.Hour, Burst: 10, Cost: 8}
	b.rate(small)
	large := quota.RateAsk{Name: "api", Interval: 30 * time.Minute, Burst: 100}
	_, r := b.rate(large)
	b.want("remaining of the larger plan after 8 of the smaller", r.Remaining, 92)
	large.Cost = 50
	ok, _ := b.rate(large)
	b.is("50 of the larger plan", ok, true)
	small.Cost = 1
	ok, r = b.rate(small)
	b.is("one token when the smaller plan is back", ok, false)
	b.want("remaining", r.Remaining, 0)
	if r.RetryAfter <= 0 || r.RetryAfter > time.Hour {
		b.Errorf("a token is said to be there in %s; want at most %s, whatever the larger plan has used", r.RetryAfter, time.Hour)
	}
	b.advance(100 * time.Millisecond)
	again := r.RetryAfter
	_, r = b.rate(small)
	if r.RetryAfter >= again {
		b.Errorf("a token is said to be there in %s, and a while before it was in %s", r.RetryAfter, again)
	}
}
