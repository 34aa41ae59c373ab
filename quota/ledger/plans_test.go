package ledger_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestPlansComeBackAsTheyWereStored(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	acme, beta := s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "")
	assert.Equal(t, with(pro, 50, 1), planOf(t, l, acme))
	assert.Equal(t, with(free, 3, 1), planOf(t, l, beta), "the default of those who have none")

	stored, err := l.StoredPlans(t.Context())
	require.NoError(t, err)
	require.Len(t, stored, 2)
	assert.Equal(t, with(free, 3, 1), stored[0].Plan)
	assert.Equal(t, with(pro, 50, 1), stored[1].Plan)
	assert.WithinDuration(t, time.Now(), stored[1].MadeAt, time.Minute)
}

func TestPlanIsChangedWhileTheServiceRuns(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var told []tenant.ID
	l := s.open(t, func(cfg *ledger.Config) { cfg.OnChange = func(in tenant.ID) { told = append(told, in) } })
	told = nil // of the plans that Open has stored
	acme := s.create(t, "acme-corp", "free")
	require.Equal(t, 3, planOf(t, l, acme).Seats)

	put, err := l.PutPlan(t.Context(), with(free, 5, 77))
	require.NoError(t, err)
	assert.Equal(t, with(free, 5, 2), put)
	assert.Equal(t, put, planOf(t, l, acme), "on the next request")
	assert.Equal(t, []tenant.ID{{}}, told)

	again, err := l.PutPlan(t.Context(), with(free, 5, 0))
	require.NoError(t, err)
	assert.Equal(t, put, again, "the same plan is no change")
	assert.Len(t, told, 1)

	earlier, err := l.PlanVersion(t.Context(), "free", 1)
	require.NoError(t, err)
	assert.Equal(t, 3, earlier.Seats, "what was is kept")
	now, err := l.PlanNamed(t.Context(), "free")
	require.NoError(t, err)
	assert.Equal(t, put, now.Plan)

	reopened := s.open(t)
	assert.Equal(t, put, planOf(t, reopened, acme), "the program's own plan doesn't undo what an operator has done")
}

func TestPlanThatIsNotValidIsNotStored(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	bad := free
	bad.Rates = []quota.Rate{{Name: "requests"}}
	_, err := l.PutPlan(t.Context(), bad)
	require.ErrorIs(t, err, quota.ErrBadPlan)
	stored, err := l.PlanNamed(t.Context(), "free")
	require.NoError(t, err)
	assert.EqualValues(t, 1, stored.Version)
}

func TestPlanThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t, func(cfg *ledger.Config) { cfg.Default = "" })
	for _, name := range []string{"", "gold"} {
		for range 2 {
			_, err := l.Plan(t.Context(), tenant.Tenant{ID: tenant.NewID(), Plan: name})
			require.ErrorIs(t, err, quota.ErrUnknownPlan)
		}
	}
	for _, name := range []string{"gold", "", "Free", "a\x00b", "\xff"} {
		_, err := l.PlanNamed(t.Context(), name)
		require.ErrorIs(t, err, quota.ErrUnknownPlan, "%q", name)
	}
	_, err := l.PlanVersion(t.Context(), "free", 9)
	require.ErrorIs(t, err, quota.ErrUnknownPlan)

	gold := with(pro, 99, 0)
	gold.Name = "gold"
	_, err = l.PutPlan(t.Context(), gold)
	require.NoError(t, err)
	assert.Equal(t, 99, planOf(t, l, tenant.Tenant{ID: tenant.NewID(), Plan: "gold"}).Seats, "that there was none is not remembered past a change")
}

func TestOpenNeedsItsDefaultPlan(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	_, err := ledger.Open(t.Context(), s.control, ledger.Config{Default: "gold", Plans: []quota.Plan{free}})
	require.ErrorIs(t, err, quota.ErrUnknownPlan)
	require.ErrorContains(t, err, "name it in Plans")
}

func TestTwoProcessesStoreTheirPlansOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { s.open(t) })
	}
	group.Wait()
	stored, err := s.open(t).StoredPlans(t.Context())
	require.NoError(t, err)
	for _, p := range stored {
		assert.EqualValues(t, 1, p.Version, p.Name)
	}
}

