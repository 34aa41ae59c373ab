package invite_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// saboteur is a tracer that ends a context as the statement of a number begins.
type saboteur struct {
	left   atomic.Int64
	cancel context.CancelFunc
}

func (s *saboteur) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if s.left.Add(-1) == 0 {
		s.cancel()
	}
	return ctx
}

func (*saboteur) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Each change is broken off before each of its statements in turn, the commit included.
// Whatever had been done by then is not.
func TestAChangeIsDoneWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *invite.Config) { cfg.OneTenantPerUser = true })
	acme := s.staffed(t, "acme-corp")
	domains, z := newDomains(t, s)
	proved(t, domains, z, acme, acmeMembers(true))
	_, _, err := domains.Join(t.Context(), acme.ID, userOf("wanda"))
	require.NoError(t, err)
	cleo, secret := s.invited(t, acme, "owner", emailOf("cleo"), invite.RoleMember)
	_, dora := s.invited(t, acme, "owner", emailOf("dora"), invite.RoleMember)
	eve, _ := s.invited(t, acme, "owner", emailOf("eve"), invite.RoleMember)

	sab := new(saboteur)
	cfg := s.control.Config().Copy()
	cfg.MaxConns = 1
	cfg.ConnConfig.Tracer = sab
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()
	sab.cancel = func() {}
	m, err := invite.Open(t.Context(), pool, invite.Config{Sender: s.outbox, Now: s.clock.Now, OneTenantPerUser: true, Seats: invite.SeatsFunc(manySeats)})
	require.NoError(t, err)
	d, err := invite.NewDomains(m, invite.DomainConfig{Resolver: z})
	require.NoError(t, err)

	owner := invite.By("owner")
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"invite anew", func(ctx context.Context) error {
			_, err := m.Invite(ctx, acme.ID, owner, emailOf("eve"), invite.RoleViewer)
			return err
		}},
		{"resend", func(ctx context.Context) error {
			_, err := m.Resend(ctx, acme.ID, owner, cleo.ID)
			return err
		}},
		{"accept", func(ctx context.Context) error {
			_, err := m.Accept(ctx, s.outbox.secretFor(t, emailOf("cleo")), userOf("cleo"))
			return err
		}},
		{"decline", func(ctx context.Context) error { return m.Decline(ctx, dora) }},
		{"change a role", func(ctx context.Context) error {
			_, err := m.ChangeRole(ctx, acme.ID, owner, "viewer", invite.RoleMember)
			return err
		}},
		{"let in", func(ctx context.Context) error {
			_, err := d.Approve(ctx, acme.ID, owner, "wanda")
			return err
		}},
		{"transfer", func(ctx context.Context) error {
			return m.TransferOwnership(ctx, acme.ID, "owner", "admin", invite.RoleAdmin)
		}},
		{"remove a domain", func(ctx context.Context) error { return d.Remove(ctx, acme.ID, owner, "acme.example") }},
		{"remove", func(ctx context.Context) error { return m.Remove(ctx, acme.ID, owner, "viewer") }},
	} {
		before := s.state(t)
		for n := int64(1); ; n++ {
			require.Less(t, n, int64(50), step.name)
			ctx, cancel := context.WithCancel(t.Context())
			sab.cancel = cancel
			sab.left.Store(n)
			err := step.do(ctx)
			cancel()
			if err == nil {
				break
			}
			require.ErrorIs(t, err, context.Canceled, "%s, statement %d", step.name, n)
			require.Equal(t, before, s.state(t), "%s, statement %d", step.name, n)
		}
		assert.NotEqual(t, before, s.state(t), step.name)
	}
	s.requireDead(t, secret)
	got, err := s.members.Invitation(t.Context(), acme.ID, eve.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusReplaced, got.Status)
	assert.Equal(t, []string{"admin owner", "cleo member", "member member", "owner admin", "wanda member"}, s.roles(t, acme))
}

// behind is a tracer that is called behind each statement.
type behind func(sql string)

func (behind) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, sqlKey{}, data.SQL)
}

func (f behind) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	f(ctx.Value(sqlKey{}).(string))
}

type sqlKey struct{}

// Row 32. Nobody knows whether a commit was done whose answer was lost. So the membership is
// read again, and others are told.
func TestRow32_MembershipIsReadAgainWhenTheAnswerToTheCommitIsLost(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	cfg := s.control.Config().Copy()
	proxy := wire.NewProxy(t, net.JoinHostPort(cfg.ConnConfig.Host, strconv.Itoa(int(cfg.ConnConfig.Port))))
	host, port, err := net.SplitHostPort(proxy.Addr())
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.Fallbacks = host, uint16(number), nil
	cfg.ConnConfig.Tracer = behind(func(sql string) {
		if strings.Contains(sql, "INSERT INTO tenantwall.event") { // the last one before the commit
			proxy.Delay(0, time.Hour)
		}
	})
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()
	told := make(chan string, 1)
	m, err := invite.Open(t.Context(), pool, invite.Config{
		Now: s.clock.Now, Cache: invite.CacheConfig{Now: s.clock.Now},
		OnChange: func(_ tenant.ID, user string) { told <- user },
	})
	require.NoError(t, err)
	_, err = m.Cache().Get(t.Context(), acme.ID, "member")
	require.NoError(t, err)

	failed := make(chan error, 1)
	go func() { failed <- m.Remove(t.Context(), acme.ID, invite.By("owner"), "member") }()
	require.Eventually(t, func() bool {
		_, err := s.members.Get(t.Context(), acme.ID, "member")
		return errors.Is(err, invite.ErrNotAMember)
	}, 10*time.Second, time.Millisecond)
	proxy.Cut()
	require.Error(t, <-failed)
	require.Len(t, told, 1, "others are told")
	assert.Equal(t, "member", <-told)
	proxy.Delay(0, 0)
	proxy.Restore()
	_, err = m.Cache().Get(t.Context(), acme.ID, "member")
	require.ErrorIs(t, err, invite.ErrNotAMember)
}

// state is all that the package has stored.
func (s site) state(t testing.TB) string {
	t.Helper()
	all := ""
	for _, table := range []string{"membership", "invitation", "mail_domain", "join_request", "event"} {
		var rows string
		err := s.control.QueryRow(t.Context(), fmt.Sprintf(
			`SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM tenantwall.%s x`, table)).Scan(&rows)
		require.NoError(t, err)
		all += table + ":\n" + rows + "\n"
	}
	return all
}
