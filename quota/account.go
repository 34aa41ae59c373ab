package quota

// weighed is what a request would take, and what is answered to it.
type weighed struct {
	answer  Answer
	buckets []*bucket
	counts  []count
}

// weigh decides, and takes nothing. It notes what leases have spent, and what seeds say.
func (a *account) weigh(now int64, ask Ask) weighed {
	d := weighed{answer: ask.answer()}
	for i, r := range ask.Rates {
		b := a.rates[r.Name]
		if b == nil {
			b = &bucket{}
		}
		b.open(now, r.Interval.Microseconds(), r.Burst)
		b.settle(r.Lease.ID, r.Lease.Used)
		d.buckets = append(d.buckets, b)
		d.answer.Rates[i] = r.weigh(now, b)
		if d.answer.Rates[i].Denied && !r.Shadow {
			d.answer.Admitted = false
		}
	}
	for i, s := range ask.Slots {
		d.answer.Slots[i] = a.weighSlot(now, s)
		if d.answer.Slots[i].Denied && !s.Shadow {
			d.answer.Admitted = false
		}
	}
	for i, u := range ask.Units {
		c, known := a.counts[u.Name].current(now, u)
		if known {
			a.counts[u.Name] = c
		}
		d.counts = append(d.counts, c)
		d.answer.Units[i] = u.weigh(c, known)
		if !known || d.answer.Units[i].Denied && !u.Shadow {
			d.answer.Admitted = false
		}
	}
	if !d.answer.Admitted {
		for i := range d.answer.Rates {
			d.answer.Rates[i].Granted = 0
		}
		for i := range d.answer.Units {
			d.answer.Units[i].Granted = 0
		}
	}
	return d
}

// answer is one that admits, with room for all limits.
func (ask Ask) answer() Answer {
	a := Answer{Admitted: true}
	if len(ask.Rates) > 0 {
		a.Rates = make([]RateAnswer, len(ask.Rates))
	}
	if len(ask.Slots) > 0 {
		a.Slots = make([]SlotAnswer, len(ask.Slots))
	}
	if len(ask.Units) > 0 {
		a.Units = make([]UnitsAnswer, len(ask.Units))
	}
	return a
}

// take does what was admitted.
func (a *account) take(now int64, ask Ask, d *weighed) {
	for i, r := range ask.Rates {
		b, answer := d.buckets[i], &d.answer.Rates[i]
		r.take(now, b, answer)
		a.rates[r.Name] = b
	}
	for i, s := range ask.Slots {
		if s.ID == "" {
			continue
		}
		held := a.slots[s.Name]
		if held == nil {
			held = make(map[string]int64)
			a.slots[s.Name] = held
		}
		held[s.ID] = now + s.TTL.Microseconds()
		a.until = max(a.until, held[s.ID])
		d.answer.Slots[i].Granted = true
		d.answer.Slots[i].Held = int64(len(held))
	}
	for i, u := range ask.Units {
		c := d.counts[i]
		c.used = min(c.used+d.answer.Units[i].Granted, mostUsed)
		d.answer.Units[i].Used = c.used
		a.counts[u.Name] = c
	}
}

// weigh is the answer about an open bucket if nothing is taken.
func (r *RateAsk) weigh(now int64, b *bucket) RateAnswer {
	answer := RateAnswer{Remaining: b.left(now, r.Burst), ResetAfter: micros(b.full - now)}
	answer.Granted, answer.Denied = grant(r.Cost, answer.Remaining, r.AtMost)
	if answer.Denied {
		need := r.Cost
		if r.AtMost {
			need = 1
		}
		answer.RetryAfter = micros(b.wait(now, r.Burst, need))
	}
	return answer
}

// take takes what was granted from an open bucket, and the lease that is asked.
func (r *RateAsk) take(now int64, b *bucket, answer *RateAnswer) {
	b.take(answer.Granted)
	left := b.left(now, r.Burst)
	if r.Lease.Want > 0 && left > 0 {
		answer.Leased = min(r.Lease.Want, left)
		b.leases = append(b.leases, lease{r.Lease.ID, answer.Leased, now + r.Lease.TTL.Microseconds()})
		left -= answer.Leased
	}
	answer.Remaining, answer.ResetAfter = left, micros(b.full-now)
}

// grant is how much of a cost can be taken from what is left.
func grant(cost, left int64, atMost bool) (granted int64, denied bool) {
	switch {
	case cost <= left:
		return cost, false
	case atMost && left > 0:
		return left, false
	}
	return 0, true
}

func (a *account) weighSlot(now int64, s SlotAsk) SlotAnswer {
	held := a.slots[s.Name]
	for id, end := range held {
		if end <= now {
			delete(held, id)
		}
	}
	answer := SlotAnswer{Held: int64(len(held))}
	if _, renewed := held[s.ID]; s.ID != "" && !renewed {
		answer.Denied = answer.Held >= s.Limit
	}
	return answer
}
