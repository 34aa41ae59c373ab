package quota

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tenantwall/tenantwall/tenant"
)

// Unlimited is the Limit of a rate, of concurrency, of units, and the Seats of a plan that
// hold nobody back. It has to be said: a limit that a request names and the plan lacks is
// an error, see [ErrUnknownLimit], so that a misspelt name doesn't set everybody free.
const Unlimited = -1

// Plan is what a tenant may use. It is a value that nobody changes; a later state of the
// same plan has a higher Version.
type Plan struct {
	// Name is what a tenant's Plan names it by; see [CheckName].
	Name string

	// Version grows with each change of the plan. 0 is a plan from code, which changes with
	// the program.
	Version int64

	// Rates, Concurrency and Units are the limits. Each has a name that is its own among
	// all three, for that is what a [Cost] names.
	Rates       []Rate
	Concurrency []Concurrency
	Units       []Units

	// Seats is how many members the tenant may have; 0 is none, [Unlimited] any number.
	Seats int

	// Workflow is how its background work is queued.
	Workflow Workflow

	// Features are the product's own words about the plan, by a name of [CheckName]. This
	// package doesn't read them.
	Features map[string]string
}

// Workflow is how a tenant's workflows and activities are queued by Temporal.
type Workflow struct {
	// PriorityKey is from 1, first, to MaxPriorityKey, last; 0 leaves it to the server.
	PriorityKey int

	// FairnessWeight is the tenant's share beside others of the same priority, from
	// MinFairnessWeight to MaxFairnessWeight; 0 leaves it to the server, which takes 1.
	FairnessWeight float64
}

// Bounds of a [Plan]. Those of [Workflow] are the ones of Temporal's task queues.
const (
	MaxLimits         = 32 // rates, concurrency and units of a plan together
	MaxFeatures       = 256
	MaxFeatureLen     = 1024 // bytes of a feature's value
	MaxPriorityKey    = 5
	MinFairnessWeight = 0.001
	MaxFairnessWeight = 1000
	MaxSeats          = math.MaxInt32
)

// Plans knows what a tenant may use. [PlanSet] is one from code, package quota/ledger has
// one on PostgreSQL.
//
// Plan returns the plan of t that is in force now, by t.Plan and whatever else it knows of
// t; a plan for which [Plan.Validate] returns nil. It returns an error that [errors.Is]
// tells to be [ErrUnknownPlan] when t.Plan names none; any other means that it could not
// tell. With an error nothing is admitted. It is called on every request, by many
// goroutines at once: it is to answer from memory.
type Plans interface {
	Plan(ctx context.Context, t tenant.Tenant) (Plan, error)
}

// ErrUnknownPlan is a tenant's plan that is not there.
var ErrUnknownPlan = errors.New("unknown plan")

// ErrBadPlan is a plan that [Plan.Validate] refuses, wrapped with all that is wrong.
var ErrBadPlan = errors.New("bad plan")

// Validate says what is wrong with a plan: [ErrBadPlan], with each reason on a line of its
// own.
func (p Plan) Validate() error {
	var problems []error
	report := func(what string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
		}
	}
	report(fmt.Sprintf("name %q", p.Name), CheckName(p.Name))
	if p.Version < 0 {
		problems = append(problems, fmt.Errorf("version %d is below 0", p.Version))
	}
	if n := len(p.Rates) + len(p.Concurrency) + len(p.Units); n > MaxLimits {
		problems = append(problems, fmt.Errorf("%d limits are more than %d", n, MaxLimits))
	}
	seen := make(map[string]bool)
	limit := func(name string, err error) {
		if seen[name] {
			problems = append(problems, fmt.Errorf("limit %q is there twice: a name is one limit's, whatever its kind", name))
		}
		seen[name] = true
		report(fmt.Sprintf("limit %q", name), errors.Join(CheckName(name), err))
	}
	for _, r := range p.Rates {
		limit(r.Name, r.check())
	}
	for _, c := range p.Concurrency {
		limit(c.Name, c.check())
	}
	for _, u := range p.Units {
		limit(u.Name, u.check())
	}
	if p.Seats < Unlimited || p.Seats > MaxSeats {
		problems = append(problems, fmt.Errorf("%d seats: must be from 0 to %d, or Unlimited", p.Seats, MaxSeats))
	}
	report("workflow", p.Workflow.check())
	report("features", checkFeatures(p.Features))
	if len(problems) > 0 {
		return fmt.Errorf("quota: %w: %w", ErrBadPlan, errors.Join(problems...))
	}
	return nil
}

func (w Workflow) check() error {
	var problems []error
	if w.PriorityKey < 0 || w.PriorityKey > MaxPriorityKey {
		problems = append(problems, fmt.Errorf("priority key %d: must be from 1, first, to %d, or 0 for the server's", w.PriorityKey, MaxPriorityKey))
	}
	// Written so that not-a-number fails.
	if w.FairnessWeight != 0 && !(w.FairnessWeight >= MinFairnessWeight && w.FairnessWeight <= MaxFairnessWeight) {
		problems = append(problems, fmt.Errorf("fairness weight %v: must be from %v to %v, or 0 for the server's", w.FairnessWeight, MinFairnessWeight, MaxFairnessWeight))
	}
	return errors.Join(problems...)
}

func checkFeatures(features map[string]string) error {
	var problems []error
	if len(features) > MaxFeatures {
		problems = append(problems, fmt.Errorf("%d are more than %d", len(features), MaxFeatures))
	}
	for name, value := range features {
		if err := CheckName(name); err != nil {
			problems = append(problems, fmt.Errorf("%q: %w", name, err))
		}
		if len(value) > MaxFeatureLen {
			problems = append(problems, fmt.Errorf("%q has a value of %d bytes, more than %d", name, len(value), MaxFeatureLen))
		}
	}
	return errors.Join(problems...)
}
