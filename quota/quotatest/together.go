package quotatest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// hostile are names with which a key that is put together carelessly is another's.
func hostile() []string {
	return []string{
		"a", "A", " a", "a ", "a a", "a:b", "a:", ":a", "c:a", ":c:a", "a:c:a", "r", "ra", "rra", "u", "ua", "{", "}", "{a}", "}{", "*", "?", "[a]",
		"a\x00", "\x00a", "\n", "a\r\nb", "'", `"`, `\`, "%d", "%s", "$1", "\xff", "ä", "0", "-1", "1 2 3 4", "nil", "KEYS[1]",
	}
}

// testIsolation takes one token, slot and unit of each name of one tenant and sees that each
// name has lost one, and another tenant nothing.
func testIsolation(t *testing.T, b bench) {
	other := bench{T: t, backend: b.backend, advance: b.advance, in: tenant.NewID()}
	other.in = b.in
	other.in[15] ^= 1 // a neighbour in every order
	ask := func(name string, cost int64) quota.Ask {
		s := quota.SlotAsk{Name: name, Limit: 5, TTL: time.Hour}
		if cost > 0 {
			s.ID = "a"
		}
		u := month(cost, 10)
		u.Name = name
		return quota.Ask{
			Rates: []quota.RateAsk{{Name: name, Interval: time.Hour, Burst: 10, Cost: cost}},
			Slots: []quota.SlotAsk{s}, Units: []quota.UnitsAsk{u},
		}
	}
	for _, name := range hostile() {
		if !b.admit(ask(name, 1)).Admitted {
			b.Errorf("a first request with the name %q is refused", name)
		}
	}
	for _, name := range hostile() {
		a := b.admit(ask(name, 0))
		if a.Rates[0].Remaining != 9 || a.Slots[0].Held != 1 || a.Units[0].Used != 1 {
			b.Errorf("of the name %q remain %d tokens, are held %d slots, are used %d units; want 9, 1 and 1",
				name, a.Rates[0].Remaining, a.Slots[0].Held, a.Units[0].Used)
		}
		a = other.admit(ask(name, 0))
		if a.Rates[0].Remaining != 10 || a.Slots[0].Held != 0 || a.Units[0].Used != 0 {
			b.Errorf("the use of one tenant's name %q is another's: remain %d tokens, are held %d slots, are used %d units; want 10, 0 and 0",
				name, a.Rates[0].Remaining, a.Slots[0].Held, a.Units[0].Used)
		}
	}
}

// testConcurrent has many callers at once take all there is.
func testConcurrent(_ *testing.T, b bench) {
	const callers, each, limit = 16, 10, 100
	var tokens, slots, units atomic.Int64
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for n := range each {
				id := string([]byte{'a' + byte(caller), 'a' + byte(n)})
				for what, ask := range map[*atomic.Int64]quota.Ask{
					&tokens: {Rates: []quota.RateAsk{{Name: "hot", Interval: time.Hour, Burst: limit, Cost: 1}}},
					&slots:  {Slots: []quota.SlotAsk{{Name: "hot", Limit: limit, ID: id, TTL: time.Hour}}},
					&units:  {Units: []quota.UnitsAsk{month(1, limit)}},
				} {
					ask.Keep = keep
					answer, err := b.backend.Admit(b.Context(), b.in, ask)
					if err != nil {
						b.Errorf("Admit among others: %v", err)
					}
					if answer.Admitted {
						what.Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	b.want("tokens taken by many at once", tokens.Load(), limit)
	b.want("slots taken by many at once", slots.Load(), limit)
	b.want("units taken by many at once", units.Load(), limit)
}

func testCancelled(_ *testing.T, b bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if _, err := b.backend.Admit(ctx, b.in, quota.Ask{Rates: []quota.RateAsk{slow(1)}, Keep: keep}); err == nil {
		b.Error("Admit in a context that has ended returned no error")
	}
	if err := b.backend.Return(ctx, b.in, quota.Back{}); err == nil {
		b.Error("Return in a context that has ended returned no error")
	}
	if _, err := b.backend.Renew(ctx, b.in, quota.HeldSlot{Name: "jobs", ID: "a"}, time.Hour); err == nil {
		b.Error("Renew in a context that has ended returned no error")
	}
}