func TestChangesOfAPlanThatRaceEachGetAVersion(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			_, err := l.PutPlan(t.Context(), with(free, 100+i, 0))
			assert.NoError(t, err)
		})
	}
	group.Wait()
	stored, err := l.PlanNamed(t.Context(), "free")
	require.NoError(t, err)
	assert.EqualValues(t, 11, stored.Version)
	assert.Equal(t, stored.Plan, planOf(t, l, s.create(t, "acme-corp", "free")))
}

func TestOverrideIsATenantsOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var told []tenant.ID
	l := s.open(t, func(cfg *ledger.Config) { cfg.OnChange = func(in tenant.ID) { told = append(told, in) } })
	acme, beta := s.create(t, "acme-corp", "free"), s.create(t, "beta-industries", "free")
	require.Equal(t, 3, planOf(t, l, acme).Seats)
	told = nil

	more := ledger.Override{
		Seats: new(8), Workflow: new(quota.Workflow{FairnessWeight: 2}), Features: map[string]string{"beta": "on"},
		Rates: []quota.Rate{{Name: "requests", Limit: 600, Per: time.Minute}},
		Units: []quota.Units{{Name: "mails", Limit: 5, AnchorDay: 15}},
	}
	require.NoError(t, l.SetOverride(t.Context(), acme.ID, more))
	assert.Equal(t, quota.Plan{
		Name: "free", Version: 1, Seats: 8, Rates: more.Rates, Units: more.Units, Workflow: *more.Workflow, Features: more.Features,
	}, planOf(t, l, acme), "on the next request")
	assert.Equal(t, with(free, 3, 1), planOf(t, l, beta), "another tenant's stays")
	assert.Equal(t, []tenant.ID{acme.ID}, told)
	kept, err := l.Override(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Equal(t, more, kept)

	_, err = l.PutPlan(t.Context(), with(free, 4, 0))
	require.NoError(t, err)
	assert.Equal(t, 8, planOf(t, l, acme).Seats, "it stays when the plan is changed")
	assert.Equal(t, 4, planOf(t, l, beta).Seats)

	require.NoError(t, l.ClearOverride(t.Context(), acme.ID))
	assert.Equal(t, with(free, 4, 2), planOf(t, l, acme))
	told = nil
	require.NoError(t, l.ClearOverride(t.Context(), acme.ID))
	assert.Empty(t, told, "nothing has changed")
	none, err := l.Override(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Zero(t, none)

	var kinds []tenantdb.EventKind
	for e, err := range s.catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: acme.ID}) {
		require.NoError(t, err)
		kinds = append(kinds, e.Kind)
	}
	assert.Equal(t, []tenantdb.EventKind{ledger.EventOverridden, ledger.EventOverridden}, kinds[len(kinds)-2:])
}

func TestOverrideOfATenantThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	require.ErrorIs(t, l.SetOverride(t.Context(), tenant.NewID(), ledger.Override{}), tenant.ErrNotFound)
	require.ErrorIs(t, l.ClearOverride(t.Context(), tenant.NewID()), tenant.ErrNotFound)
	acme := s.create(t, "acme-corp", "free")
	_, err := s.catalog.Delete(t.Context(), acme.ID)
	require.NoError(t, err)
	require.ErrorIs(t, l.SetOverride(t.Context(), acme.ID, ledger.Override{}), tenant.ErrGone)
	require.ErrorIs(t, l.SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(-2)}), quota.ErrBadPlan)
}

