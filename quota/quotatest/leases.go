package quotatest

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

// leased asks for a lease of a slow rate, with a cost beside it.
func leased(cost int64, l quota.LeaseAsk) quota.RateAsk {
	ask := slow(cost)
	ask.Lease = l
	return ask
}

func testLeaseSettled(_ *testing.T, b bench) {
	ok, r := b.rate(leased(1, quota.LeaseAsk{ID: "one", Want: 4, TTL: time.Hour}))
	b.is("one token and a lease of 4", ok, true)
	b.want("leased", r.Leased, 4)
	b.want("remaining", r.Remaining, 5)
	ok, r = b.rate(slow(6))
	b.is("more than is out of the lease", ok, false)
	b.want("remaining", r.Remaining, 5)

	// 3 of 4 were spent: 1 goes back, and 2 are held anew.
	_, r = b.rate(leased(0, quota.LeaseAsk{ID: "one", Used: 3, Want: 2, TTL: time.Hour}))
	b.want("leased anew", r.Leased, 2)
	b.want("remaining", r.Remaining, 4)

	// What was spent counts also when the request is refused, and nothing is held then.
	ok, r = b.rate(leased(9, quota.LeaseAsk{ID: "one", Used: 1, Want: 2, TTL: time.Hour}))
	b.is("9 tokens", ok, false)
	b.want("leased by a request that is refused", r.Leased, 0)
	b.want("remaining", r.Remaining, 5)

	_, r = b.rate(leased(0, quota.LeaseAsk{ID: "two", Want: 5, TTL: time.Hour}))
	b.want("leased", r.Leased, 5)
	b.giveBack(quota.Back{Rates: []quota.RateBack{{Name: "slow", LeaseID: "two", Used: 2}}})
	_, r = b.rate(slow(0))
	b.want("remaining after 2 of 5 were spent and the lease returned", r.Remaining, 3)
	b.giveBack(quota.Back{Rates: []quota.RateBack{{Name: "slow", LeaseID: "two", Used: 0}}})
	_, r = b.rate(slow(0))
	b.want("remaining after it was returned again", r.Remaining, 3)
}

func testLeaseEnds(_ *testing.T, b bench) {
	const ttl = 100 * time.Millisecond
	_, r := b.rate(leased(0, quota.LeaseAsk{ID: "one", Want: 4, TTL: ttl}))
	b.want("leased", r.Leased, 4)
	b.advance(ttl + 10*time.Millisecond)
	_, r = b.rate(slow(0))
	b.want("remaining after a lease of 4 has ended", r.Remaining, 6)
	if r.ResetAfter <= 3*time.Hour || r.ResetAfter > 4*time.Hour {
		b.Errorf("the bucket is said to be full in %s; want little less than %s: the lease's tokens count as spent", r.ResetAfter, 4*time.Hour)
	}
	// Too late, it was all counted.
	_, r = b.rate(leased(0, quota.LeaseAsk{ID: "one", Used: 4, TTL: ttl}))
	b.want("remaining after the lease was settled too late", r.Remaining, 6)
}

// A process that still knows the plan from before gives back what it holds by it, and with
// that nothing of what was used by the larger plan since.
func testLeaseOfAnEarlierPlan(_ *testing.T, b bench) {
	before := quota.RateAsk{Name: "api", Interval: time.Hour, Burst: 10, Lease: quota.LeaseAsk{ID: "one", Want: 4, TTL: time.Hour}}
	_, r := b.rate(before)
	b.want("leased", r.Leased, 4)
	now := quota.RateAsk{Name: "api", Interval: 30 * time.Minute, Burst: 100, Cost: 60}
	_, r = b.rate(now)
	b.want("remaining of the larger plan", r.Remaining, 36)
	b.giveBack(quota.Back{Rates: []quota.RateBack{{Name: "api", LeaseID: "one", Used: 1}}})
	now.Cost = 0
	_, r = b.rate(now)
	b.want("remaining when the lease of the smaller one came back, 1 of 4 spent", r.Remaining, 39)
	b.giveBack(quota.Back{Rates: []quota.RateBack{{Name: "api", Tokens: 1}}})
	_, r = b.rate(now)
	b.want("remaining when a token of the smaller one came back", r.Remaining, 40)
}

func testLeaseBounded(_ *testing.T, b bench) {
	_, r := b.rate(leased(7, quota.LeaseAsk{ID: "one", Want: 100, TTL: time.Hour}))
	b.want("leased of 3 that were left", r.Leased, 3)
	b.want("remaining", r.Remaining, 0)
	ok, _ := b.rate(slow(1))
	b.is("a token when all are leased", ok, false)
	// What it says to have spent beyond what it held is not believed.
	_, r = b.rate(leased(0, quota.LeaseAsk{ID: "one", Used: 1000, TTL: time.Hour}))
	if r.ResetAfter > 10*time.Hour {
		b.Errorf("the bucket is said to be full in %s; want at most %s", r.ResetAfter, 10*time.Hour)
	}
}

func testLeasesOfSeveral(_ *testing.T, b bench) {
	_, r := b.rate(leased(0, quota.LeaseAsk{ID: "one", Want: 6, TTL: time.Hour}))
	b.want("leased", r.Leased, 6)
	_, r = b.rate(leased(1, quota.LeaseAsk{ID: "two", Want: 100, TTL: time.Hour}))
	b.want("leased of what the other one and the cost have left", r.Leased, 3)
	b.want("remaining", r.Remaining, 0)
	b.giveBack(quota.Back{Rates: []quota.RateBack{{Name: "slow", LeaseID: "one", Used: 2}}})
	_, r = b.rate(slow(0))
	b.want("remaining when the other one has given back 4 of 6", r.Remaining, 4)
}
