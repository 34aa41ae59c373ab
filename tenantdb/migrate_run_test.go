package tenantdb

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestRow42_OneTenantThatFailsStopsNoneOfTheOthers(t *testing.T) {
	t.Parallel()
	y := newYard(t, 5)
	targets := y.schemas(60)
	y.migrated(parsed(t, map[string]string{"0001_note.sql": noteFiles["0001_note.sql"]}), targets...)
	poisoned := targets[17]
	y.in(poisoned, `ALTER TABLE note ADD COLUMN title int`)
	m := parsed(t, noteFiles)

	report, err := y.migrate(m, MigrateOptions{}, targets)
	var failed *MigrateError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, MigrateError{Failed: 1, Total: 60, First: failed.First}, *failed)
	require.Len(t, failed.First, 1)
	assert.ErrorContains(t, err, "of 60 tenants 1 failed and 0 were skipped, the first: tenant "+poisoned.id.String()+": tenantdb: migrate schema "+poisoned.schema+": 0002_title.sql: ERROR: column \"title\"")
	assert.True(t, isCode(err, "42701"))
	var file *MigrationFileError
	require.ErrorAs(t, err, &file)

	require.Len(t, report.Tenants, 60)
	for i, done := range report.Tenants {
		assert.Equal(t, targets[i].id, done.Tenant)
		if targets[i] == poisoned {
			assert.Equal(t, OutcomeFailed, done.Outcome)
			assert.Empty(t, done.Applied)
			assert.Equal(t, []int64{1}, y.versions(targets[i]))
			continue
		}
		assert.Equal(t, OutcomeMigrated, done.Outcome)
		assert.Equal(t, []int64{2}, done.Applied)
		assert.Equal(t, 1, done.Attempts)
		assert.NoError(t, done.Err)
		assert.Equal(t, []int64{1, 2}, y.versions(targets[i]))
	}

	for i, status := range y.status(m, targets...) {
		if targets[i] != poisoned {
			assert.Equal(t, MigrationStatus{Tenant: targets[i].id, State: MigrationCurrent}, status)
			continue
		}
		assert.Equal(t, MigrationDrifted, status.State, "the column that was added by hand")
		assert.Equal(t, []string{"column note.title: not expected"}, status.Drift)
		assert.Equal(t, []int64{2}, status.Pending)
		require.NotNil(t, status.Failure)
		assert.Equal(t, int64(2), status.Failure.Version)
		assert.Contains(t, status.Failure.Message, `column "title"`)
		assert.WithinDuration(t, time.Now(), status.Failure.At, time.Minute)
	}

	// Once it is mended, another run goes on with what is left.
	y.in(poisoned, `ALTER TABLE note DROP COLUMN title`)
	assert.Equal(t, MigrationFailed, y.status(m, targets...)[17].State)
	report, err = y.migrate(m, MigrateOptions{}, targets)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(OutcomeMigrated))
	assert.Equal(t, 59, report.Count(OutcomeUpToDate))
	for i, status := range y.status(m, targets...) {
		assert.Equal(t, MigrationStatus{Tenant: targets[i].id, State: MigrationCurrent}, status)
	}
}

func TestTwoRunsAtOnceApplyEachMigrationOnce(t *testing.T) {
	t.Parallel()
	y := newYard(t, 5)
	other := y.poolOn(y.url, 5)
	targets := y.schemas(40)
	m := parsed(t, noteFiles) // applied twice, each of them fails

	var reports [2]MigrateReport
	var runs sync.WaitGroup
	for i, pool := range []*pgxpool.Pool{y.pool, other} {
		runs.Go(func() {
			var err error
			reports[i], err = migrateAll(t.Context(), pool, m, MigrateOptions{}, each(targets))
			assert.NoError(t, err)
		})
	}
	runs.Wait()
	for i, one := range targets {
		assert.ElementsMatch(t, []int64{1, 2}, slices.Concat(reports[0].Tenants[i].Applied, reports[1].Tenants[i].Applied))
		assert.Equal(t, []int64{1, 2}, y.versions(one))
	}
}

func TestRunWithNothingToDoBeginsNoTransactionForATenant(t *testing.T) {
	t.Parallel()
	y := newYard(t, 3)
	targets := y.schemas(2*surveySize + 1)
	m := parsed(t, noteFiles)
	y.migrated(m, targets...)

	proxy := wire.NewProxy(t, y.url)
	pool := y.poolOn(proxy.URL(y.url), 3)
	report, err := migrateAll(t.Context(), pool, m, MigrateOptions{}, each(targets))
	require.NoError(t, err)
	assert.Equal(t, len(targets), report.Count(OutcomeUpToDate))
	assert.Equal(t, 3*2, proxy.Stats().RoundTrips, "two statements for a hundred tenants")
}

