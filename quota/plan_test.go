package quota_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// full is a valid plan with all there is.
func full() quota.Plan {
	return quota.Plan{
		Name: "pro", Version: 3,
		Rates: []quota.Rate{
			{Name: "requests", Limit: 100, Per: time.Second, Burst: 500, WhenAway: quota.Local, Lease: true},
			{Name: "writes", Limit: quota.Unlimited},
		},
		Concurrency: []quota.Concurrency{{Name: "jobs", Limit: 5, WhenAway: quota.Open}},
		Units:       []quota.Units{{Name: "exports", Limit: 1000, Soft: true, AnchorDay: 31, Zone: "Europe/Berlin"}},
		Seats:       50,
		Workflow:    quota.Workflow{PriorityKey: 2, FairnessWeight: 2.5},
		Features:    map[string]string{"sso": "on"},
	}
}

func TestPlanValidatesAllItHas(t *testing.T) {
	t.Parallel()
	require.NoError(t, full().Validate())
	for name, test := range map[string]struct {
		breaks func(*quota.Plan)
		want   string
	}{
		"no name":               {func(p *quota.Plan) { p.Name = "" }, "a name is needed"},
		"version below 0":       {func(p *quota.Plan) { p.Version = -1 }, "version -1 is below 0"},
		"limit with a bad name": {func(p *quota.Plan) { p.Rates[0].Name = "Requests" }, `limit "Requests": a name begins with a letter from a to z`},
		"name of two kinds":     {func(p *quota.Plan) { p.Units[0].Name = "jobs" }, `limit "jobs" is there twice`},
		"rate of nothing":       {func(p *quota.Plan) { p.Rates[0].Limit = 0 }, "limit 0: must be at least 1, or Unlimited"},
		"rate below":            {func(p *quota.Plan) { p.Rates[0].Limit = -2 }, "limit -2: must be at least 1"},
		"rate of no time":       {func(p *quota.Plan) { p.Rates[0].Per = 0 }, "per 0s: must be from 1ms"},
		"rate of a year":        {func(p *quota.Plan) { p.Rates[0].Per = 366 * 24 * time.Hour }, "must be from 1ms to 744h0m0s"},
		"rate too fast":         {func(p *quota.Plan) { p.Rates[0].Limit = 100_001 }, "100001 in 1s is more than 100000 a second"},
		"burst below 0":         {func(p *quota.Plan) { p.Rates[0].Burst = -1 }, "burst -1 is below 0"},
		"burst of years":        {func(p *quota.Plan) { p.Rates[0].Burst = math.MaxInt64 }, "takes longer than 8784h0m0s to come back"},
		"rate when away":        {func(p *quota.Plan) { p.Rates[0].WhenAway = "maybe" }, `when away "maybe": must be one of`},
		"unlimited when away":   {func(p *quota.Plan) { p.Rates[1].WhenAway = "maybe" }, `when away "maybe": must be one of`},
		"slots below":           {func(p *quota.Plan) { p.Concurrency[0].Limit = -2 }, "limit -2: must be from 0 to 100000"},
		"too many slots":        {func(p *quota.Plan) { p.Concurrency[0].Limit = 100_001 }, "must be from 0 to 100000"},
		"units below":           {func(p *quota.Plan) { p.Units[0].Limit = -2 }, "limit -2: must be from 0"},
		"too many units":        {func(p *quota.Plan) { p.Units[0].Limit = quota.MaxUnits + 1 }, "must be from 0"},
		"anchor day":            {func(p *quota.Plan) { p.Units[0].AnchorDay = 32 }, "anchor day 32: must be from 1 to 31"},
		"no such zone":          {func(p *quota.Plan) { p.Units[0].Zone = "Europe/Atlantis" }, `zone "Europe/Atlantis"`},
		"the server's own zone": {func(p *quota.Plan) { p.Units[0].Zone = "Local" }, "a server's own is not the tenant's"},
		"local units":           {func(p *quota.Plan) { p.Units[0].WhenAway = quota.Local }, `when away "local"`},
		"seats":                 {func(p *quota.Plan) { p.Seats = -2 }, "-2 seats"},
		"priority":              {func(p *quota.Plan) { p.Workflow.PriorityKey = 6 }, "priority key 6"},
		"weight":                {func(p *quota.Plan) { p.Workflow.FairnessWeight = math.NaN() }, "fairness weight NaN"},
		"too heavy":             {func(p *quota.Plan) { p.Workflow.FairnessWeight = 1001 }, "fairness weight 1001"},
		"feature's name":        {func(p *quota.Plan) { p.Features = map[string]string{"": "on"} }, "a name is needed"},
		"feature's value":       {func(p *quota.Plan) { p.Features["sso"] = strings.Repeat("x", 1025) }, "1025 bytes"},
		"too many limits":       {func(p *quota.Plan) { p.Rates = make([]quota.Rate, 31) }, "33 limits are more than 32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := full()
			test.breaks(&p)
			err := p.Validate()
			require.ErrorIs(t, err, quota.ErrBadPlan)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestRateHoldsItsIntervalRoundedUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rate quota.Rate
		want time.Duration
	}{
		{quota.Rate{Limit: 1, Per: time.Second}, time.Second},
		{quota.Rate{Limit: 3, Per: time.Second}, 333_334 * time.Microsecond},
		{quota.Rate{Limit: 100_000, Per: time.Second}, 10 * time.Microsecond},
		{quota.Rate{Limit: quota.Unlimited, Per: time.Second}, 0},
		{quota.Rate{}, 0},
	} {
		assert.Equal(t, test.want, test.rate.Interval(), "%d in %s", test.rate.Limit, test.rate.Per)
	}
	assert.EqualValues(t, 7, quota.Rate{Limit: 7}.Bucket())
	assert.EqualValues(t, 9, quota.Rate{Limit: 7, Burst: 9}.Bucket())
}

func TestPlansFromCode(t *testing.T) {
	t.Parallel()
	plans, err := quota.NewPlans("free", quota.Plan{Name: "free", Seats: 3}, full())
	require.NoError(t, err)
	assert.Equal(t, []string{"free", "pro"}, plans.Names())
	assert.True(t, plans.Has("pro"))
	assert.False(t, plans.Has(""))

	for plan, want := range map[string]string{"": "free", "free": "free", "pro": "pro"} {
		p, err := plans.Plan(t.Context(), tenant.Tenant{Plan: plan})
		require.NoError(t, err)
		assert.Equal(t, want, p.Name)
	}
	_, err = plans.Plan(t.Context(), tenant.Tenant{Plan: "gold"})
	require.ErrorIs(t, err, quota.ErrUnknownPlan)

	_, err = quota.NewPlans("free", full())
	require.ErrorIs(t, err, quota.ErrUnknownPlan, "the default is none of them")
	_, err = quota.NewPlans("pro", full(), full())
	require.ErrorContains(t, err, "twice")
	_, err = quota.NewPlans("pro", quota.Plan{Name: "pro", Seats: -5})
	require.ErrorIs(t, err, quota.ErrBadPlan)
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"", "a", "a-b_c.9", "A", "9", "a b", "a\x00", "ä", strings.Repeat("a", 65)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if quota.CheckName(name) != nil {
			return
		}
		assert.LessOrEqual(t, len(name), quota.MaxNameLen)
		assert.Regexp(t, `\A[a-z][a-z0-9_.-]*\z`, name)
	})
}
