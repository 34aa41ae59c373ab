package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// follow follows in the background until the test is over, with the events on a channel.
func follow(t testing.TB, catalog *tenantdb.Catalog, o tenantdb.FollowOptions) <-chan tenantdb.Event {
	t.Helper()
	events := make(chan tenantdb.Event, 10_000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- catalog.Follow(ctx, o, func(_ context.Context, e tenantdb.Event) error { events <- e; return nil })
	}()
	t.Cleanup(func() {
		cancel()
		assert.ErrorIs(t, <-done, context.Canceled)
	})
	return events
}

// next is the event that comes next.
func next(t testing.TB, events <-chan tenantdb.Event) tenantdb.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		require.FailNow(t, "no event came")
		return tenantdb.Event{}
	}
}

// Row 22: the outbox that makes up for lost messages.
func TestRow22_FollowTellsWhatIsThereAndWhatComes(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it := created(t, catalog, "acme-corp")
	last, err := catalog.LastEvent(t.Context())
	require.NoError(t, err)

	all := follow(t, s.catalog(), tenantdb.FollowOptions{Every: 10 * time.Millisecond})
	fromNow := follow(t, s.catalog(), tenantdb.FollowOptions{Every: 10 * time.Millisecond, After: last})
	assert.Equal(t, tenantdb.EventReserved, next(t, all).Kind)
	assert.Equal(t, tenantdb.EventCreated, next(t, all).Kind)

	suspended, err := catalog.Suspend(t.Context(), it.ID)
	require.NoError(t, err)
	for _, events := range []<-chan tenantdb.Event{all, fromNow} {
		e := next(t, events)
		assert.Equal(t, tenantdb.EventSuspended, e.Kind)
		assert.Equal(t, suspended.Version, e.Version)
		assert.Greater(t, e.ID, last)
	}
}

func TestFollowOfOneTenantTellsOfNoOther(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it, other := created(t, catalog, "acme-corp"), created(t, catalog, "other")
	last, err := catalog.LastEvent(t.Context())
	require.NoError(t, err)
	events := follow(t, catalog, tenantdb.FollowOptions{Every: 10 * time.Millisecond, After: last, Tenant: it.ID})
	for _, id := range []tenant.ID{other.ID, it.ID} {
		_, err := catalog.Suspend(t.Context(), id)
		require.NoError(t, err)
	}
	assert.Equal(t, it.ID, next(t, events).Tenant)
}

func TestLastEventOfACatalogWithoutAnyIsZero(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	last, err := s.catalog().LastEvent(t.Context())
	require.NoError(t, err)
	assert.Zero(t, last)
}

// Transactions that overlap commit in another order than they began in. None may be missed,
// nor come out of order.
func TestRow22_FollowMissesNoEventOfTransactionsThatOverlap(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	control := s.pool(s.controlURL())
	catalog := s.catalogOn(control)
	it := created(t, catalog, "acme-corp")
	last, err := catalog.LastEvent(t.Context())
	require.NoError(t, err)
	events := follow(t, s.catalog(), tenantdb.FollowOptions{Every: 10 * time.Millisecond, After: last})

	const writers, each = 8, 40
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range each {
				err := pgx.BeginFunc(t.Context(), control, func(tx pgx.Tx) error {
					return tenantdb.WriteEvent(t.Context(), tx, tenantdb.Event{
						Tenant: it.ID, Version: it.Version, At: time.Now(), Kind: tenantdb.EventKind(fmt.Sprintf("writer%d.%d", w, n)),
					})
				})
				assert.NoError(t, err)
			}
		})
	}
	seen := make(map[tenantdb.EventKind]bool)
	for range writers * each {
		e := next(t, events)
		assert.Greater(t, e.ID, last)
		last = e.ID
		assert.False(t, seen[e.Kind], "%s was told twice", e.Kind)
		seen[e.Kind] = true
	}
	all.Wait()
	assert.Len(t, seen, writers*each)
	assert.Empty(t, events)
}

// More events than a page holds come without a pause between the pages.
func TestFollowReadsAllThatIsThereBeforeItWaits(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it := created(t, catalog, "acme-corp")
	s.exec(fmt.Sprintf(`INSERT INTO tenantwall.event (tenant_id, kind, version, data, at)
		SELECT '%s', 'made.up', 1, '{}', now() FROM generate_series(1, 1200)`, it.ID))
	events := follow(t, catalog, tenantdb.FollowOptions{Every: time.Hour})
	for range 1202 {
		next(t, events)
	}
}

