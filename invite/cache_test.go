package invite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// source is Memberships of which a test says what they answer.
type source struct {
	reads atomic.Int64
	get   func(ctx context.Context, in tenant.ID, userID string) (invite.Member, error)
}

func (s *source) Get(ctx context.Context, in tenant.ID, userID string) (invite.Member, error) {
	s.reads.Add(1)
	return s.get(ctx, in, userID)
}

// everybody is a source in which all users are members.
func everybody() *source {
	s := new(source)
	s.get = func(_ context.Context, in tenant.ID, userID string) (invite.Member, error) {
		return invite.Member{TenantID: in, UserID: userID, Role: invite.RoleMember, Version: s.reads.Load()}, nil
	}
	return s
}

func newCache(t testing.TB, from invite.Memberships, cfg invite.CacheConfig) *invite.Cache {
	t.Helper()
	c, err := invite.NewCache(from, cfg)
	require.NoError(t, err)
	return c
}

func TestAMembershipIsReadOnceInATTL(t *testing.T) {
	t.Parallel()
	now := testclock.At(time.Now())
	s := everybody()
	c := newCache(t, s, invite.CacheConfig{TTL: 2 * time.Second, Now: now.Now})
	acme, beta := tenant.NewID(), tenant.NewID()
	get := func(in tenant.ID, user string) invite.Member {
		m, err := c.Get(t.Context(), in, user)
		require.NoError(t, err)
		assert.Equal(t, in, m.TenantID)
		assert.Equal(t, user, m.UserID)
		return m
	}
	first := get(acme, "ada")
	now.Pass(2*time.Second - 1)
	assert.Equal(t, first, get(acme, "ada"))
	assert.EqualValues(t, 1, s.reads.Load())
	get(beta, "ada")
	get(acme, "ben")
	assert.EqualValues(t, 3, s.reads.Load(), "each tenant and user by itself")
	now.Pass(1)
	assert.EqualValues(t, 4, get(acme, "ada").Version)
	version, err := c.MembershipVersion(t.Context(), acme, "ada")
	require.NoError(t, err)
	assert.EqualValues(t, 4, version)
}

func TestWhatIsForgottenIsReadAgain(t *testing.T) {
	t.Parallel()
	s := everybody()
	c := newCache(t, s, invite.CacheConfig{})
	acme := tenant.NewID()
	for range 2 {
		_, err := c.Get(t.Context(), acme, "ada")
		require.NoError(t, err)
		c.Forget(acme, "ada")
		c.Forget(acme, "nobody")
	}
	assert.EqualValues(t, 2, s.reads.Load())
}

func TestThatAUserIsNoMemberIsNotRemembered(t *testing.T) {
	t.Parallel()
	s := new(source)
	failure := invite.ErrNotAMember
	s.get = func(context.Context, tenant.ID, string) (invite.Member, error) { return invite.Member{}, failure }
	c := newCache(t, s, invite.CacheConfig{})
	for range 2 {
		_, err := c.Get(t.Context(), tenant.NewID(), "ada")
		require.ErrorIs(t, err, invite.ErrNotAMember)
	}
	version, err := c.MembershipVersion(t.Context(), tenant.NewID(), "ada")
	require.NoError(t, err)
	assert.Zero(t, version)
	assert.EqualValues(t, 3, s.reads.Load())
}

func TestRow32_NobodyIsLetInByAnAnswerThatIsTooOld(t *testing.T) {
	t.Parallel()
	now := testclock.At(time.Now())
	s := everybody()
	c := newCache(t, s, invite.CacheConfig{Now: now.Now})
	acme := tenant.NewID()
	_, err := c.Get(t.Context(), acme, "ada")
	require.NoError(t, err)
	away := errors.New("the database is away")
	s.get = func(context.Context, tenant.ID, string) (invite.Member, error) { return invite.Member{}, away }
	now.Pass(invite.DefaultCacheTTL)
	_, err = c.Get(t.Context(), acme, "ada")
	require.ErrorIs(t, err, away)
	_, err = c.MembershipVersion(t.Context(), acme, "ada")
	require.ErrorIs(t, err, away)
}

func TestCallersOfTheSameMembershipShareOneRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := everybody()
		answer := s.get
		s.get = func(ctx context.Context, in tenant.ID, user string) (invite.Member, error) {
			time.Sleep(100 * time.Millisecond)
			return answer(ctx, in, user)
		}
		c := newCache(t, s, invite.CacheConfig{})
		acme := tenant.NewID()
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				_, err := c.Get(t.Context(), acme, "ada")
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, s.reads.Load())
	})
}

func TestACallerWhoGivesUpTakesNobodyWithThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := everybody()
		answer := s.get
		s.get = func(ctx context.Context, in tenant.ID, user string) (invite.Member, error) {
			select {
			case <-ctx.Done():
				return invite.Member{}, ctx.Err()
			case <-time.After(100 * time.Millisecond):
				return answer(ctx, in, user)
			}
		}
		c := newCache(t, s, invite.CacheConfig{})
		acme := tenant.NewID()
		hasty, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Get(hasty, acme, "ada")
			assert.ErrorIs(t, err, context.DeadlineExceeded, "the one who reads")
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := c.Get(hasty, acme, "ada")
			assert.ErrorIs(t, err, context.DeadlineExceeded, "one who waits")
		})
		wg.Go(func() {
			_, err := c.Get(t.Context(), acme, "ada")
			assert.NoError(t, err, "one who has time reads it")
		})
		wg.Wait()
	})
}