func TestOverrideTakesThePlaceOfLimitsByName(t *testing.T) {
	t.Parallel()
	o := ledger.Override{
		Concurrency: []quota.Concurrency{{Name: "requests", Limit: 1}},
		Units:       []quota.Units{{Name: "mails", Limit: 2}, {Name: "added", Limit: 3}},
	}
	before := with(pro, 50, 3)
	got := o.Apply(before)
	assert.Empty(t, got.Rates, "a name is one limit's, whatever its kind")
	assert.Equal(t, []quota.Concurrency{{Name: "exports", Limit: 10, WhenAway: quota.Open, Shadow: true}, {Name: "requests", Limit: 1}}, got.Concurrency)
	assert.Equal(t, []quota.Units{{Name: "mails", Limit: 2}, {Name: "added", Limit: 3}}, got.Units)
	assert.Equal(t, int64(3), got.Version)
	require.NoError(t, got.Validate())
	assert.Equal(t, with(pro, 50, 3), before, "the plan itself stays")
	assert.Equal(t, before, ledger.Override{}.Apply(before))
}

func TestAnotherProcessSeesAChangeWithinTheBound(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	here := s.open(t)
	clock := testclock.At(time.Now())
	there := s.open(t, func(cfg *ledger.Config) { cfg.Now = clock.Now })
	acme := s.create(t, "acme-corp", "free")
	require.Equal(t, 3, planOf(t, there, acme).Seats)
	_, err := here.PutPlan(t.Context(), with(free, 4, 0))
	require.NoError(t, err)
	clock.Pass(ledger.MaxTTL - 1)
	assert.Equal(t, 3, planOf(t, there, acme).Seats, "remembered")
	clock.Pass(1)
	assert.Equal(t, 4, planOf(t, there, acme).Seats, "and no longer than that")

	require.NoError(t, here.SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(9)}))
	assert.Equal(t, 4, planOf(t, there, acme).Seats)
	there.Forget()
	assert.Equal(t, 9, planOf(t, there, acme).Seats, "at once when a bus tells it")

	require.NoError(t, here.SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(10)}))
	clock.Pass(ledger.MaxTTL)
	planOf(t, there, tenant.Tenant{ID: tenant.NewID()})
	assert.Equal(t, 10, planOf(t, there, acme).Seats, "reading one tenant's plan tells that another's has changed")
}

// While nothing changes, a process asks for one tenant what is true of all.
func TestPlansAreAskedForOnceInATTLWhateverTheNumberOfTenants(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	tracer := newTracer()
	cfg := s.control.Config().Copy()
	cfg.ConnConfig.Tracer = tracer
	clock := testclock.At(time.Now())
	l := openOn(t, newPool(t, cfg), func(cfg *ledger.Config) { cfg.Now = clock.Now })
	tenants := make([]tenant.Tenant, 20)
	for i := range tenants {
		tenants[i] = tenant.Tenant{ID: tenant.NewID(), Plan: "pro"}
		planOf(t, l, tenants[i])
	}
	tracer.queries.Store(0)
	for range 10 {
		clock.Pass(ledger.MaxTTL)
		for _, in := range tenants {
			planOf(t, l, in)
		}
	}
	assert.EqualValues(t, 10, tracer.queries.Load())

	clock.Pass(ledger.MaxTTL)
	tracer.queries.Store(0)
	var group sync.WaitGroup
	for range 8 {
		for _, in := range tenants {
			group.Go(func() { planOf(t, l, in) })
		}
	}
	group.Wait()
	assert.EqualValues(t, 1, tracer.queries.Load(), "and once for all who ask at the same time")
}

// A database that is slower than plans are remembered is not asked by one after the other.
func TestThoseWhoWaitForASlowDatabaseAreAnsweredTogether(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	tracer := newTracer()
	cfg := s.control.Config().Copy()
	cfg.ConnConfig.Tracer = tracer
	clock := testclock.At(time.Now())
	var asked atomic.Int64
	l := openOn(t, newPool(t, cfg), func(cfg *ledger.Config) {
		cfg.Now = func() time.Time {
			asked.Add(1)
			return clock.Now()
		}
	})
	acme := tenant.Tenant{ID: tenant.NewID(), Plan: "pro"}
	hold := make(chan struct{})
	tracer.hold(hold)
	var group sync.WaitGroup
	group.Go(func() { planOf(t, l, acme) })
	<-tracer.held
	asked.Store(0)
	for range 10 {
		group.Go(func() { planOf(t, l, acme) })
	}
	require.Eventually(t, func() bool { return asked.Load() == 10 }, 10*time.Second, time.Millisecond)
	clock.Pass(ledger.MaxTTL) // so long takes the answer
	tracer.hold(nil)
	close(hold)
	group.Wait()
	assert.EqualValues(t, 1, tracer.queries.Load())

	planOf(t, l, acme)
	assert.EqualValues(t, 2, tracer.queries.Load(), "who asks later wants to know what is true then")
}