func TestFollowTellsAgainWhatFailed(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	created(t, catalog, "acme-corp")
	ctx, cancel := context.WithCancel(t.Context())
	var told []tenantdb.EventKind
	err := catalog.Follow(ctx, tenantdb.FollowOptions{Every: 10 * time.Millisecond}, func(_ context.Context, e tenantdb.Event) error {
		told = append(told, e.Kind)
		switch len(told) {
		case 1, 2:
			return errors.New("not now")
		case 4:
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventReserved, tenantdb.EventReserved, tenantdb.EventCreated}, told)
}

// logText is where a logger writes while the test reads.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

// Row 22: what happens while the database is away from one process is told when it is back.
func TestRow22_FollowGoesOnWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	it := created(t, catalog, "acme-corp")
	last, err := catalog.LastEvent(t.Context())
	require.NoError(t, err)

	proxy := wire.NewProxy(t, s.url)
	var said logText
	behind := s.catalogOn(s.pool(proxy.URL(s.controlURL())), func(c *tenantdb.CatalogConfig) {
		c.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	events := follow(t, behind, tenantdb.FollowOptions{Every: 10 * time.Millisecond, After: last})
	proxy.Cut()
	require.Eventually(t, func() bool { return said.count("does not get on") == 1 }, 20*time.Second, 10*time.Millisecond)
	_, err = catalog.Suspend(t.Context(), it.ID)
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond) // some failures more, which are not told
	proxy.Restore()
	assert.Equal(t, tenantdb.EventSuspended, next(t, events).Kind)
	assert.Equal(t, 1, said.count("does not get on"))
	assert.Eventually(t, func() bool { return said.count("gets on again") == 1 }, 20*time.Second, 10*time.Millisecond)
}

func TestRow22_FollowSurvivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *localserver.Postgres {
		server, err := localserver.StartPostgres(t.Context(), localserver.PostgresConfig{Dir: dir, NoSync: true})
		require.NoError(t, err)
		return server
	}
	server := start()
	s := &site{t: t, url: server.SuperuserURL("postgres"), roles: tenantdb.Roles{
		Gateway: "gateway", GatewayPassword: "gateway secret", Control: "control", ControlPassword: "control secret",
	}}
	conn, err := pgx.Connect(t.Context(), s.url)
	require.NoError(t, err)
	require.NoError(t, tenantdb.Setup(t.Context(), conn, s.roles))
	require.NoError(t, conn.Close(t.Context()))
	config, err := pgxpool.ParseConfig(s.controlURL())
	require.NoError(t, err)
	var port atomic.Uint32 // the server comes back on another one
	port.Store(uint32(config.ConnConfig.Port))
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { c.Port = uint16(port.Load()); return nil }
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	catalog := s.catalogOn(pool)
	it := created(t, catalog, "acme-corp")
	last, err := catalog.LastEvent(t.Context())
	require.NoError(t, err)
	events := follow(t, catalog, tenantdb.FollowOptions{Every: 10 * time.Millisecond, After: last})

	require.NoError(t, server.Close())
	server = start()
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	config, err = pgxpool.ParseConfig(server.SuperuserURL("postgres"))
	require.NoError(t, err)
	port.Store(uint32(config.ConnConfig.Port))
	require.Eventually(t, func() bool {
		_, err = catalog.Suspend(t.Context(), it.ID)
		return err == nil
	}, 20*time.Second, 50*time.Millisecond, "the server came back")
	e := next(t, events)
	assert.Equal(t, tenantdb.EventSuspended, e.Kind)
	assert.Greater(t, e.ID, last)
}

func TestARoundOfFollowIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	proxy := wire.NewProxy(t, s.url)
	catalog := s.catalogOn(s.pool(proxy.URL(s.controlURL())))
	created(t, catalog, "acme-corp")
	last, err := catalog.LastEvent(t.Context())
	require.NoError(t, err)
	round := func() {
		proxy.Reset()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := catalog.Follow(ctx, tenantdb.FollowOptions{Every: time.Hour, After: last - 1}, func(context.Context, tenantdb.Event) error {
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
	}
	round() // in the first one, the statement is prepared
	round()
	assert.Equal(t, 1, proxy.Stats().RoundTrips)
}

func TestFollowRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	catalog := setUp(t).catalog()
	none := func(context.Context, tenantdb.Event) error { return nil }
	for want, o := range map[string]tenantdb.FollowOptions{
		"After is -1":      {After: -1},
		"Every is -1s":     {Every: -time.Second},
		"Every is 1ms":     {Every: time.Millisecond},
		"Every is 1h0m0.1": {Every: time.Hour + 100*time.Millisecond},
	} {
		require.ErrorContains(t, catalog.Follow(t.Context(), o, none), want)
	}
	require.ErrorContains(t, catalog.Follow(t.Context(), tenantdb.FollowOptions{}, nil), "no function")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, catalog.Follow(over, tenantdb.FollowOptions{}, none), context.Canceled)
}
