package quota

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tenantwall/tenantwall/tenant"
)

// PlanSet is [Plans] from code: a few plans by name, the same for every tenant that has
// them. Make one with [NewPlans]. It may be used by several goroutines at once.
type PlanSet struct {
	standard string
	plans    map[string]*Plan
}

// NewPlans makes a PlanSet. standard names the plan of a tenant that nobody gave one, and
// is among plans. The error is [ErrBadPlan] when one of them is not valid.
func NewPlans(standard string, plans ...Plan) (*PlanSet, error) {
	set := &PlanSet{standard: standard, plans: make(map[string]*Plan, len(plans))}
	var problems []error
	for _, p := range plans {
		if err := p.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("plan %q: %w", p.Name, err))
		}
		if _, twice := set.plans[p.Name]; twice {
			problems = append(problems, fmt.Errorf("quota: %w: plan %q is there twice", ErrBadPlan, p.Name))
		}
		set.plans[p.Name] = &p
	}
	if _, ok := set.plans[standard]; !ok {
		problems = append(problems, fmt.Errorf("quota: %w: the default %q is none of them", ErrUnknownPlan, standard))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return set, nil
}

// Plan is the plan that t.Plan names, or the default when it names none. The error is
// [ErrUnknownPlan].
func (s *PlanSet) Plan(_ context.Context, t tenant.Tenant) (Plan, error) {
	p, err := s.plan(&t)
	if err != nil {
		return Plan{}, err
	}
	return *p, nil
}

// plan is Plan without a copy: nobody changes what it points to.
func (s *PlanSet) plan(t *tenant.Tenant) (*Plan, error) {
	p, ok := s.plans[cmp.Or(t.Plan, s.standard)]
	if !ok {
		return nil, fmt.Errorf("quota: %w: %q of tenant %s", ErrUnknownPlan, t.Plan, t.ID)
	}
	return p, nil
}

// Has reports whether there is a plan of this name.
func (s *PlanSet) Has(name string) bool {
	_, ok := s.plans[name]
	return ok
}

// Names are the names of all plans, sorted.
func (s *PlanSet) Names() []string { return slices.Sorted(maps.Keys(s.plans)) }
