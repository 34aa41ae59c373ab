package quotatest

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// Harness is what [RunBackend] needs.
type Harness struct {
	// Backend is what is tested. The suite makes up tenants of its own, so that it may hold
	// others.
	Backend quota.Backend

	// Advance moves the backend's clock on. Nil means that it goes with the real time, for
	// which the suite then waits, some seconds in all.
	Advance func(time.Duration)
}

// RunBackend holds a backend to the contract of [quota.Backend].
func RunBackend(t *testing.T, h Harness) {
	t.Helper()
	if h.Backend == nil {
		t.Fatal("quotatest: the harness has no Backend")
	}
	if h.Advance == nil {
		h.Advance = time.Sleep
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, bench)
	}{
		{"RateGivesItsBurstAndThenItsRate", testRate},
		{"RequestIsAdmittedByAllLimitsOrTakesNothing", testAllOrNothing},
		{"CostOfNothingOnlyLooks", testPeek},
		{"AtMostTakesWhatThereIs", testAtMost},
		{"ShadowKeepsNobodyBack", testShadow},
		{"ReturnedTokensMakeNothingFullerThanFull", testReturnTokens},
		{"ChangedPlanKeepsWhatIsUsed", testPlanChange},
		{"LeaseIsOutOfTheBucketUntilItIsSettled", testLeaseSettled},
		{"LeaseThatEndsIsSpent", testLeaseEnds},
		{"LeaseOfAnEarlierPlanGivesNothingElseBack", testLeaseOfAnEarlierPlan},
		{"LeaseIsNeverMoreThanThereIs", testLeaseBounded},
		{"LeasesOfSeveralAreNoMoreThanThereIs", testLeasesOfSeveral},
		{"SlotsAreHeldUpToTheLimit", testSlots},
		{"SlotEndsByItselfUnlessRenewed", testSlotEnds},
		{"UnitsAreUnknownUntilSeeded", testUnitsSeed},
		{"SeedIsKeptWhenTheRequestIsRefused", testUnitsSeedRefused},
		{"UnitsAreCountedByTheirPeriod", testUnitsPeriod},
		{"UnitsHardSoftAndUnlimited", testUnitsLimit},
		{"ReturnedUnitsAreOfTheSamePeriod", testReturnUnits},
		{"TenantsAndLimitsShareNoCount", testIsolation},
		{"ManyAtOnceTakeExactlyTheLimit", testConcurrent},
		{"ContextThatHasEnded", testCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, bench{T: t, backend: h.Backend, advance: h.Advance, in: tenant.NewID()})
		})
	}
}

// bench is one test with a tenant of its own.
type bench struct {
	*testing.T
	backend quota.Backend
	advance func(time.Duration)
	in      tenant.ID
}

// keep is longer than anything in the suite takes.
const keep = 24 * time.Hour

func (b bench) admit(ask quota.Ask) quota.Answer {
	b.Helper()
	ask.Keep = keep
	answer, err := b.backend.Admit(b.Context(), b.in, ask)
	if err != nil {
		b.Fatalf("Admit: %v", err)
	}
	if len(answer.Rates) != len(ask.Rates) || len(answer.Slots) != len(ask.Slots) || len(answer.Units) != len(ask.Units) {
		b.Fatalf("Admit answered about %d rates, %d slots and %d units; asked were %d, %d and %d",
			len(answer.Rates), len(answer.Slots), len(answer.Units), len(ask.Rates), len(ask.Slots), len(ask.Units))
	}
	return answer
}

// rate admits one rate alone.
func (b bench) rate(r quota.RateAsk) (bool, quota.RateAnswer) {
	b.Helper()
	answer := b.admit(quota.Ask{Rates: []quota.RateAsk{r}})
	return answer.Admitted, answer.Rates[0]
}

// slot asks for one slot alone.
func (b bench) slot(s quota.SlotAsk) (bool, quota.SlotAnswer) {
	b.Helper()
	answer := b.admit(quota.Ask{Slots: []quota.SlotAsk{s}})
	return answer.Admitted, answer.Slots[0]
}

// units asks for units alone.
func (b bench) units(u quota.UnitsAsk) (bool, quota.UnitsAnswer) {
	b.Helper()
	answer := b.admit(quota.Ask{Units: []quota.UnitsAsk{u}})
	return answer.Admitted, answer.Units[0]
}

func (b bench) giveBack(back quota.Back) {
	b.Helper()
	if err := b.backend.Return(b.Context(), b.in, back); err != nil {
		b.Fatalf("Return: %v", err)
	}
}

// want compares a number.
func (b bench) want(what string, got, want int64) {
	b.Helper()
	if got != want {
		b.Errorf("%s is %d; want %d", what, got, want)
	}
}

// is compares a fact.
func (b bench) is(what string, got, want bool) {
	b.Helper()
	if got != want {
		b.Errorf("%s: %t; want %t", what, got, want)
	}
}

// slow is a rate that gives no second token while a test runs.
func slow(cost int64) quota.RateAsk {
	return quota.RateAsk{Name: "slow", Interval: time.Hour, Burst: 10, Cost: cost}
}
