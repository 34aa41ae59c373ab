package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
	"github.com/tenantwall/tenantwall/tenant"
)

// A ledger is what package invite asks, without either importing the other.
var _ invite.Seats = (*ledger.Ledger)(nil)

// limit is the number of seats, as a transaction is told it.
func (s site) limit(t testing.TB, l *ledger.Ledger, in tenant.Tenant) (n int, err error) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), s.control, func(tx pgx.Tx) error {
		n, err = l.SeatLimit(t.Context(), tx, in)
		return nil
	}))
	return n, err
}

func TestSeatsAreThoseOfThePlanAndTheOverride(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l, other := s.open(t), s.open(t)
	acme := s.create(t, "acme-corp", "pro")
	n, err := s.limit(t, l, acme)
	require.NoError(t, err)
	assert.Equal(t, 50, n)
	acme.Plan = ""
	n, err = s.limit(t, l, acme)
	require.NoError(t, err)
	assert.Equal(t, 3, n, "the default plan")

	_, err = other.PutPlan(t.Context(), with(free, 0, 0))
	require.NoError(t, err)
	n, err = s.limit(t, l, acme)
	require.NoError(t, err)
	assert.Zero(t, n, "what another process has changed is seen at once")
	require.NoError(t, other.SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(quota.Unlimited)}))
	n, err = s.limit(t, l, acme)
	require.NoError(t, err)
	assert.Equal(t, math.MaxInt, n)

	acme.Plan = "gold"
	_, err = s.limit(t, l, acme)
	require.ErrorIs(t, err, quota.ErrUnknownPlan)
}

func TestSeatsThatCantBeReadLetNobodyJoin(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	acme := s.create(t, "acme-corp", "free")
	_, err := s.control.Exec(t.Context(), `UPDATE tenantwall.quota_plan SET plan = '{"x": 1}'`)
	require.NoError(t, err)
	members, err := invite.Open(t.Context(), s.control, invite.Config{Seats: l})
	require.NoError(t, err)
	require.ErrorContains(t, s.add(t.Context(), members, acme, "ada"), "seat limit")
}

// Row 31: each tenant is raced for by more users than it has seats, through two processes,
// while its plan is changed back and forth. Nobody passes the limit that was in force.
func TestRow31_SeatsAreExactWhileManyJoinAndThePlanChanges(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var processes []*invite.Members
	var ledgers []*ledger.Ledger
	for range 2 {
		l := s.open(t)
		members, err := invite.Open(t.Context(), s.control, invite.Config{Seats: l})
		require.NoError(t, err)
		ledgers, processes = append(ledgers, l), append(processes, members)
	}
	acme := s.create(t, "acme-corp", "free")
	var joined atomic.Int64
	race := func(from int) {
		var group sync.WaitGroup
		for i := range 32 {
			group.Go(func() {
				err := s.add(t.Context(), processes[i%2], acme, fmt.Sprint("user", from+i))
				if err == nil {
					joined.Add(1)
					return
				}
				assert.ErrorIs(t, err, invite.ErrSeatLimit)
			})
		}
		group.Wait()
	}
	race(0)
	require.EqualValues(t, 3, joined.Load(), "the plan's seats, and no more")

	require.NoError(t, ledgers[0].SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(7)}))
	race(100)
	require.EqualValues(t, 7, joined.Load(), "as soon as the override is there, in each process")

	require.NoError(t, ledgers[1].SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(2)}))
	race(200)
	require.EqualValues(t, 7, joined.Load(), "those who are in stay in")
	used, err := processes[0].SeatsUsed(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Equal(t, 7, used)
}

// An override waits for whoever is deciding on a seat, and who decides next sees it.
func TestOverrideAndSeatsTakeTurns(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	l := s.open(t)
	acme := s.create(t, "acme-corp", "free")
	holds, goOn := make(chan struct{}), make(chan struct{})
	members, err := invite.Open(t.Context(), s.control, invite.Config{Seats: invite.SeatsFunc(func(ctx context.Context, tx pgx.Tx, in tenant.Tenant) (int, error) {
		before, err := l.SeatLimit(ctx, tx, in)
		close(holds)
		<-goOn
		after, again := l.SeatLimit(ctx, tx, in)
		if before != after {
			return 0, fmt.Errorf("%d seats became %d", before, after)
		}
		return after, errors.Join(err, again)
	})})
	require.NoError(t, err)
	done, set := make(chan error, 1), make(chan error, 1)
	go func() { done <- s.add(t.Context(), members, acme, "ada") }()
	<-holds
	go func() { set <- l.SetOverride(t.Context(), acme.ID, ledger.Override{Seats: new(0)}) }()
	require.Eventually(t, func() bool {
		var waits bool
		err := s.control.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)
		return err == nil && waits
	}, 10*time.Second, 5*time.Millisecond)
	close(goOn)
	require.NoError(t, <-done)
	require.NoError(t, <-set)
	n, err := s.limit(t, l, acme)
	require.NoError(t, err)
	assert.Zero(t, n)
}

func (s site) add(ctx context.Context, members *invite.Members, in tenant.Tenant, user string) error {
	return pgx.BeginFunc(ctx, s.control, func(tx pgx.Tx) error {
		return members.Add(ctx, tx, invite.Member{TenantID: in.ID, UserID: user, Email: user + "@acme.example", Role: invite.RoleOwner})
	})
}
