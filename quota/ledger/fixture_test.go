package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// site is a database that is set up, with a catalog and members.
type site struct {
	url     string // the superuser's
	control *pgxpool.Pool
	catalog *tenantdb.Catalog
}

func setUp(t testing.TB) site {
	t.Helper()
	made := sitetest.New(t)
	control := made.Control(t)
	catalog := made.Catalog(t, control, tenantdb.CatalogConfig{
		GracePeriod: time.Nanosecond,
		OnPurge: func(ctx context.Context, tx pgx.Tx, id tenant.ID) error {
			if err := invite.Forget(ctx, tx, id); err != nil {
				return err
			}
			return ledger.Forget(ctx, tx, id)
		},
	})
	_, err := invite.Open(t.Context(), control, invite.Config{})
	require.NoError(t, err)
	return site{url: made.URL, control: control, catalog: catalog}
}

func newPool(t testing.TB, cfg *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// free and pro are the plans of the tests.
var (
	free = quota.Plan{Name: "free", Seats: 3, Rates: []quota.Rate{{Name: "requests", Limit: 60, Per: time.Minute, Burst: 20}}}
	pro  = quota.Plan{
		Name: "pro", Seats: 50, Features: map[string]string{"sso": "on"},
		Rates:       []quota.Rate{{Name: "requests", Limit: 6000, Per: time.Minute, Burst: 1000, WhenAway: quota.Local, Lease: true}},
		Concurrency: []quota.Concurrency{{Name: "exports", Limit: 10, WhenAway: quota.Open, Shadow: true}},
		Units:       []quota.Units{{Name: "mails", Limit: 1000, Soft: true, AnchorDay: 31, Zone: "Europe/Berlin", WhenAway: quota.Open}},
		Workflow:    quota.Workflow{PriorityKey: 2, FairnessWeight: 5},
	}
)

// open opens a ledger with the plans of the tests, which writes only when it is told to and
// remembers for as long as it may. It is closed with the test.
func (s site) open(t testing.TB, change ...func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	return openOn(t, s.control, change...)
}

func openOn(t testing.TB, pool *pgxpool.Pool, change ...func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	cfg := ledger.Config{Default: "free", Plans: []quota.Plan{free, pro}, FlushEvery: ledger.MaxFlush, TTL: ledger.MaxTTL}
	for _, c := range change {
		c(&cfg)
	}
	l, err := ledger.Open(t.Context(), pool, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close(context.Background())) })
	return l
}

func (s site) create(t testing.TB, slug tenant.Slug, plan string) tenant.Tenant {
	t.Helper()
	made, err := s.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Tenant " + string(slug), Plan: plan})
	require.NoError(t, err)
	return made
}

func planOf(t testing.TB, l *ledger.Ledger, in tenant.Tenant) quota.Plan {
	t.Helper()
	p, err := l.Plan(t.Context(), in)
	require.NoError(t, err)
	return p
}

// with is a plan with another number of seats and a version.
func with(p quota.Plan, seats int, version int64) quota.Plan {
	p.Seats, p.Version = seats, version
	return p
}
