package quotatest

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

func testSlots(_ *testing.T, b bench) {
	take := func(id string) (bool, quota.SlotAnswer) {
		return b.slot(quota.SlotAsk{Name: "jobs", Limit: 2, ID: id, TTL: time.Hour})
	}
	for i, id := range []string{"a", "b"} {
		ok, s := take(id)
		b.is("a free slot", ok && s.Granted, true)
		b.want("held", s.Held, int64(i)+1)
	}
	ok, s := take("c")
	b.is("a third slot of two", ok || s.Granted, false)
	b.is("denied", s.Denied, true)
	b.want("held", s.Held, 2)
	ok, s = take("b")
	b.is("a slot that is held already", ok && s.Granted, true)
	b.want("held", s.Held, 2)

	for range 2 { // the second time it is no more there
		b.giveBack(quota.Back{Slots: []quota.HeldSlot{{Name: "jobs", ID: "a"}}})
	}
	ok, _ = take("c")
	b.is("the slot that was returned", ok, true)
	ok, _ = take("d")
	b.is("one that was not", ok, false)
	_, s = b.slot(quota.SlotAsk{Name: "other", Limit: 2})
	b.want("held of another limit", s.Held, 0)
}

// Row 37: the slots of a holder that has crashed come back.
func testSlotEnds(_ *testing.T, b bench) {
	const ttl = 2 * time.Second // by a real clock, the machine may stand still for most of it
	take := func(id string) bool {
		ok, _ := b.slot(quota.SlotAsk{Name: "jobs", Limit: 1, ID: id, TTL: ttl})
		return ok
	}
	renew := func(id string, ttl time.Duration) bool {
		renewed, err := b.backend.Renew(b.Context(), b.in, quota.HeldSlot{Name: "jobs", ID: id}, ttl)
		if err != nil {
			b.Fatalf("Renew: %v", err)
		}
		return renewed
	}
	b.is("slot", take("a"), true)
	b.is("renew", renew("a", time.Hour), true)
	b.advance(ttl + 50*time.Millisecond)
	b.is("another slot while the first is renewed", take("b"), false)
	b.is("renew for a short time", renew("a", ttl), true)
	b.advance(ttl + 50*time.Millisecond)
	b.is("renew a slot that has ended", renew("a", time.Hour), false)
	b.is("the slot of a holder that was not heard of", take("b"), true)
	b.is("renew a slot that another one has by now", renew("a", time.Hour), false)
	b.is("renew a slot that never was", renew("z", time.Hour), false)

	long := quota.SlotAsk{Name: "long", Limit: 1, ID: "a", TTL: time.Hour}
	b.slot(long)
	renewed, err := b.backend.Renew(b.Context(), b.in, quota.HeldSlot{Name: "long", ID: "a"}, ttl)
	b.is("renew for a shorter time than it had", renewed && err == nil, true)
	again := quota.SlotAsk{Name: "again", Limit: 2, ID: "a", TTL: ttl}
	b.slot(again)
	b.advance(ttl + 50*time.Millisecond)
	long.ID = "b"
	ok, _ := b.slot(long)
	b.is("the slot that was to end sooner", ok, true)
	_, s := b.slot(again)
	b.want("held when a slot that has ended is taken again", s.Held, 1)
}