func TestPlansOfMoreTenantsThanAreRemembered(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t, func(cfg *ledger.Config) { cfg.Size = 5 })
	for range 3 {
		for range 20 {
			assert.Equal(t, 3, planOf(t, l, tenant.Tenant{ID: tenant.NewID()}).Seats)
		}
	}
}

func TestPlansAreNotAnsweredPastTheBoundWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := testclock.At(time.Now())
	pool := newPool(t, s.control.Config().Copy())
	l, err := ledger.Open(t.Context(), pool, ledger.Config{Default: "free", Plans: []quota.Plan{free}, Now: clock.Now, FlushEvery: ledger.MaxFlush})
	require.NoError(t, err)
	acme := tenant.Tenant{ID: tenant.NewID()}
	planOf(t, l, acme)
	pool.Close()
	planOf(t, l, acme)
	clock.Pass(ledger.DefaultTTL)
	_, err = l.Plan(t.Context(), acme)
	require.ErrorContains(t, err, "read a plan")
	require.NotErrorIs(t, err, quota.ErrUnknownPlan)
	_, err = l.PlanNamed(t.Context(), "free")
	require.ErrorContains(t, err, "read plan")
	_, err = l.StoredPlans(t.Context())
	require.ErrorContains(t, err, "list plans")
	_, err = l.PutPlan(t.Context(), with(free, 9, 0))
	require.ErrorContains(t, err, "store plan")
	require.ErrorContains(t, l.SetOverride(t.Context(), acme.ID, ledger.Override{}), "override of tenant")
	_, err = l.Override(t.Context(), acme.ID)
	require.ErrorContains(t, err, "override of tenant")
	require.NoError(t, l.Close(t.Context()), "there is nothing to write")
}

func TestOneCallerWhoGivesUpIsNoConcernOfOthers(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	hold := make(chan struct{})
	tracer := newTracer()
	cfg := s.control.Config().Copy()
	cfg.ConnConfig.Tracer = tracer
	l := openOn(t, newPool(t, cfg))
	acme := tenant.Tenant{ID: tenant.NewID()}
	tracer.hold(hold)
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := l.Plan(ctx, acme)
		gaveUp <- err
	}()
	<-tracer.held
	waits := make(chan error)
	go func() {
		_, err := l.Plan(t.Context(), acme)
		waits <- err
	}()
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	_, err := l.Plan(short, acme)
	require.ErrorIs(t, err, context.DeadlineExceeded, "whoever waits does so as long as its context says")
	cancel()
	tracer.hold(nil)
	close(hold)
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	require.NoError(t, <-waits)
}

func TestAnswerFromBeforeAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	tracer := newTracer()
	cfg := s.control.Config().Copy()
	cfg.ConnConfig.Tracer = tracer
	l := openOn(t, newPool(t, cfg))
	other := s.open(t)
	acme := tenant.Tenant{ID: tenant.NewID()}
	hold := make(chan struct{})
	tracer.holdEnd(hold)
	old := make(chan quota.Plan)
	go func() {
		p, err := l.Plan(t.Context(), acme)
		assert.NoError(t, err)
		old <- p
	}()
	<-tracer.held // its answer is read, and not yet kept
	_, err := other.PutPlan(t.Context(), with(free, 7, 0))
	require.NoError(t, err)
	l.Forget()
	tracer.holdEnd(nil)
	close(hold)
	assert.Equal(t, 3, (<-old).Seats)
	assert.Equal(t, 7, planOf(t, l, acme).Seats)
}