func TestTripsOfOneMigration(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	y.migrated(parsed(t, map[string]string{"0001_note.sql": noteFiles["0001_note.sql"]}), one)
	proxy := wire.NewProxy(t, y.url)
	pool := y.poolOn(proxy.URL(y.url), 1)
	report, err := migrateAll(t.Context(), pool, parsed(t, noteFiles), MigrateOptions{}, each([]target{one}))
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(OutcomeMigrated))
	assert.Equal(t, 2+10, proxy.Stats().RoundTrips, "to look; BEGIN, lock, state, ledger, script, record, layout (prepared first), its fingerprint, COMMIT")
}

func TestProgressIsToldOneByOne(t *testing.T) {
	t.Parallel()
	y := newYard(t, 4)
	targets := y.schemas(20)
	m := parsed(t, noteFiles)
	y.migrated(m, targets[:5]...)

	var told []MigrateProgress // without a lock: the race detector sees two calls at once
	report, err := y.migrate(m, MigrateOptions{Workers: 3, Progress: func(p MigrateProgress) { told = append(told, p) }}, targets)
	require.NoError(t, err)
	require.Len(t, told, 20)
	seen := map[tenant.ID]TenantMigration{}
	for i, p := range told {
		assert.Equal(t, i+1, p.Done)
		assert.Equal(t, 20, p.Total)
		seen[p.Last.Tenant] = p.Last
	}
	for _, done := range report.Tenants {
		assert.Equal(t, done, seen[done.Tenant])
	}
}

func TestPanicOfProgressLeavesNoWorkerBehind(t *testing.T) {
	t.Parallel()
	y := newYard(t, 4)
	targets := y.schemas(20)
	assert.PanicsWithValue(t, "enough", func() {
		_, _ = y.migrate(parsed(t, noteFiles), MigrateOptions{Progress: func(MigrateProgress) { panic("enough") }}, targets)
	})
	y.noneInUse()
}

func TestCancelledRunStopsAndIsResumed(t *testing.T) {
	t.Parallel()
	y := newYard(t, 4)
	targets := y.schemas(30)
	m := parsed(t, with(noteFiles, "0003_slow.sql", "SELECT pg_sleep(0.02)"))
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	report, err := migrateAll(ctx, y.pool, m, MigrateOptions{Workers: 3, Progress: func(p MigrateProgress) {
		if p.Done == 10 {
			cancel(enough)
		}
	}}, each(targets))
	require.ErrorIs(t, err, enough)
	var failed *MigrateError
	require.ErrorAs(t, err, &failed)
	assert.Zero(t, failed.Failed)
	assert.Positive(t, failed.Skipped)
	assert.Equal(t, failed.Skipped, report.Count(OutcomeSkipped))
	assert.GreaterOrEqual(t, report.Count(OutcomeMigrated), 10)
	y.noneInUse()
	for i, done := range report.Tenants {
		if done.Outcome == OutcomeSkipped {
			require.ErrorIs(t, done.Err, errInterrupted)
			assert.Empty(t, done.Applied)
			if y.status(m, targets[i])[0].State == MigrationPending {
				assert.Empty(t, y.relations(targets[i]), "all or nothing")
			}
		}
	}
	assert.Zero(t, value[int](y, targets[0], `SELECT count(*) FROM tenantwall.migration_failure`), "to be interrupted is no failure")

	report, err = y.migrate(m, MigrateOptions{}, targets)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, report.Count(OutcomeUpToDate), 10)
	for _, one := range targets {
		assert.Equal(t, []int64{1, 2, 3}, y.versions(one))
	}
}

func TestCancelledRunDoesNotWaitForALongScript(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	report, err := migrateAll(ctx, y.pool, parsed(t, map[string]string{"1_x.sql": "SELECT pg_sleep(600)"}), MigrateOptions{}, each(y.schemas(1)))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, OutcomeSkipped, report.Tenants[0].Outcome)
}

func TestTenantBehindALockIsTriedAgainThenFails(t *testing.T) {
	t.Parallel()
	y := newYard(t, 4)
	targets := y.schemas(3)
	y.migrated(parsed(t, map[string]string{"0001_note.sql": noteFiles["0001_note.sql"]}), targets...)
	reader, err := y.pool.Begin(t.Context())
	require.NoError(t, err)
	defer rollback(t.Context(), reader)
	_, err = reader.Exec(t.Context(), `SELECT FROM `+quote(targets[1].schema)+`.note`)
	require.NoError(t, err)

	report, err := y.migrate(parsed(t, noteFiles), MigrateOptions{LockTimeout: 20 * time.Millisecond, Attempts: 2}, targets)
	assert.True(t, isCode(err, codeLockNotAvailable), "%v", err)
	assert.Equal(t, OutcomeFailed, report.Tenants[1].Outcome)
	assert.Equal(t, 2, report.Tenants[1].Attempts)
	assert.Equal(t, 2, report.Count(OutcomeMigrated))
	status := y.status(parsed(t, noteFiles), targets...)
	assert.Equal(t, MigrationFailed, status[1].State)
	assert.Equal(t, 2, status[1].Failure.Attempts)
}

