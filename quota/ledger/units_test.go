package ledger_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
	"github.com/tenantwall/tenantwall/tenant"
)

var june = quota.MonthlyPeriod(time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC), 1, time.UTC)

func mails(in tenant.Tenant, n int64) quota.UnitsUse {
	return quota.UnitsUse{Tenant: in.ID, Name: "mails", Period: june, N: n}
}

func used(t testing.TB, l *ledger.Ledger, in tenant.Tenant) int64 {
	t.Helper()
	n, err := l.Used(t.Context(), in.ID, "mails", june)
	require.NoError(t, err)
	return n
}

// all are the usages that a sequence has.
func all(t testing.TB, l *ledger.Ledger, o ledger.UsageOptions) []ledger.Usage {
	t.Helper()
	var found []ledger.Usage
	for u, err := range l.Usage(t.Context(), o) {
		require.NoError(t, err)
		found = append(found, u)
	}
	return found
}

func TestUsesAreToldBeforeAndAfterTheyAreWritten(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l, other := s.open(t), s.open(t)
	acme, beta := s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "pro")
	l.Record(t.Context(), mails(acme, 5))
	l.Record(t.Context(), mails(acme, 2))
	l.Record(t.Context(), mails(beta, 0))
	l.Record(t.Context(), quota.UnitsUse{Tenant: acme.ID, Name: "exports", Period: june, N: 9})
	assert.EqualValues(t, 7, used(t, l, acme), "what waits to be written counts")
	assert.Zero(t, used(t, other, acme), "another process can't know of it")
	assert.Equal(t, ledger.Stats{Pending: 2}, l.Stats())

	require.NoError(t, l.Flush(t.Context()))
	assert.Zero(t, l.Stats())
	assert.EqualValues(t, 7, used(t, l, acme), "and is not counted twice when it is")
	assert.EqualValues(t, 7, used(t, other, acme))
	assert.Zero(t, used(t, l, beta))

	l.Record(t.Context(), mails(acme, -3))
	assert.EqualValues(t, 4, used(t, l, acme))
	require.NoError(t, l.Flush(t.Context()))
	require.NoError(t, l.Flush(t.Context()), "there is nothing to write")
	assert.EqualValues(t, 4, used(t, other, acme))
}

// What was given back may be written before what was taken, by another process.
func TestSumOfUsesIsTheSameInWhateverOrderTheyAreWritten(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l, other := s.open(t), s.open(t)
	acme := s.create(t, "acme-corp", "pro")
	l.Record(t.Context(), mails(acme, 5))
	other.Record(t.Context(), mails(acme, -4))
	require.NoError(t, other.Flush(t.Context()))
	assert.Zero(t, used(t, other, acme), "never below 0")
	assert.Zero(t, all(t, l, ledger.UsageOptions{})[0].Used)
	require.NoError(t, l.Flush(t.Context()))
	assert.EqualValues(t, 1, used(t, other, acme))
}

func TestUsesOfManyProcessesAddUp(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	tenants := []tenant.Tenant{s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "pro"), s.create(t, "gamma-labs", "pro")}
	var group sync.WaitGroup
	for range 4 {
		l := s.open(t, func(cfg *ledger.Config) { cfg.FlushEvery = ledger.MinFlush })
		for range 4 {
			group.Go(func() {
				for i := range 100 {
					l.Record(t.Context(), mails(tenants[i%3], 1))
					if i%10 == 0 {
						assert.NoError(t, l.Flush(t.Context()))
					}
				}
				assert.NoError(t, l.Flush(t.Context()))
			})
		}
	}
	group.Wait()
	l := s.open(t)
	assert.EqualValues(t, 16*34, used(t, l, tenants[0]))
	assert.EqualValues(t, 16*33, used(t, l, tenants[1]))
	assert.EqualValues(t, 16*33, used(t, l, tenants[2]))
}

func TestUsesAreWrittenByThemselvesAndAtTheEnd(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "pro")
	l := s.open(t, func(cfg *ledger.Config) { cfg.FlushEvery = ledger.MinFlush })
	reader := s.open(t)
	l.Record(t.Context(), mails(acme, 5))
	require.Eventually(t, func() bool { return used(t, reader, acme) == 5 }, 10*time.Second, 5*time.Millisecond)

	slow := s.open(t)
	slow.Record(t.Context(), mails(acme, 2))
	require.NoError(t, slow.Close(t.Context()))
	assert.EqualValues(t, 7, used(t, reader, acme))
	require.NoError(t, slow.Close(t.Context()))
}

