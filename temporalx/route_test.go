package temporalx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func idOf(t require.TestingT, s string) tenant.ID {
	id, err := tenant.ParseID(s)
	require.NoError(t, err)
	return id
}

func tenants(n int) []tenant.ID {
	ids := make([]tenant.ID, n)
	for i := range ids {
		ids[i] = tenant.NewID()
	}
	return ids
}

func TestAQueueIsChosenByPlanAndTenant(t *testing.T) {
	t.Parallel()
	acme := idOf(t, "01890a5d-ac96-774b-bcce-b302099a8057")
	shared := temporalx.Routing{Queues: []string{"work", "mail"}}
	tiered := temporalx.Routing{Queues: []string{"work"}, Plans: map[string]temporalx.Tier{
		"pro": {Name: "fast"}, "enterprise": {PerTenant: true}, "trial": {Name: "slow", Shards: 2},
	}}
	for _, c := range []struct {
		name    string
		routing temporalx.Routing
		queue   string
		of      temporalx.Identity
		want    string
	}{
		{"no routing leaves a queue alone", temporalx.Routing{}, "work", temporalx.Identity{Tenant: acme}, "work"},
		{"all share a queue", shared, "mail", temporalx.Identity{Tenant: acme}, "mail"},
		{"a queue that is not the routing's is left alone", tiered, "billing", temporalx.Identity{Tenant: acme, Plan: "pro"}, "billing"},
		{"and so is one of another worker of a session", tiered, "host@1:uuid", temporalx.Identity{Tenant: acme, Plan: "pro"}, "host@1:uuid"},
		{"the system is apart", shared, "work", temporalx.Identity{System: "billing run"}, "work/system"},
		{"a plan has a tier", tiered, "work", temporalx.Identity{Tenant: acme, Plan: "pro"}, "work/tier/fast"},
		{"other plans have the default", tiered, "work", temporalx.Identity{Tenant: acme, Plan: "free"}, "work"},
		{"a tier with a queue per tenant", tiered, "work", temporalx.Identity{Tenant: acme, Plan: "enterprise"}, "work/t/" + acme.String()},
		{"a shard of a tier", tiered, "work", temporalx.Identity{Tenant: acme, Plan: "trial"}, "work/tier/slow/1"},
		{"another tenant's queue leads to one's own", tiered, "work/t/01890a5d-ac96-774b-bcce-b302099a8058", temporalx.Identity{Tenant: acme, Plan: "enterprise"}, "work/t/" + acme.String()},
		{"the system's queue leads a tenant to its own", tiered, "work/system", temporalx.Identity{Tenant: acme, Plan: "pro"}, "work/tier/fast"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := c.routing.Queue(c.queue, c.of)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want, c.routing.Queue(got, c.of), "to choose twice changes nothing")
		})
	}
}

func TestNamesAreTheQueuesThatWorkGoesTo(t *testing.T) {
	t.Parallel()
	routing := temporalx.Routing{
		Queues:  []string{"work", "mail"},
		Default: temporalx.Tier{Shards: 2},
		Plans: map[string]temporalx.Tier{
			"pro": {Name: "fast"}, "max": {Name: "fast"}, "enterprise": {PerTenant: true},
		},
	}
	assert.Equal(t, []string{
		"work", "work/1", "work/tier/fast", "work/system",
		"mail", "mail/1", "mail/tier/fast", "mail/system",
	}, routing.Names())
	for _, id := range tenants(100) {
		for _, plan := range []string{"", "free", "pro", "max"} {
			assert.Contains(t, routing.Names(), routing.Queue("mail", temporalx.Identity{Tenant: id, Plan: plan}))
			assert.Empty(t, routing.TenantNames(id, plan))
		}
		own := routing.TenantNames(id, "enterprise")
		assert.Equal(t, []string{"work/t/" + id.String(), "mail/t/" + id.String()}, own)
		assert.Contains(t, own, routing.Queue("mail", temporalx.Identity{Tenant: id, Plan: "enterprise"}))
	}
	assert.Empty(t, temporalx.Routing{}.Names())
	assert.Empty(t, routing.TenantNames(tenant.ID{}, "enterprise"))
}

// The shards of these tenants are what the documentation of the hash says, and stay so:
// queues with work in them go by these names.
func TestTheHashOfShardsNeverChanges(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"01890a5d-ac96-774b-bcce-b302099a8057": "q q/1 q/2 q/3 q/6 q/11 q/79 q/733",
		"01890a5d-ac96-774b-bcce-b302099a8058": "q q q q q q/10 q/51 q/126",
		"00000000-0000-7000-8000-000000000001": "q q/1 q/1 q/1 q/1 q/10 q/10 q/382",
		"ffffffff-ffff-7fff-bfff-ffffffffffff": "q q/1 q/1 q/1 q/6 q/13 q/79 q/556",
	} {
		var got []string
		for _, n := range []int{1, 2, 3, 4, 8, 16, 100, 1000} {
			routing := temporalx.Routing{Queues: []string{"q"}, Default: temporalx.Tier{Shards: n}}
			got = append(got, routing.Queue("q", temporalx.Identity{Tenant: idOf(t, id)}))
		}
		assert.Equal(t, want, strings.Join(got, " "), id)
	}
}

