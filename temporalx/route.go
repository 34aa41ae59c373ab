package temporalx

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// Routing chooses the task queue of a tenant's work. Whoever starts a workflow or an
// activity names one of Queues, as ever; the work goes to the queue of that name, or to
// one beside it, which [Tier] says:
//
//	temporalx.Routing{Queues: []string{"work"}}                                       // all tenants share it
//	temporalx.Routing{Queues: …, Default: temporalx.Tier{Shards: 4}}                  // … over four queues
//	temporalx.Routing{Queues: …, Default: temporalx.Tier{PerTenant: true}}            // a queue for each tenant
//	temporalx.Routing{Queues: …, Plans: map[string]temporalx.Tier{"pro": {Name: "fast"}}} // tiered by plan
//
// Shared queues are fair by themselves on a server that has fairness ([CheckServer] tells)
// and need the fewest workers: begin with one. A tier keeps the workers of those who pay
// more free of the others' work. A queue per tenant keeps all apart, at about 1.75 MB and
// 114 goroutines for each worker, most of them idle.
//
// Work of the system ([System]) has a queue of its own beside each, so that it waits behind
// no tenant, and no tenant behind it.
//
// A queue is chosen by the plan and the id that the work carries, and by nothing else, so
// that a workflow decides the same when it is replayed. Work that is running stays where it
// is when the routing changes. An activity or child whose options name no queue stays on
// that of its workflow, and so do those of queues that are not among Queues. [NewPool] runs
// the workers of all of them.
type Routing struct {
	// Queues are the names by which the program knows its queues, the first of which is for
	// workflows that are started without one. None means no routing at all: every queue is
	// taken as it is named. A name has 1 to 200 bytes and no slash.
	Queues []string

	// Default is for plans that are not in Plans.
	Default Tier

	// Plans has the tiers of some plans, by the plan's name.
	Plans map[string]Tier
}

// Tier is where the tenants of some plans have their work done. The zero Tier is the queue
// itself.
type Tier struct {
	// Name is the tier's; tenants of all plans with the same Name share its queues. Empty is
	// the queue without a tier. It has up to 100 bytes, and no slash.
	Name string

	// Shards is the number of queues over which the tenants are spread, from 1 to 1000; 0
	// means 1. When it grows, the new queues get their share of tenants and nobody moves
	// between the old ones; work that is under way stays. When it shrinks, the queues that go
	// have to be served until they are empty: [PoolConfig] has Also for that.
	Shards int

	// PerTenant gives each tenant a queue of its own. Name and Shards say nothing then.
	PerTenant bool
}

const (
	maxQueue  = 200
	maxTier   = 100
	maxShards = 1000

	// What comes behind a queue's name. Whatever has one of these was made here.
	queueSep    = "/"
	systemQueue = "system"
	tierQueue   = "tier"
	tenantQueue = "t"
)

func (r Routing) check() error {
	var problems []error
	for i, q := range r.Queues {
		if err := checkQueueName(q, maxQueue); err != nil || q == "" {
			problems = append(problems, fmt.Errorf("the setting Routing.Queues: name %d must have 1 to %d bytes, without control characters and %q", i+1, maxQueue, queueSep))
		}
		if slices.Contains(r.Queues[:i], q) {
			problems = append(problems, fmt.Errorf("the setting Routing.Queues names %q twice", q))
		}
	}
	if len(r.Queues) == 0 && (len(r.Plans) > 0 || r.Default != Tier{}) {
		problems = append(problems, errors.New("the setting Routing.Queues is empty: name the queues that Default and Plans are for"))
	}
	if err := r.Default.check(); err != nil {
		problems = append(problems, fmt.Errorf("the setting Routing.Default: %w", err))
	}
	shards := map[string]int{r.Default.Name: r.Default.shards()}
	if r.Default.PerTenant {
		clear(shards)
	}
	for _, plan := range slices.Sorted(maps.Keys(r.Plans)) {
		tier := r.Plans[plan]
		if err := tier.check(); err != nil {
			problems = append(problems, fmt.Errorf("the setting Routing.Plans[%q]: %w", plan, err))
		}
		if tier.PerTenant {
			continue
		}
		if n, known := shards[tier.Name]; known && n != tier.shards() {
			problems = append(problems, fmt.Errorf("the setting Routing.Plans[%q]: the tier %q has %d shards here and %d elsewhere", plan, tier.Name, tier.shards(), n))
		}
		shards[tier.Name] = tier.shards()
	}
	return errors.Join(problems...)
}

