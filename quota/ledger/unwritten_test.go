package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
	"github.com/tenantwall/tenantwall/tenant"
)

func named(in tenant.Tenant, name string, n int64) quota.UnitsUse {
	return quota.UnitsUse{Tenant: in.ID, Name: name, Period: june, N: n}
}

// unwritten is the error that a call must have returned.
func unwritten(t testing.TB, err error) *ledger.UnwrittenError {
	t.Helper()
	told, ok := errors.AsType[*ledger.UnwrittenError](err)
	require.True(t, ok, "%v", err)
	return told
}

// waitsFor waits until somebody waits for a table.
func (s site) waitsFor(t testing.TB, table string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waits bool
		err := s.control.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)`, table).Scan(&waits)
		return err == nil && waits
	}, 30*time.Second, 5*time.Millisecond)
}

func TestCloseEndsWithItsContextAndTellsEveryUseThatIsNotWritten(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	s.open(t) // makes the tables
	acme, beta := s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "pro")
	tx, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `LOCK tenantwall.quota_used`)
	require.NoError(t, err)
	var said lines
	l := s.open(t, func(cfg *ledger.Config) {
		cfg.FlushEvery, cfg.FlushTimeout = ledger.MinFlush, time.Minute
		cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	l.Record(t.Context(), mails(acme, 2))
	s.waitsFor(t, "tenantwall.quota_used") // the goroutine that writes, for a minute
	l.Record(t.Context(), mails(acme, 3))
	l.Record(t.Context(), mails(beta, 4))

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	select {
	case err = <-closed:
	case <-time.After(30 * time.Second):
		require.Fail(t, "Close goes on after its context has ended")
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "9 units in 2 uses are not written")
	assert.ElementsMatch(t, []quota.UnitsUse{mails(acme, 5), mails(beta, 4)}, unwritten(t, err).Uses, "those that were on their way, too")

	l.Record(t.Context(), mails(acme, 7))
	assert.EqualValues(t, 7, l.Stats().Lost)
	assert.Contains(t, said.String(), "the ledger is closed")
	assert.NotContains(t, said.String(), "kept and tried again", "it is closed, and does not try")

	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, l.Close(t.Context()), "a second time it can")
	assert.EqualValues(t, 5, used(t, s.open(t), acme))
	assert.EqualValues(t, 4, used(t, s.open(t), beta))
	assert.Zero(t, l.Stats().Pending)
}

func TestUseThatTheDatabaseRefusesKeepsNoOtherBack(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	s.open(t) // makes the tables
	_, err := s.control.Exec(t.Context(), `ALTER TABLE tenantwall.quota_used ADD CHECK (name NOT LIKE 'poison%')`)
	require.NoError(t, err)
	acme, beta := s.create(t, "acme-corp", "pro"), s.create(t, "beta-industries", "pro")
	var said lines
	l := s.open(t, func(cfg *ledger.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	record := func() {
		for i := range 20 {
			l.Record(t.Context(), named(acme, "mails-"+string(rune('a'+i)), 1))
		}
		l.Record(t.Context(), mails(beta, 2))
		l.Record(t.Context(), named(acme, "poison", 3))
		l.Record(t.Context(), named(beta, "poison-2", 4))
	}
	record()
	err = l.Flush(t.Context())
	require.ErrorContains(t, err, "check constraint")
	assert.ElementsMatch(t, []quota.UnitsUse{named(acme, "poison", 3), named(beta, "poison-2", 4)}, unwritten(t, err).Uses)
	assert.Len(t, all(t, l, ledger.UsageOptions{}), 21)
	assert.EqualValues(t, 2, used(t, l, beta))
	assert.Equal(t, ledger.Stats{Lost: 7}, l.Stats())
	assert.Equal(t, 2, strings.Count(said.String(), "used units are lost"))
	require.NoError(t, l.Flush(t.Context()), "they are not tried again")

	record()
	err = l.Close(t.Context())
	assert.Len(t, unwritten(t, err).Uses, 2)
	assert.EqualValues(t, 4, used(t, s.open(t), beta), "what came with them is written")
	require.NoError(t, l.Close(t.Context()))
}

// A batch that was left and the one that has gathered since are written together.
func TestUsesThatAreRefusedOfTwoBatchesAreAllTold(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	s.open(t) // makes the tables
	_, err := s.control.Exec(t.Context(), `ALTER TABLE tenantwall.quota_used ADD CHECK (name NOT LIKE 'poison%')`)
	require.NoError(t, err)
	acme := s.create(t, "acme-corp", "pro")
	for name, end := range map[string]func(*ledger.Ledger) error{
		"Flush": func(l *ledger.Ledger) error { return l.Flush(t.Context()) },
		"Close": func(l *ledger.Ledger) error { return l.Close(t.Context()) },
	} {
		l := s.open(t)
		tx, err := s.control.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `LOCK tenantwall.quota_used`)
		require.NoError(t, err)
		l.Record(t.Context(), named(acme, "poison", 3))
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		require.ErrorIs(t, l.Flush(short), context.DeadlineExceeded, name)
		cancel()
		require.NoError(t, tx.Rollback(t.Context()))
		l.Record(t.Context(), named(acme, "poison-2", 4))
		assert.ElementsMatch(t, []quota.UnitsUse{named(acme, "poison", 3), named(acme, "poison-2", 4)}, unwritten(t, end(l)).Uses, name)
	}
}

// The others of its batch are written by then, and it is not found out again.
func TestUseThatIsRefusedIsToldAlsoWhenTheAnswerToTheCommitIsLost(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	s.open(t) // makes the tables
	_, err := s.control.Exec(t.Context(), `ALTER TABLE tenantwall.quota_used ADD CHECK (name <> 'poison')`)
	require.NoError(t, err)
	acme := s.create(t, "acme-corp", "pro")
	var deaf atomic.Bool
	cfg := s.control.Config().Copy()
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &deafToCommits{Conn: conn, deaf: &deaf}, err
	}
	l := openOn(t, newPool(t, cfg))
	l.Record(t.Context(), mails(acme, 2))
	l.Record(t.Context(), named(acme, "poison", 3))
	deaf.Store(true)
	require.ErrorContains(t, l.Flush(t.Context()), "write used units")
	deaf.Store(false)
	require.EqualValues(t, 2, used(t, s.open(t), acme), "it was committed")
	assert.Zero(t, l.Stats().Lost, "nobody can know yet")

	assert.Equal(t, []quota.UnitsUse{named(acme, "poison", 3)}, unwritten(t, l.Flush(t.Context())).Uses)
	assert.Equal(t, ledger.Stats{Lost: 3}, l.Stats())
	assert.EqualValues(t, 2, used(t, l, acme), "and nothing counts twice")
}

// deafToCommits is cut when the server has answered to a commit.
type deafToCommits struct {
	net.Conn
	deaf *atomic.Bool
	cut  atomic.Bool
}

func (c *deafToCommits) Write(b []byte) (int, error) {
	if c.deaf.Load() && bytes.Contains(b, []byte("commit\x00")) {
		c.cut.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *deafToCommits) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.cut.Load() {
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// The goroutine that writes goes on, and does not say that all are kept.
func TestUseThatTheDatabaseRefusesIsNoOutage(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	s.open(t) // makes the tables
	_, err := s.control.Exec(t.Context(), `ALTER TABLE tenantwall.quota_used ADD CHECK (name <> 'poison')`)
	require.NoError(t, err)
	acme := s.create(t, "acme-corp", "pro")
	var said lines
	l := s.open(t, func(cfg *ledger.Config) {
		cfg.FlushEvery, cfg.Logger = ledger.MinFlush, slog.New(slog.NewTextHandler(&said, nil))
	})
	l.Record(t.Context(), named(acme, "poison", 3))
	require.Eventually(t, func() bool { return l.Stats().Lost == 3 }, 30*time.Second, 5*time.Millisecond)
	l.Record(t.Context(), mails(acme, 1))
	reader := s.open(t)
	require.Eventually(t, func() bool { return used(t, reader, acme) == 1 }, 30*time.Second, 5*time.Millisecond)
	assert.Zero(t, l.Stats().FailedFlushes)
	assert.NotContains(t, said.String(), "kept and tried again")
}

func TestUseThatCanNeverBeWrittenIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "pro")
	var said lines
	l := s.open(t, func(cfg *ledger.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	for _, bad := range []quota.UnitsUse{
		named(acme, "", 1), named(acme, "a\x00b", 1), named(acme, "\xff", 1), named(acme, strings.Repeat("n", 5000), 1),
		{Tenant: acme.ID, Name: "mails", N: 1},
		{Tenant: acme.ID, Name: "mails", N: 1, Period: quota.Period{Start: june.End, End: june.Start}},
		{Tenant: acme.ID, Name: "mails", N: 1, Period: quota.Period{Start: june.Start, End: june.End.AddDate(300_000, 0, 0)}},
	} {
		l.Record(t.Context(), bad)
	}
	l.Record(t.Context(), mails(acme, 5))
	assert.Equal(t, ledger.Stats{Pending: 1, Lost: 7}, l.Stats())
	assert.Equal(t, 7, strings.Count(said.String(), "used units are lost"))
	require.NoError(t, l.Flush(t.Context()))
	assert.EqualValues(t, 5, used(t, l, acme))
}
