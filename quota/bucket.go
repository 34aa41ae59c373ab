package quota

import "math"

// bucket is the state of a rate in [Memory]; admit.lua has the same in another language.
// Times are microseconds since 1970.
type bucket struct {
	// full is when the bucket is full again (the theoretical arrival time of the algorithm).
	full     int64
	interval int64 // between two tokens, when full was last written
	leases   []lease
}

// lease is tokens that are held for one process.
type lease struct {
	id     string
	tokens int64
	end    int64
}

// open brings the bucket to the present: leases that have ended are spent, and after a
// change of the plan as many tokens stay used as were before, up to all that there are.
func (b *bucket) open(now, interval, burst int64) {
	if b.interval == 0 {
		b.full, b.interval = now, interval
		return
	}
	b.pass(now)
	used := b.full - now
	if b.interval != interval {
		// In floating point as in Lua, for the product may exceed 64 bits.
		used = int64(math.Ceil(float64(used) * float64(interval) / float64(b.interval)))
		b.interval = interval
	}
	b.full = now + min(used, burst*interval)
}

// pass lets time pass: leases that have ended are spent.
func (b *bucket) pass(now int64) {
	alive := b.leases[:0]
	for _, l := range b.leases {
		if l.end > now {
			alive = append(alive, l)
			continue
		}
		b.full = max(b.full, l.end) + l.tokens*b.interval
	}
	b.leases = alive
	b.full = max(b.full, now)
}

// held is how many tokens are in leases.
func (b *bucket) held() int64 {
	var sum int64
	for _, l := range b.leases {
		sum += l.tokens
	}
	return sum
}

// left is how many tokens there are to take, of an open bucket.
func (b *bucket) left(now, burst int64) int64 {
	return max((burst*b.interval-(b.full-now))/b.interval-b.held(), 0)
}

// wait is how long it takes until there are so many tokens, of an open bucket.
func (b *bucket) wait(now, burst, tokens int64) int64 {
	return max(b.full+(tokens+b.held()-burst)*b.interval-now, 0)
}

func (b *bucket) take(tokens int64) { b.full += tokens * b.interval }

func (b *bucket) give(now, tokens int64) { b.full = max(b.full-tokens*b.interval, now) }

// settle ends a lease that is held: what was used of it is spent.
func (b *bucket) settle(id string, used int64) {
	for i, l := range b.leases {
		if l.id == id {
			b.take(min(used, l.tokens))
			b.leases = append(b.leases[:i], b.leases[i+1:]...)
			return
		}
	}
}