func (t Tier) check() error {
	switch {
	case t.Shards < 0 || t.Shards > maxShards:
		return fmt.Errorf("the number of shards is %d, and must be from 0 to %d", t.Shards, maxShards)
	case checkQueueName(t.Name, maxTier) != nil:
		return fmt.Errorf("a tier's name must have up to %d bytes, without control characters and %q", maxTier, queueSep)
	case t.PerTenant && (t.Name != "" || t.Shards != 0):
		return errors.New("a tier with a queue per tenant has no name and no shards")
	}
	return nil
}

func checkQueueName(s string, most int) error {
	if strings.Contains(s, queueSep) {
		return errors.New("has a slash")
	}
	return checkText(s, most)
}

func (t Tier) shards() int { return max(1, t.Shards) }

// Queue is the task queue for work of an identity that was to go to the queue of that
// name. It is the name itself when that is of no queue in Queues. A name that Queue has
// made goes to where its own queue's would, so that to choose twice changes nothing, and a
// queue of another tenant can't be reached by its name.
func (r Routing) Queue(name string, of Identity) string {
	base, _, _ := strings.Cut(name, queueSep)
	switch {
	case !slices.Contains(r.Queues, base):
		return name
	case of.IsSystem():
		return join(base, systemQueue)
	}
	tier := r.tier(of.Plan)
	if tier.PerTenant {
		return join(base, tenantQueue, of.Tenant.String())
	}
	return tier.queue(base, shardOf(of.Tenant, tier.shards()))
}

func (r Routing) tier(plan string) Tier {
	if t, ok := r.Plans[plan]; ok {
		return t
	}
	return r.Default
}

// queue is the name of one of a tier's queues. The first has no number: what had one shard
// and grows keeps its queue.
func (t Tier) queue(base string, shard int) string {
	parts := []string{base}
	if t.Name != "" {
		parts = append(parts, tierQueue, t.Name)
	}
	if shard > 0 {
		parts = append(parts, strconv.Itoa(shard))
	}
	return join(parts...)
}

func join(parts ...string) string { return strings.Join(parts, queueSep) }

// Names are all queues to which the routing sends work, but for those of single tenants:
// what has to be served, in a stable order.
func (r Routing) Names() []string {
	tiers := []Tier{r.Default}
	for _, plan := range slices.Sorted(maps.Keys(r.Plans)) {
		tiers = append(tiers, r.Plans[plan])
	}
	var names []string
	for _, base := range r.Queues {
		for _, t := range tiers {
			if t.PerTenant {
				continue
			}
			for shard := range t.shards() {
				names = append(names, t.queue(base, shard))
			}
		}
		names = append(names, join(base, systemQueue))
	}
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(names, func(name string) bool {
		twice := seen[name]
		seen[name] = true
		return twice
	})
}

// TenantNames are the queues of one tenant alone: none, or one beside each of Queues when
// the plan's tier has a queue per tenant.
func (r Routing) TenantNames(of tenant.ID, plan string) []string {
	if of.IsZero() || !r.tier(plan).PerTenant {
		return nil
	}
	names := make([]string, len(r.Queues))
	for i, base := range r.Queues {
		names[i] = join(base, tenantQueue, of.String())
	}
	return names
}

// shardOf is the shard of n, from 0, on which a tenant is: jump consistent hash (Lamping
// and Veach, 2014, arXiv:1406.2294) of the first 8 bytes, big-endian, of the SHA-256 of the
// id's 16 bytes. The id itself would not do, as ids of one hour begin alike.
func shardOf(id tenant.ID, n int) int {
	sum := sha256.Sum256(id[:])
	key := binary.BigEndian.Uint64(sum[:8])
	shard, next := int64(-1), int64(0)
	for next < int64(n) {
		shard = next
		key = key*2862933555777941757 + 1
		next = int64(float64(shard+1) * (float64(1<<31) / float64(key>>33+1)))
	}
	return int(shard)
}
