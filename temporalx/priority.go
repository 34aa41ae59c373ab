package temporalx

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/sdk/temporal"
)

// Fairness is how a plan's tenants stand towards each other when a queue has more work
// than its workers can do.
type Fairness struct {
	// Weight is the tenant's share, relative to the others that have work waiting: one of
	// weight 5 is given five tasks for each task of one of weight 1. From 0.001 to 1000, which
	// are the server's bounds; 0 means 1.
	Weight float32

	// PriorityKey orders strictly: as long as tasks with a lower number wait, none with a
	// higher one is given out, fair or not. From 1 to 5 on a server with the default settings;
	// 0 means the server's own default, 3. Leave it at 0 for tenants: a priority by plan
	// starves the cheap one whenever the dear one is busy, which a Weight does not.
	PriorityKey int
}

const (
	minWeight      = 0.001
	maxWeight      = 1000
	maxPriorityKey = 100

	// systemFairness is the key of all work of the system. No tenant has it: an id is longer.
	systemFairness = "system"
)

func (f Fairness) check() error {
	switch {
	case f.Weight != 0 && !(f.Weight >= minWeight && f.Weight <= maxWeight): // NaN too
		return fmt.Errorf("the Weight is %v, and must be 0 or from %v to %v", f.Weight, minWeight, maxWeight)
	case f.PriorityKey < 0 || f.PriorityKey > maxPriorityKey:
		return fmt.Errorf("the PriorityKey is %d, and must be 0 or from 1 to %d", f.PriorityKey, maxPriorityKey)
	}
	return nil
}

func checkFairness(plans map[string]Fairness) error {
	var problems []error
	for _, plan := range slices.Sorted(maps.Keys(plans)) {
		if err := plans[plan].check(); err != nil {
			problems = append(problems, fmt.Errorf("the setting Fairness[%q]: %w", plan, err))
		}
	}
	return errors.Join(problems...)
}

// priority is what the server gets to know of work of an identity: the tenant's id as the
// fairness key (36 bytes of the 64 that it takes), the weight of the plan, and the
// priority that the author has given to this one piece of work, or else the plan's.
//
// It is for the server alone. An activity is not told the key with which it was
// scheduled, so it is never read back: a tenant comes from the header.
func priority(plans map[string]Fairness, of Identity, author temporal.Priority) temporal.Priority {
	if of.IsSystem() {
		author.FairnessKey, author.FairnessWeight = systemFairness, 1
		return author
	}
	f, ok := plans[of.Plan]
	if !ok {
		f = plans[""]
	}
	if f.Weight == 0 {
		f.Weight = 1
	}
	author.FairnessKey, author.FairnessWeight = of.Tenant.String(), f.Weight
	if author.PriorityKey == 0 {
		author.PriorityKey = f.PriorityKey
	}
	return author
}