func TestWhatANewerProgramHasStoredAdmitsNobodyPastIt(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	acme := s.create(t, "acme-corp", "free")
	for _, stored := range []struct{ plan, want string }{
		{`{"seats": -5}`, "-5 seats"},
		{`[]`, "cannot unmarshal"},
		{`{"bandwidth": 5}`, `unknown field "bandwidth"`},
	} {
		_, err := s.control.Exec(t.Context(), `UPDATE tenantwall.quota_plan SET plan = $1 WHERE name = 'free'`, stored.plan)
		require.NoError(t, err)
		l.Forget()
		_, err = l.Plan(t.Context(), acme)
		require.ErrorContains(t, err, stored.want)
	}
	_, err := l.StoredPlans(t.Context())
	require.ErrorContains(t, err, "list plans")
	_, err = s.control.Exec(t.Context(), `UPDATE tenantwall.quota_plan SET plan = '{"seats": 5}' WHERE name = 'free'`)
	require.NoError(t, err)
	require.NoError(t, l.SetOverride(t.Context(), acme.ID, ledger.Override{}))
	_, err = s.control.Exec(t.Context(), `UPDATE tenantwall.quota_override SET override = '{"x": 1}'`)
	require.NoError(t, err)
	l.Forget()
	_, err = l.Plan(t.Context(), acme)
	require.ErrorContains(t, err, "override of tenant")
	_, err = l.Override(t.Context(), acme.ID)
	require.ErrorContains(t, err, "unknown field")
}

func TestOpenNeedsAPool(t *testing.T) {
	t.Parallel()
	_, err := ledger.Open(t.Context(), nil, ledger.Config{})
	require.ErrorContains(t, err, "control role")
}

func TestOpenRefusesSettingsThatCantBe(t *testing.T) {
	t.Parallel()
	unused := new(pgxpool.Pool) // the configuration is checked before
	for want, cfg := range map[string]ledger.Config{
		"setting TTL is 3s":               {TTL: 3 * time.Second},
		"setting TTL is -1":               {TTL: -1},
		"setting FlushEvery is 1ms":       {FlushEvery: time.Millisecond},
		"setting FlushEvery is 2h":        {FlushEvery: 2 * time.Hour},
		"setting FlushTimeout is 2m0s":    {FlushTimeout: 2 * time.Minute},
		"setting Size is -1":              {Size: -1},
		"setting MaxPending is 100001":    {MaxPending: ledger.MaxPending + 1},
		"setting Default: a name":         {Default: "Free"},
		"setting Plans: quota: bad plan:": {Plans: []quota.Plan{{}}},
		"make the id of a writer":         {Random: errReader{}},
	} {
		_, err := ledger.Open(t.Context(), unused, cfg)
		require.ErrorContains(t, err, want)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

func TestPurgedTenantLeavesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	acme, beta := s.create(t, "acme-corp", "free"), s.create(t, "beta-industries", "free")
	month := quota.MonthlyPeriod(time.Now(), 1, time.UTC)
	for _, in := range []tenant.Tenant{acme, beta} {
		require.NoError(t, l.SetOverride(t.Context(), in.ID, ledger.Override{Seats: new(9)}))
		l.Record(t.Context(), quota.UnitsUse{Tenant: in.ID, Name: "mails", Period: month, N: 5})
	}
	require.NoError(t, l.Flush(t.Context()))
	_, err := s.catalog.Delete(t.Context(), acme.ID)
	require.NoError(t, err)
	time.Sleep(time.Millisecond) // the grace period
	purged, err := s.catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []tenant.ID{acme.ID}, purged)

	l.Record(t.Context(), quota.UnitsUse{Tenant: acme.ID, Name: "mails", Period: month, N: 5})
	require.NoError(t, l.Flush(t.Context()), "a use that comes late is no harm to others")
	for table, want := range map[string]int{"quota_used": 1, "quota_override": 1} {
		var n int
		require.NoError(t, s.control.QueryRow(t.Context(), "SELECT count(*) FROM tenantwall."+table).Scan(&n))
		assert.Equal(t, want, n, table)
	}
	tx, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	require.ErrorContains(t, ledger.Forget(t.Context(), tx, acme.ID), "forget the quotas")
}