// The database has the batch, and its answer is lost: whoever sends it again must not have
// it counted twice, and whoever asks meanwhile must not count it twice either.
func TestBatchThatIsWrittenAgainCountsOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "pro")
	cutter := &cutter{}
	cfg := s.control.Config().Copy()
	cfg.ConnConfig.Tracer = cutter
	l := openOn(t, newPool(t, cfg))
	reader := s.open(t)
	l.Record(t.Context(), mails(acme, 5))
	cutter.lose(true)
	require.ErrorContains(t, l.Flush(t.Context()), "write used units")
	cutter.lose(false)
	require.EqualValues(t, 5, used(t, reader, acme), "it was written")
	assert.EqualValues(t, 5, used(t, l, acme), "the writer doesn't know, and counts it once")
	l.Record(t.Context(), mails(acme, 1))
	assert.EqualValues(t, 6, used(t, l, acme))
	assert.Equal(t, 2, l.Stats().Pending)

	require.NoError(t, l.Flush(t.Context()))
	assert.Zero(t, l.Stats().Pending)
	assert.EqualValues(t, 6, used(t, reader, acme))
	assert.EqualValues(t, 6, used(t, l, acme))
}

// cutter loses the answers to what writes uses: the statement is done, and its caller gets
// an error.
type cutter struct {
	mu  sync.Mutex
	cut bool
}

func (c *cutter) lose(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
}

func (c *cutter) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut || !strings.Contains(data.SQL, "quota_writer AS w") {
		return ctx
	}
	// The statement is done once on the quiet, by a connection of its own: what the caller
	// does then is the second time, and it is cut off.
	cfg := conn.Config()
	cfg.Tracer = nil
	own, err := pgx.ConnectConfig(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return ctx
	}
	defer own.Close(context.WithoutCancel(ctx))
	c.cut = false
	var added int
	if err := own.QueryRow(context.WithoutCancel(ctx), data.SQL, data.Args...).Scan(&added); err != nil || added != 1 {
		panic("the batch was not written on the quiet")
	}
	_ = conn.PgConn().Conn().Close()
	return ctx
}

func (*cutter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestUsesAreKeptWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "pro")
	proxy := wire.NewProxy(t, s.url)
	cfg, err := pgxpool.ParseConfig(proxy.URL(s.url))
	require.NoError(t, err)
	control := s.control.Config().ConnConfig
	cfg.ConnConfig.User, cfg.ConnConfig.Password = control.User, control.Password
	var said lines
	l := openOn(t, newPool(t, cfg), func(cfg *ledger.Config) {
		cfg.FlushEvery, cfg.FlushTimeout = ledger.MinFlush, 100*time.Millisecond
		cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	proxy.Cut()
	for range 3 {
		l.Record(t.Context(), mails(acme, 2))
		time.Sleep(20 * time.Millisecond)
	}
	require.Eventually(t, func() bool { return l.Stats().FailedFlushes > 0 }, 10*time.Second, 5*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = l.Used(ctx, acme.ID, "mails", june)
	require.ErrorContains(t, err, "units used")
	for _, err := range l.Usage(ctx, ledger.UsageOptions{}) {
		require.ErrorContains(t, err, "read usage")
	}
	proxy.Restore()
	reader := s.open(t)
	require.Eventually(t, func() bool { return used(t, reader, acme) == 6 }, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(said.String(), "are written again") }, 10*time.Second, 5*time.Millisecond)
	assert.Equal(t, 1, strings.Count(said.String(), "can't be written"), "told once")
	assert.Zero(t, l.Stats().Lost)
}

func TestCloseTellsOfUsesThatAreLost(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "pro")
	pool := newPool(t, s.control.Config().Copy())
	l, err := ledger.Open(t.Context(), pool, ledger.Config{FlushEvery: ledger.MaxFlush})
	require.NoError(t, err)
	l.Record(t.Context(), mails(acme, 2))
	pool.Close()
	require.ErrorContains(t, l.Close(t.Context()), "write used units")
	assert.Equal(t, 1, l.Stats().Pending)
}

func TestFlushWaitsForAnotherAsLongAsItsContext(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "pro")
	l := s.open(t)
	tx, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK tenantwall.quota_used`)
	require.NoError(t, err)
	l.Record(t.Context(), mails(acme, 1))
	first := make(chan error)
	go func() { first <- l.Flush(t.Context()) }()
	require.Eventually(t, func() bool {
		var waits bool
		err := s.control.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'tenantwall.quota_used'::regclass)`).Scan(&waits)
		return err == nil && waits
	}, 10*time.Second, 5*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Flush(ctx), context.DeadlineExceeded)
	l.Record(t.Context(), mails(acme, 1)) // does not wait
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-first)
	assert.EqualValues(t, 2, used(t, l, acme))
}