func TestRunGoesOnWhenItsConnectionIsCut(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	targets := y.schemas(3)
	kill := "SELECT CASE WHEN current_schema() = '" + targets[1].schema + "' THEN pg_terminate_backend(pg_backend_pid()) END"
	report, err := y.migrate(parsed(t, with(noteFiles, "0003_cut.sql", kill)), MigrateOptions{Workers: 1}, targets)
	assert.True(t, isCode(err, "57P01"), "%v", err)
	assert.Equal(t, OutcomeFailed, report.Tenants[1].Outcome)
	assert.Equal(t, 2, report.Count(OutcomeMigrated))
	assert.Empty(t, y.relations(targets[1]))
}

func TestRunOnAPoolOfOne(t *testing.T) {
	t.Parallel()
	y := newYard(t, 1)
	targets := y.schemas(3)
	m := parsed(t, with(noteFiles, "0003_bad.sql", "SELECT missing"))
	_, err := y.migrate(m, MigrateOptions{Workers: 99}, targets)
	require.Error(t, err)
	for _, status := range y.status(m, targets...) {
		assert.Equal(t, MigrationFailed, status.State)
	}
}

func TestConnectionThatRanScriptsIsNotGivenBack(t *testing.T) {
	t.Parallel()
	y := newYard(t, 1)
	one := y.schemas(1)[0]
	y.migrated(parsed(t, map[string]string{"1_x.sql": "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1; SELECT pg_advisory_lock(42)"}), one)
	assert.Zero(t, value[int](y, one, `SELECT (SELECT count(*) FROM pg_cursors WHERE name = 'left_behind') + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())`))
}

func TestConnectionIsReplacedWhenItIsWornOut(t *testing.T) {
	t.Parallel()
	y := newYard(t, 1)
	conn := &migrationConn{pool: y.pool}
	defer conn.release(t.Context())
	first, err := conn.get(t.Context())
	require.NoError(t, err)
	same, err := conn.get(t.Context())
	require.NoError(t, err)
	assert.Same(t, first, same)

	conn.ran, conn.used = true, maxUses
	other, err := conn.get(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, first.PgConn().PID(), other.PgConn().PID())
	assert.Equal(t, 1, conn.used)
}

func TestRunWithoutADatabase(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	targets := y.schemas(3)
	proxy := wire.NewProxy(t, y.url)
	pool := y.poolOn(proxy.URL(y.url), 2)
	proxy.Cut()
	report, err := migrateAll(t.Context(), pool, parsed(t, noteFiles), MigrateOptions{}, each(targets))
	require.Error(t, err)
	assert.Equal(t, 3, report.Count(OutcomeFailed))
	_, err = migrationStatus(t.Context(), pool, parsed(t, noteFiles), each(targets))
	require.ErrorContains(t, err, "tenantdb: migration status: ")
}

func TestFirstFailuresAreBounded(t *testing.T) {
	t.Parallel()
	y := newYard(t, 4)
	_, err := y.migrate(parsed(t, map[string]string{"1_bad.sql": "SELECT missing"}), MigrateOptions{}, y.schemas(12))
	var failed *MigrateError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, 12, failed.Failed)
	assert.Len(t, failed.First, 10)
}

func TestTenantsThatCannotBeListedAreAnErrorBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	one := y.schemas(1)[0]
	broken := errors.New("broken")
	list := iter.Seq2[target, error](func(yield func(target, error) bool) {
		_ = yield(one, nil) && yield(target{}, broken)
	})
	_, err := migrateAll(t.Context(), y.pool, parsed(t, noteFiles), MigrateOptions{}, list)
	require.ErrorIs(t, err, broken)
	assert.Empty(t, y.relations(one))
	_, err = migrationStatus(t.Context(), y.pool, parsed(t, noteFiles), list)
	require.ErrorIs(t, err, broken)
}

func TestOptionsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	for _, o := range []MigrateOptions{{Workers: -1}, {LockTimeout: -1}, {Attempts: -1}, {Attempts: 101}} {
		_, err := y.migrate(parsed(t, noteFiles), o, nil)
		require.ErrorContains(t, err, "MigrateOptions.")
	}
	for size, workers := range map[int32]int{1: 1, 2: 1, 5: 4, 50: 8} {
		o, err := MigrateOptions{}.withDefaults(y.poolOn(y.url, size))
		require.NoError(t, err)
		assert.Equal(t, MigrateOptions{Workers: workers, LockTimeout: 5 * time.Second, Attempts: 3}, o)
	}
}

func TestEmptySetIsUpToDateEverywhere(t *testing.T) {
	t.Parallel()
	y := newYard(t, 2)
	targets := y.schemas(2)
	m, err := ParseMigrations(nil)
	require.NoError(t, err)
	report, err := y.migrate(m, MigrateOptions{}, targets)
	require.NoError(t, err)
	assert.Equal(t, 2, report.Count(OutcomeUpToDate))
	assert.Equal(t, MigrationCurrent, y.status(m, targets...)[0].State)
}

func TestErrorTextIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "short", cut("short", 5))
	assert.Equal(t, "ä", cut("ää", 3))
	assert.Empty(t, cut("ä", 1))
}
