package ledger

import (
	"maps"
	"slices"

	"github.com/tenantwall/tenantwall/quota"
)

// Override is in what a tenant's plan differs from that of others who have it. It stays when
// the plan is changed, and when the tenant gets another plan. The zero value differs in
// nothing.
type Override struct {
	// Rates, Concurrency and Units take the place of the plan's limits of the same name, of
	// whatever kind these are, or are added.
	Rates       []quota.Rate
	Concurrency []quota.Concurrency
	Units       []quota.Units

	// Seats and Workflow take the place of the plan's when they are not nil.
	Seats    *int
	Workflow *quota.Workflow

	// Features take the place of the plan's of the same name, or are added.
	Features map[string]string
}

// Apply is the plan with what the override says. It leaves p as it is. The result keeps the
// name and the version of p.
func (o Override) Apply(p quota.Plan) quota.Plan {
	replaced := make(map[string]bool)
	for _, r := range o.Rates {
		replaced[r.Name] = true
	}
	for _, c := range o.Concurrency {
		replaced[c.Name] = true
	}
	for _, u := range o.Units {
		replaced[u.Name] = true
	}
	p.Rates = merge(p.Rates, o.Rates, replaced, func(r quota.Rate) string { return r.Name })
	p.Concurrency = merge(p.Concurrency, o.Concurrency, replaced, func(c quota.Concurrency) string { return c.Name })
	p.Units = merge(p.Units, o.Units, replaced, func(u quota.Units) string { return u.Name })
	if o.Seats != nil {
		p.Seats = *o.Seats
	}
	if o.Workflow != nil {
		p.Workflow = *o.Workflow
	}
	if len(o.Features) > 0 {
		features := make(map[string]string, len(p.Features)+len(o.Features))
		maps.Copy(features, p.Features)
		maps.Copy(features, o.Features)
		p.Features = features
	}
	return p
}

// merge is a plan's limits of one kind, each in its place, and behind them those that the
// override adds.
func merge[L any](plan, override []L, replaced map[string]bool, name func(L) string) []L {
	if len(replaced) == 0 {
		return plan
	}
	var merged []L
	left := slices.Clone(override)
	for _, limit := range plan {
		i := slices.IndexFunc(left, func(o L) bool { return name(o) == name(limit) })
		switch {
		case i >= 0:
			merged = append(merged, left[i])
			left = slices.Delete(left, i, i+1)
		case !replaced[name(limit)]:
			merged = append(merged, limit)
		}
	}
	return append(merged, left...)
}

// check says what is wrong with an override by itself. The error is [quota.ErrBadPlan].
func (o Override) check() error {
	return o.Apply(quota.Plan{Name: "override"}).Validate()
}

func (o Override) document() document {
	d := documentOf(quota.Plan{Rates: o.Rates, Concurrency: o.Concurrency, Units: o.Units, Features: o.Features})
	d.Seats = o.Seats
	if o.Workflow != nil {
		d.Workflow = new(workflowDocument(*o.Workflow))
	}
	return d
}

func (d document) override() Override {
	p := d.plan("", 0)
	o := Override{Rates: p.Rates, Concurrency: p.Concurrency, Units: p.Units, Seats: d.Seats, Features: d.Features}
	if d.Workflow != nil {
		o.Workflow = new(p.Workflow)
	}
	return o
}