func TestAReadThatWasOutdatedMeanwhileIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var role atomic.Value
		role.Store(invite.RoleOwner)
		s := new(source)
		s.get = func(_ context.Context, in tenant.ID, user string) (invite.Member, error) {
			m := invite.Member{TenantID: in, UserID: user, Role: role.Load().(invite.Role)}
			time.Sleep(100 * time.Millisecond) // the answer is on its way
			return m, nil
		}
		c := newCache(t, s, invite.CacheConfig{})
		acme := tenant.NewID()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Get(t.Context(), acme, "ada") })
		synctest.Wait()
		role.Store(invite.RoleViewer)
		c.Forget(acme, "ada")
		m, err := c.Get(t.Context(), acme, "ada") // while the old read is under way
		require.NoError(t, err)
		assert.Equal(t, invite.RoleViewer, m.Role)
		wg.Wait()
		m, err = c.Get(t.Context(), acme, "ada")
		require.NoError(t, err)
		assert.Equal(t, invite.RoleViewer, m.Role)
		assert.EqualValues(t, 2, s.reads.Load())
	})
}

func TestNobodyWaitsForAReadThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := everybody()
		answer := s.get
		s.get = func(ctx context.Context, in tenant.ID, user string) (invite.Member, error) {
			if s.reads.Load() == 1 {
				time.Sleep(time.Minute)
			}
			return answer(ctx, in, user)
		}
		c := newCache(t, s, invite.CacheConfig{})
		acme := tenant.NewID()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Get(t.Context(), acme, "ada") })
		synctest.Wait()
		time.Sleep(invite.DefaultCacheTTL)
		begun := time.Now()
		_, err := c.Get(t.Context(), acme, "ada")
		require.NoError(t, err)
		assert.Zero(t, time.Since(begun), "what was asked a TTL ago is no answer")
		wg.Wait()
	})
}

func TestAPanicOfTheSourceLeavesTheCacheUsable(t *testing.T) {
	t.Parallel()
	s := everybody()
	answer := s.get
	s.get = func(context.Context, tenant.ID, string) (invite.Member, error) { panic("oh") }
	c := newCache(t, s, invite.CacheConfig{})
	acme := tenant.NewID()
	assert.Panics(t, func() { _, _ = c.Get(t.Context(), acme, "ada") })
	s.get = answer
	_, err := c.Get(t.Context(), acme, "ada")
	require.NoError(t, err)
}

func TestRow25_TheCacheStaysWithinItsSizeAndWorksOn(t *testing.T) {
	t.Parallel()
	s := everybody()
	c := newCache(t, s, invite.CacheConfig{Size: 100})
	acme := tenant.NewID()
	const users = 1000
	for i := range users {
		_, err := c.Get(t.Context(), acme, fmt.Sprint(i))
		require.NoError(t, err)
	}
	for i := users - 100; i < users; i++ {
		_, err := c.Get(t.Context(), acme, fmt.Sprint(i))
		require.NoError(t, err)
	}
	assert.EqualValues(t, users, s.reads.Load(), "the last 100 are there")
	_, err := c.Get(t.Context(), acme, "0")
	require.NoError(t, err)
	assert.EqualValues(t, users+1, s.reads.Load())
}

func TestACacheNeedsASource(t *testing.T) {
	t.Parallel()
	_, err := invite.NewCache(nil, invite.CacheConfig{})
	require.ErrorContains(t, err, "source")
	for _, cfg := range []invite.CacheConfig{{TTL: -1}, {TTL: invite.MaxCacheTTL + 1}, {Size: -1}} {
		_, err := invite.NewCache(everybody(), cfg)
		require.ErrorContains(t, err, "CacheConfig")
	}
}

// Two processes have the same database. What one changes, it sees at once, and the other
// within the TTL.
func TestRow32_ARemovedMemberIsOutWithinTheBound(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	other := s.open(t, func(cfg *invite.Config) { cfg.Cache = invite.CacheConfig{Now: s.clock.Now, TTL: invite.MaxCacheTTL} })
	role := func(m *invite.Members, user string) invite.Role {
		found, err := m.Cache().Get(t.Context(), acme.ID, user)
		if !errors.Is(err, invite.ErrNotAMember) {
			require.NoError(t, err)
		}
		return found.Role
	}
	for _, m := range []*invite.Members{s.members, other} {
		assert.Equal(t, invite.RoleMember, role(m, "member"))
		assert.Equal(t, invite.RoleViewer, role(m, "viewer"))
	}
	before, err := s.members.Cache().MembershipVersion(t.Context(), acme.ID, "member")
	require.NoError(t, err)
	_, err = s.members.ChangeRole(t.Context(), acme.ID, invite.By("owner"), "member", invite.RoleViewer)
	require.NoError(t, err)
	require.NoError(t, s.members.Remove(t.Context(), acme.ID, invite.By("owner"), "viewer"))
	assert.Equal(t, invite.RoleViewer, role(s.members, "member"))
	assert.Empty(t, role(s.members, "viewer"))
	after, err := s.members.Cache().MembershipVersion(t.Context(), acme.ID, "member")
	require.NoError(t, err)
	assert.Greater(t, after, before, "which is how an old token is found out")
	gone, err := s.members.Cache().MembershipVersion(t.Context(), acme.ID, "viewer")
	require.NoError(t, err)
	assert.Zero(t, gone)

	s.clock.Pass(invite.MaxCacheTTL)
	assert.Equal(t, invite.RoleViewer, role(other, "member"))
	assert.Empty(t, role(other, "viewer"))
	s.join(t, acme, "viewer", invite.RoleMember)
	assert.Equal(t, invite.RoleMember, role(other, "viewer"), "who has just joined gets in at once")
}