func TestTenantsAreSpreadEvenlyOverShards(t *testing.T) {
	t.Parallel()
	const n, shards = 8000, 8
	routing := temporalx.Routing{Queues: []string{"q"}, Default: temporalx.Tier{Shards: shards}}
	counts := make(map[string]int)
	for _, id := range tenants(n) {
		counts[routing.Queue("q", temporalx.Identity{Tenant: id})]++
	}
	for queue, count := range counts {
		assert.InDelta(t, n/shards, count, 200, queue) // six standard deviations
	}
	assert.Len(t, counts, shards)
}

func TestGrowingShardsMovesTenantsToTheNewOnesAlone(t *testing.T) {
	t.Parallel()
	ids := tenants(2000)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(1, 40).Draw(t, "from")
		to := rapid.IntRange(from, 60).Draw(t, "to")
		moved := 0
		for _, id := range ids {
			before := queueOf(id, from)
			after := queueOf(id, to)
			if before == after {
				continue
			}
			moved++
			var shard int
			_, err := fmt.Sscanf(after, "q/%d", &shard)
			require.NoError(t, err)
			require.GreaterOrEqual(t, shard, from, "a tenant moved from %s to %s", before, after)
		}
		require.InDelta(t, float64(to-from)/float64(to), float64(moved)/float64(len(ids)), 0.08)
	})
}

func queueOf(id tenant.ID, shards int) string {
	routing := temporalx.Routing{Queues: []string{"q"}, Default: temporalx.Tier{Shards: shards}}
	return routing.Queue("q", temporalx.Identity{Tenant: id})
}

func TestSettingsOfDispatchAreChecked(t *testing.T) {
	t.Parallel()
	routing := func(r temporalx.Routing) temporalx.Dispatch { return temporalx.Dispatch{Routing: r} }
	work := []string{"work"}
	for _, c := range []struct {
		dispatch temporalx.Dispatch
		want     string
	}{
		{routing(temporalx.Routing{Queues: []string{""}}), "name 1 must have 1 to 200 bytes"},
		{routing(temporalx.Routing{Queues: []string{"a/b"}}), "name 1 must have"},
		{routing(temporalx.Routing{Queues: []string{"a\n"}}), "name 1 must have"},
		{routing(temporalx.Routing{Queues: []string{strings.Repeat("a", 201)}}), "name 1 must have"},
		{routing(temporalx.Routing{Queues: []string{"a", "a"}}), `names "a" twice`},
		{routing(temporalx.Routing{Default: temporalx.Tier{Shards: 2}}), "Routing.Queues is empty"},
		{routing(temporalx.Routing{Plans: map[string]temporalx.Tier{"a": {}}}), "Routing.Queues is empty"},
		{routing(temporalx.Routing{Queues: work, Default: temporalx.Tier{Shards: -1}}), "number of shards is -1"},
		{routing(temporalx.Routing{Queues: work, Default: temporalx.Tier{Shards: 1001}}), "number of shards is 1001"},
		{routing(temporalx.Routing{Queues: work, Default: temporalx.Tier{Name: "a/b"}}), "a tier's name must have"},
		{routing(temporalx.Routing{Queues: work, Default: temporalx.Tier{PerTenant: true, Shards: 2}}), "has no name and no shards"},
		{routing(temporalx.Routing{Queues: work, Plans: map[string]temporalx.Tier{"pro": {PerTenant: true, Name: "x"}}}), `Routing.Plans["pro"]`},
		{routing(temporalx.Routing{Queues: work, Plans: map[string]temporalx.Tier{"a": {Name: "x"}, "b": {Name: "x", Shards: 2}}}), `the tier "x" has 2 shards here and 1 elsewhere`},
		{routing(temporalx.Routing{Queues: work, Plans: map[string]temporalx.Tier{"a": {Shards: 2}}}), `the tier "" has 2 shards here and 1 elsewhere`},
		{temporalx.Dispatch{Fairness: map[string]temporalx.Fairness{"pro": {Weight: -1}}}, `Fairness["pro"]: the Weight is -1`},
		{temporalx.Dispatch{Fairness: map[string]temporalx.Fairness{"pro": {Weight: 1001}}}, "the Weight is 1001"},
		{temporalx.Dispatch{Fairness: map[string]temporalx.Fairness{"pro": {PriorityKey: -1}}}, "the PriorityKey is -1"},
	} {
		_, err := temporalx.Plugin(temporalx.Config{Store: nowhere{}, Dispatch: c.dispatch})
		assert.ErrorContains(t, err, c.want)
	}
	_, err := temporalx.Plugin(temporalx.Config{Store: nowhere{}, Dispatch: routing(temporalx.Routing{
		Queues: work, Default: temporalx.Tier{PerTenant: true}, Plans: map[string]temporalx.Tier{"a": {Shards: 2}, "b": {Shards: 2}},
	})})
	assert.NoError(t, err)
}
