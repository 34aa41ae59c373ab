package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// beforeStatement calls fn before each statement that a pool sends, with its number from 1.
type beforeStatement struct {
	fn func(n int64, conn *pgx.Conn)
	n  atomic.Int64
}

func (b *beforeStatement) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	b.fn(b.n.Add(1), conn)
	return ctx
}

func (*beforeStatement) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// traced is a pool as control, through a server that stands in the real one's place.
func (s *site) traced(url string, tracer *beforeStatement) *pgxpool.Pool {
	s.t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(s.t, err)
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(s.t, err)
	s.t.Cleanup(pool.Close)
	return pool
}

// remains is what there is of a tenant.
type remains struct {
	status                string // of its row, or none
	slugs, roles, schemas int
}

var nothing = remains{status: "none"}

func (s *site) left(id tenant.ID) (r remains) {
	s.t.Helper()
	require.NoError(s.t, s.connect(s.url).QueryRow(s.t.Context(), `
		SELECT coalesce((SELECT status FROM tenantwall.tenant WHERE id = $1), 'none'),
		       (SELECT count(*) FROM tenantwall.slug WHERE tenant_id = $1),
		       (SELECT count(*) FROM pg_roles WHERE rolname = $2),
		       (SELECT count(*) FROM pg_namespace WHERE nspname = $2)`, id, tenantdb.SchemaName(id)).Scan(&r.status, &r.slugs, &r.roles, &r.schemas))
	return r
}

// A process that dies before any of its statements leaves a reservation at most; another
// one goes on from there.
func TestRow44_CreateGoesOnAfterACrashBeforeEachStatement(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	proxy := wire.NewProxy(t, s.url)
	witness := s.catalog()

	for crash := int64(1); ; crash++ {
		tracer := &beforeStatement{fn: func(int64, *pgx.Conn) {}}
		dying := s.catalogOn(s.traced(proxy.URL(s.controlURL()), tracer))
		tracer.n.Store(0)
		tracer.fn = func(n int64, _ *pgx.Conn) {
			if n == crash {
				proxy.Cut()
			}
		}
		n := acme()
		n.Slug = tenant.Slug(fmt.Sprintf("acme-%d", crash))
		_, err := dying.Create(t.Context(), n)
		proxy.Restore()
		if err == nil {
			require.Greater(t, crash, int64(5), "statements of a creation")
			return
		}

		left := s.left(n.ID)
		if crash == 1 {
			assert.Equal(t, nothing, left)
		} else {
			assert.Equal(t, remains{status: "provisioning", slugs: 1}, left, "crash before statement %d", crash)
			found, err := witness.Lookup(t.Context(), tenant.BySlug(n.Slug))
			require.NoError(t, err)
			require.ErrorIs(t, found.Usable(), tenant.ErrUnavailable)
			other := n
			other.ID = tenant.NewID()
			_, err = witness.Create(t.Context(), other)
			require.ErrorIs(t, err, tenant.ErrSlugTaken)
		}

		got, err := witness.Create(t.Context(), n)
		require.NoError(t, err, "after a crash before statement %d", crash)
		assert.Equal(t, tenant.StatusActive, got.Status)
		assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated}, kinds(t, witness, n.ID))
		again, err := witness.Create(t.Context(), n)
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
}

