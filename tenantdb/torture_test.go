package tenantdb_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// The torture: many goroutines work for many tenants on few connections, in every way that
// the API has, while contexts are cancelled, callbacks panic, statements fail, statements
// try to leave their tenant, and the server's processes are killed. Each row of each
// tenant carries the tenant's mark. Whatever is read must carry the reader's, and in the
// end whatever was written must lie in the writer's schema.
//
// It is short in a normal run. "make torture" makes it long: the variable
// TENANTWALL_TORTURE_OPS says how many operations TestTorture is to run, and
// TENANTWALL_TORTURE_SEED repeats a run's choices (though not its timing).
const (
	envTortureOps  = "TENANTWALL_TORTURE_OPS"
	envTortureSeed = "TENANTWALL_TORTURE_SEED"
)

func TestTorture(t *testing.T) {
	t.Parallel()
	x := newTorture(t, newWorld(t), everything)
	pool := x.pool(x.gatewayURL(), 8, watchedInBothWays)
	db := openOn(t, pool)
	x.sessions, x.borrowed = db, pool
	x.run(fromEnv(t, envTortureOps, 5_000))
	x.assertNothingCrossed()
	x.assertWhole(pool)
	assert.Positive(t, db.Stats().Left, "statements that left their tenant")
	assert.Positive(t, db.Stats().Poisoned, "poisoned connections")
}

func TestTortureWithoutRoles(t *testing.T) {
	t.Parallel()
	x := newTorture(t, newWorld(t), everything&^needRoles)
	x.openToGateway()
	pool := x.pool(x.gatewayURL(), 8)
	x.sessions, x.borrowed = openOn(t, pool, tenantdb.WithoutRoles()), pool
	x.run(1_500)
	x.assertNothingCrossed()
	x.assertWhole(pool)
}

func TestTortureBehindAPooler(t *testing.T) {
	t.Parallel()
	x := newTorture(t, newWorld(t), everything&^borrowing)
	pool := x.pool(x.poolerURL(4), 16,
		func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe })
	x.sessions = openOn(t, pool)
	x.run(1_500)
	x.assertNothingCrossed()
	x.assertWhole(pool)
}

// The torture must notice sessions that are bound in ways that others use.
func TestTortureNoticesSessionsThatLeak(t *testing.T) {
	t.Parallel()
	for name, leaky := range leakySessions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTorture(t, newWorld(t), everything&^needRoles)
			x.openToGateway()
			x.sessions, x.borrowed = leaky(x)
			x.run(1_000)
			x.scan()
			assert.Positive(t, x.crossed.Load(), "rows that crossed:\n%s", x)
		})
	}
}

// watchedInBothWays makes pgx act on a cancelled context by closing the connection for
// most connections, as is its default, and by cancelling the statement for some.
func watchedInBothWays(c *pgxpool.Config) {
	var n atomic.Int64
	c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		if n.Add(1)%8 == 0 {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
		}
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
}

// fromEnv is an environment variable's number, or the default.
func fromEnv(t testing.TB, name string, byDefault int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(byDefault)))
	require.NoError(t, err, name)
	return n
}

// sessions is what the torture works on: a [tenantdb.DB], or what does the same wrongly.
type sessions interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
	Begin(ctx context.Context) (pgx.Tx, error)
	InTx(ctx context.Context, fn func(context.Context, pgx.Tx) error) error
}

const (
	tortureWorkers = 64
	tortureTenants = 50
	tortureMarks   = 20 // rows of table mark in each schema
)

// torture is one run.
type torture struct {
	*world
	t        testing.TB
	tenants  []tenant.Tenant
	kinds    kind
	sessions sessions
	borrowed *pgxpool.Pool // the one behind the sessions, from which raw borrowers take connections
	killer   *pgxpool.Pool
	tokens   atomic.Int64
	ledger   ledger
	crossed  atomic.Int64
	counts   counts
}

func newTorture(t *testing.T, w *world, kinds kind) *torture {
	t.Helper()
	x := &torture{world: w, t: t, kinds: kinds}
	for range tortureTenants {
		who := w.tenant()
		schema := w.schema(who)
		w.exec(fmt.Sprintf(`
			CREATE TABLE %[1]q.mark (id int PRIMARY KEY, mark text NOT NULL);
			INSERT INTO %[1]q.mark SELECT i, '%[1]s' FROM generate_series(1, %[2]d) i;
			CREATE TABLE %[1]q.entry (token bigint PRIMARY KEY, mark text NOT NULL);
			INSERT INTO %[1]q.entry VALUES (0, '%[1]s');
			CREATE FUNCTION %[1]q.leave(victim text) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
				EXECUTE format('SET ROLE %%I', victim);
				EXECUTE format('SET search_path = %%I', victim);
				SET application_name = '%[3]s';
				RETURN 1;
			END $f$;
			GRANT SELECT, INSERT, UPDATE, DELETE ON %[1]q.mark, %[1]q.entry TO %[1]q`, schema, tortureMarks, poisonedName))
		x.tenants = append(x.tenants, who)
	}
	x.killer = w.pool(w.url, 2)
	return x
}

// openToGateway gives the login itself what all tenants' roles have. That it inherits would
// be no such thing from PostgreSQL 16 on, where a membership is made with or without it.
func (x *torture) openToGateway() {
	for _, who := range x.tenants {
		x.exec(fmt.Sprintf(`GRANT USAGE ON SCHEMA %[1]q TO %[2]q;
			GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]q TO %[2]q`, x.schema(who), x.gateway))
	}
}

// run runs that many operations.
func (x *torture) run(operations int) {
	x.t.Helper()
	seed := uint64(fromEnv(x.t, envTortureSeed, int(time.Now().UnixNano())))
	x.t.Logf("replay with %s=%d", envTortureSeed, seed)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var left atomic.Int64
	left.Store(int64(operations))
	start := time.Now()
	var workers sync.WaitGroup
	for n := range tortureWorkers {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			for left.Add(-1) >= 0 {
				x.turn(ctx, rng)
			}
		})
	}
	workers.Wait()
	x.t.Logf("%d operations in %s by %d goroutines for %d tenants\n%s", operations, time.Since(start).Round(time.Millisecond), tortureWorkers, tortureTenants, x)
}
