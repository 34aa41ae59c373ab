package quota

import (
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// quick decides by what this process holds, and reports false when that is not enough.
func (l *Limiter) quick(d *Decision, plan *Plan, in tenant.ID, costs []Cost) bool {
	if len(costs) == 0 {
		return false
	}
	k := l.held.get(in)
	if k == nil {
		return false
	}
	now := l.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	enough := true
	for i, c := range costs {
		r := findRate(plan, c.Limit)
		g := k.rate(c.Limit)
		switch {
		case r == nil || g == nil || c.N < 1 || repeated(costs[:i], c.Limit):
			enough = false
		case g.has(r, c.N, now):
		case g.denies(r, c, now):
			d.Plan, d.PlanVersion = plan.Name, plan.Version
			k.refuse(d, g, c, now)
			return true
		default:
			enough = false
		}
	}
	if !enough {
		return false
	}
	d.Allowed, d.Source, d.Limits = true, SourceLease, k.newStates(len(costs))
	d.Plan, d.PlanVersion = plan.Name, plan.Version
	for i := range costs {
		k.rate(costs[i].Limit).take(&d.Limits[i], costs[i].N, now)
	}
	d.Binding = d.Limits[0].Name
	if len(d.Limits) > 1 {
		d.Binding = scarcest(d.Limits)
	}
	return true
}

// repeated reports whether an earlier cost is of the same limit.
func repeated(earlier []Cost, limit string) bool {
	for i := range earlier {
		if earlier[i].Limit == limit {
			return true
		}
	}
	return false
}

// refuse repeats a refusal. The caller has the lock.
func (k *held) refuse(d *Decision, g *holding, c Cost, now time.Duration) {
	d.Binding, d.RetryAfter, d.Source, d.Limits = g.name, g.wait(c, now), SourceMemory, k.newStates(1)
	s := &d.Limits[0]
	s.Name, s.Kind, s.Source = g.name, KindRate, SourceMemory
	s.Limit, s.Per = g.burst, time.Duration(g.burst)*g.interval
	s.Cost, s.Remaining, s.Denied = c.N, g.left, true
	s.ResetAfter, s.RetryAfter = max(g.full-now, 0), d.RetryAfter
}