// When the connection breaks before the answer to COMMIT, the caller can't know how it
// ended; asking again with the same id tells.
func TestRow44_CreateGoesOnAfterACrashBehindItsCommit(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	proxy := wire.NewProxy(t, s.url)
	witness := s.catalog()
	n := acme()
	seeded := false
	n.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { seeded = true; return nil }
	var cut sync.WaitGroup
	tracer := &beforeStatement{fn: func(int64, *pgx.Conn) {}}
	dying := s.catalogOn(s.traced(proxy.URL(s.controlURL()), tracer))
	statements := int64(0)
	tracer.fn = func(int64, *pgx.Conn) {
		if !seeded {
			return
		}
		if statements++; statements != 2 { // the event is the first, COMMIT the second
			return
		}
		proxy.Delay(0, time.Hour)
		cut.Go(func() {
			assert.Eventually(t, func() bool {
				found, err := witness.Lookup(t.Context(), tenant.ByID(n.ID))
				return err == nil && found.Status == tenant.StatusActive
			}, 10*time.Second, time.Millisecond)
			proxy.Cut()
		})
	}
	_, err := dying.Create(t.Context(), n)
	require.Error(t, err)
	cut.Wait()
	got, err := witness.Create(t.Context(), n)
	require.NoError(t, err)
	assert.Equal(t, tenant.StatusActive, got.Status)
	assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated}, kinds(t, witness, n.ID))
}

// A creation that fails, but lives, gives back what it has taken.
func TestRow44_CreateGivesTheSlugBackWhenAStatementFails(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	witness := s.catalog()
	killer := s.connect(s.url)

	for kill := int64(2); ; kill++ {
		tracer := &beforeStatement{fn: func(int64, *pgx.Conn) {}}
		failing := s.catalogOn(s.traced(s.controlURL(), tracer))
		tracer.n.Store(0)
		tracer.fn = func(n int64, conn *pgx.Conn) {
			if n == kill {
				_, err := killer.Exec(context.Background(), `SELECT pg_terminate_backend($1, 5000)`, conn.PgConn().PID())
				assert.NoError(t, err)
			}
		}
		n := acme()
		_, err := failing.Create(t.Context(), n)
		if err == nil {
			require.Greater(t, kill, int64(5), "statements of a creation")
			return
		}
		assert.Equal(t, nothing, s.left(n.ID), "killed before statement %d: %v", kill, err)
		_, err = witness.Lookup(t.Context(), tenant.BySlug(n.Slug))
		require.ErrorIs(t, err, tenant.ErrNotFound)
		assert.Equal(t, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventReleased}, kinds(t, witness, n.ID))
	}
}

func TestRow44_CreateGivesTheSlugBackWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	ctx, cancel := context.WithCancel(t.Context())
	n := acme()
	n.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { cancel(); return ctx.Err() }
	_, err := catalog.Create(ctx, n)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, nothing, s.left(n.ID))
}

func TestRow44_CreateNeverDropsWhatItDidNotMake(t *testing.T) {
	t.Parallel()
	for _, there := range []string{`CREATE SCHEMA %s; CREATE TABLE %[1]s.precious ()`, `CREATE ROLE %s`} {
		s := setUp(t)
		catalog := s.catalog()
		n := acme()
		s.exec(fmt.Sprintf(there, tenantdb.SchemaName(n.ID)))
		before := s.left(n.ID)

		_, err := catalog.Create(t.Context(), n)
		require.ErrorContains(t, err, "was not made by this catalog")
		assert.Equal(t, before, s.left(n.ID), there)
	}
}

// A failed creation that found the reservation leaves it to whoever made it.
func TestRow44_CreateNeverReleasesAReservationThatItFound(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	n := s.crashed(acme())
	n.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { return errors.New("no seed") }
	_, err := catalog.Create(t.Context(), n)
	require.ErrorContains(t, err, "no seed")
	assert.Equal(t, remains{status: "provisioning", slugs: 1}, s.left(n.ID))
}

// crashed leaves a reservation behind, as a process does that dies.
func (s *site) crashed(n tenantdb.NewTenant) tenantdb.NewTenant {
	s.t.Helper()
	proxy := wire.NewProxy(s.t, s.url)
	cut := n
	cut.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { proxy.Cut(); return errors.New("crash") }
	_, err := s.catalogOn(s.pool(proxy.URL(s.controlURL()))).Create(s.t.Context(), cut)
	require.ErrorContains(s.t, err, "crash")
	require.Equal(s.t, "provisioning", s.left(n.ID).status)
	return n
}