func TestUsesThatThereIsNoRoomForAreTold(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "pro")
	var said lines
	l := s.open(t, func(cfg *ledger.Config) {
		cfg.MaxPending, cfg.Logger = 1, slog.New(slog.NewTextHandler(&said, nil))
	})
	l.Record(t.Context(), mails(acme, 1))
	l.Record(t.Context(), mails(beta, 4))
	l.Record(t.Context(), mails(acme, 1))
	assert.Equal(t, ledger.Stats{Pending: 1, Lost: 4}, l.Stats())
	assert.Contains(t, said.String(), "used units are lost")
	assert.EqualValues(t, 2, used(t, l, acme))
}

func TestUsageIsReadByPeriodForTheBill(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	acme, beta := s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "pro")
	month := func(m time.Month, day int) quota.Period {
		return quota.MonthlyPeriod(time.Date(2026, m, 28, 12, 0, 0, 0, time.UTC), day, time.UTC)
	}
	for _, use := range []quota.UnitsUse{
		{Tenant: acme.ID, Name: "mails", Period: month(5, 1), N: 1},
		{Tenant: acme.ID, Name: "mails", Period: month(6, 1), N: 2},
		{Tenant: acme.ID, Name: "calls", Period: month(6, 1), N: 3},
		{Tenant: beta.ID, Name: "mails", Period: month(5, 15), N: 4},
	} {
		l.Record(t.Context(), use)
	}
	require.NoError(t, l.Flush(t.Context()))

	assert.Equal(t, []ledger.Usage{
		{acme.ID, "mails", month(5, 1), 1},
		{beta.ID, "mails", month(5, 15), 4},
		{acme.ID, "calls", month(6, 1), 3},
		{acme.ID, "mails", month(6, 1), 2},
	}, all(t, l, ledger.UsageOptions{}))
	assert.Len(t, all(t, l, ledger.UsageOptions{Tenant: acme.ID}), 3)
	first := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	assert.Equal(t, []ledger.Usage{{acme.ID, "mails", month(5, 1), 1}}, all(t, l, ledger.UsageOptions{EndUpTo: first}))
	assert.Len(t, all(t, l, ledger.UsageOptions{EndAfter: first}), 3, "each period is in one bill")
	assert.Empty(t, all(t, l, ledger.UsageOptions{Tenant: tenant.NewID()}))
	for u, err := range l.Usage(t.Context(), ledger.UsageOptions{}) {
		require.NoError(t, err)
		assert.EqualValues(t, 1, u.Used)
		break
	}
}

func TestUsageIsReadPageByPage(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	_, err := s.control.Exec(t.Context(), `
		INSERT INTO tenantwall.quota_used SELECT $1, 'u' || n, '2026-06-01', '2026-07-01', n FROM generate_series(1, 1000) n`,
		s.create(t, "acme-corp", "pro").ID)
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, u := range all(t, l, ledger.UsageOptions{}) {
		assert.False(t, seen[u.Name], u.Name)
		seen[u.Name] = true
	}
	assert.Len(t, seen, 1000)
}

// Row 37, of months: the whole path, with a real Redis that is flushed.
func TestUnitsAreRightAfterRedisHasLostEverything(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	server, err := localserver.StartRedis(context.Background(), localserver.RedisConfig{})
	require.NoError(t, err)
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: server.Password(), ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	backend, err := quota.NewRedis(client, quota.RedisConfig{})
	require.NoError(t, err)
	plan := quota.Plan{Name: "free", Seats: 3, Units: []quota.Units{{Name: "mails", Limit: 100, AnchorDay: 31}}}
	newProcess := func() (*ledger.Ledger, *quota.Limiter) {
		l := s.open(t, func(cfg *ledger.Config) { cfg.Plans = []quota.Plan{plan} })
		limiter, err := quota.New(backend, l, quota.Config{Units: l, Recorder: l, Timeout: 5 * time.Second})
		require.NoError(t, err)
		t.Cleanup(func() { _ = limiter.Close(context.Background()) })
		return l, limiter
	}
	one, oneLimiter := newProcess()
	_, twoLimiter := newProcess()
	acme := s.create(t, "acme-corp", "")
	admitted := 0
	take := func(limiter *quota.Limiter) bool {
		d, err := limiter.Admit(t.Context(), acme, quota.Request{Costs: []quota.Cost{{Limit: "mails", N: 1}}})
		require.NoError(t, err)
		if d.Allowed {
			admitted++
		}
		return d.Allowed
	}
	for i := range 60 {
		require.True(t, take(oneLimiter))
		if i == 30 {
			require.NoError(t, one.Flush(t.Context()))
		}
	}
	require.NoError(t, client.FlushAll(t.Context()).Err())
	for take(oneLimiter) {
	}
	assert.Equal(t, 100, admitted, "half was written, half waited: none is forgotten")
	assert.False(t, take(twoLimiter))
	require.NoError(t, one.Flush(t.Context()))
	usage := all(t, one, ledger.UsageOptions{Tenant: acme.ID})
	require.Len(t, usage, 1)
	assert.EqualValues(t, 100, usage[0].Used)
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
