package quota

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// What the fields of a tenant's hash begin with.
const (
	ratesField = "r"
	unitsField = "u"
	slotsField = "c"
)

// Flags of the scripts' arguments.
const (
	flagAtMost = 1 << iota
	flagShadow
	flagLease
	flagSoft
	flagSeeded
)

func flag(set bool, value int64) int64 {
	if set {
		return value
	}
	return 0
}

// flags are those of all limits, a digit of base 32 for each; empty when there are none.
func (ask Ask) flags() string {
	var digits [MaxLimits]byte
	b, all := digits[:0], int64(0)
	add := func(flags int64) {
		b = strconv.AppendInt(b, flags, 32)
		all |= flags
	}
	for i := range ask.Rates {
		r := &ask.Rates[i]
		add(flag(r.AtMost, flagAtMost) | flag(r.Shadow, flagShadow) | flag(r.Lease.ID != "", flagLease))
	}
	for i := range ask.Units {
		u := &ask.Units[i]
		add(flag(u.AtMost, flagAtMost) | flag(u.Shadow, flagShadow) | flag(u.Soft, flagSoft) | flag(u.Seeded, flagSeeded))
	}
	for i := range ask.Slots {
		add(flag(ask.Slots[i].Shadow, flagShadow))
	}
	if all == 0 {
		return ""
	}
	return string(b)
}

// appendArgs appends what admit.lua takes.
func (ask Ask) appendArgs(args []any, now int64) []any {
	keep := int64(math.Ceil(float64(ask.Keep)/float64(time.Millisecond))) + 1
	args = append(args, now, keep, len(ask.Rates), len(ask.Units), ask.flags())
	for i := range ask.Rates {
		args = append(args, ratesField+ask.Rates[i].Name)
	}
	for i := range ask.Units {
		args = append(args, unitsField+ask.Units[i].Name)
	}
	for i := range ask.Slots {
		args = append(args, slotsField+ask.Slots[i].Name)
	}
	for i := range ask.Rates {
		r := &ask.Rates[i]
		interval := r.Interval.Microseconds()
		// A cost of more than all there is, which only a shadow's may be, is as good as one more.
		args = append(args, interval, r.Burst*interval, min(r.Cost, r.Burst+1)*interval)
	}
	for i := range ask.Units {
		u := &ask.Units[i]
		args = append(args, u.Period.Start.Unix(), u.Period.End.Unix(), u.Limit, u.Cost, min(u.Seed, mostUsed), u.MaxAge.Microseconds())
	}
	for i := range ask.Slots {
		s := &ask.Slots[i]
		args = append(args, s.Limit, s.ID, s.TTL.Microseconds())
	}
	for i := range ask.Rates {
		if l := &ask.Rates[i].Lease; l.ID != "" {
			args = append(args, l.ID, l.Used, l.Want, l.TTL.Microseconds())
		}
	}
	return args
}

// manyArgs is how many arguments admit.lua takes, with those of leases.
func (ask Ask) manyArgs() int {
	return 5 + 8*len(ask.Rates) + 7*len(ask.Units) + 4*len(ask.Slots)
}

// manyArgs is how many arguments return.lua takes.
func (back Back) manyArgs() int {
	return 4 + 4*len(back.Rates) + len(back.Slots) + 4*len(back.Units)
}

// appendArgs appends what return.lua takes.
func (back Back) appendArgs(args []any, now int64) []any {
	args = append(args, now, len(back.Rates), len(back.Slots), len(back.Units))
	for _, r := range back.Rates {
		args = append(args, r.Name, r.Tokens, r.LeaseID, r.Used)
	}
	for _, s := range back.Slots {
		args = append(args, s.ID)
	}
	for _, u := range back.Units {
		args = append(args, u.Name, u.Period.Start.Unix(), u.Period.End.Unix(), u.N)
	}
	return args
}

// read makes an Answer of the numbers of admit.lua, which tell of the limits before anything
// is taken, by what follows from them in [Memory] too.
func (ask Ask) read(n []int64) (Answer, error) {
	rest := 1 + len(ask.Rates) + len(ask.Units) + len(ask.Slots)
	if len(n) < rest || (len(n)-rest)%2 != 0 {
		return Answer{}, fmt.Errorf("quota: admit: the script answered with %d numbers, not %d", len(n), rest)
	}
	answer := ask.answer()
	answer.Admitted = n[0] == 1
	held := n[rest:]
	n = n[1:]
	for i := range ask.Rates {
		r := &ask.Rates[i]
		b := bucket{full: n[i], interval: r.Interval.Microseconds()}
		for k := 0; k < len(held); k += 2 {
			if held[k] == int64(i+1) {
				b.leases = []lease{{tokens: held[k+1] / b.interval}}
			}
		}
		answer.Rates[i] = r.weigh(0, &b)
		if answer.Admitted {
			r.take(0, &b, &answer.Rates[i])
		} else {
			answer.Rates[i].Granted = 0
		}
	}
	n = n[len(ask.Rates):]
	for i := range ask.Units {
		u := &ask.Units[i]
		a := &answer.Units[i]
		*a = u.weigh(count{used: n[i]}, n[i] >= 0)
		if answer.Admitted {
			a.Used = min(a.Used+a.Granted, mostUsed)
		} else {
			a.Granted = 0
		}
	}
	n = n[len(ask.Units):]
	for i := range ask.Slots {
		held := n[i]
		a := SlotAnswer{Granted: answer.Admitted && ask.Slots[i].ID != ""}
		if a.Denied = held < 0; a.Denied {
			held = -1 - held
			if a.Granted {
				held++
			}
		}
		a.Held = held
		answer.Slots[i] = a
	}
	return answer, nil
}
