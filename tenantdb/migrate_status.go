package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// MigrationStatus says how far the schema of one tenant is.
type MigrationStatus struct {
	Tenant tenant.ID
	State  MigrationState

	// Pending are the versions that are still to be applied.
	Pending []int64

	// Failure is what the last run met that could not apply them; nil when none has
	// tried, or when nothing is pending.
	Failure *MigrationFailure

	// Unknown are the versions that are applied and that this program does not have.
	Unknown []int64

	// Drift says in words what is not as the migrations have left it, in up to 20 lines
	// such as "column note.body: missing".
	Drift []string
}

// MigrationState sums up a [MigrationStatus]: the first of these that is the case.
type MigrationState string

const (
	MigrationDrifted MigrationState = "drifted" // the schema or its ledger is not as the migrations left it
	MigrationFailed  MigrationState = "failed"  // migrations are pending, and the last run could not apply them
	MigrationPending MigrationState = "pending" // migrations are to be applied
	MigrationAhead   MigrationState = "ahead"   // a newer version of the program has migrated it
	MigrationCurrent MigrationState = "current"
)

// MigrationFailure is why a schema could not be migrated. The transaction that failed has
// left nothing in the schema, so this is kept in the control plane's.
type MigrationFailure struct {
	Version  int64 // of the migration that failed; 0 when it failed before any began
	Message  string
	Attempts int
	At       time.Time
}

// statusRun finds out how far many schemas are.
type statusRun struct {
	pool      *pgxpool.Pool
	set       *Migrations
	facts     []schemaFacts
	usual     map[string]string   // by digest: the fingerprint of most schemas
	standings map[string]standing // by digest
}

// schemaFacts are what the database says of one target.
type schemaFacts struct {
	target
	ledgerState
	standing
	live    string // the fingerprint of the schema as it is
	failure *MigrationFailure
}

// standing is how a ledger compares with the set.
type standing struct {
	pending []int64
	bad     LedgerError
}

// migrationStatus is the status of all targets, in their order.
func migrationStatus(ctx context.Context, pool *pgxpool.Pool, set *Migrations, targets iter.Seq2[target, error]) ([]MigrationStatus, error) {
	list, err := collectTargets(targets)
	if err != nil {
		return nil, fmt.Errorf("tenantdb: migration status: list the tenants: %w", err)
	}
	s := &statusRun{pool: pool, set: set, standings: map[string]standing{set.digest: {}}}
	status, err := s.run(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("tenantdb: migration status: %w", err)
	}
	return status, nil
}

func (s *statusRun) run(ctx context.Context, list []target) ([]MigrationStatus, error) {
	for chunk := range slices.Chunk(list, surveySize) {
		facts, err := s.look(ctx, chunk)
		if err != nil {
			return nil, err
		}
		s.facts = append(s.facts, facts...)
	}
	s.usual = usualFingerprints(s.facts)
	status := make([]MigrationStatus, len(s.facts))
	for i, f := range s.facts {
		var err error
		if status[i], err = s.judge(ctx, f); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", f.id, err)
		}
	}
	return status, nil
}

// sqlFailures are those of the schemas $1.
const sqlFailures = `
SELECT schema::text, coalesce(version, 0), error, attempts, failed_at
  FROM tenantwall.migration_failure WHERE schema = ANY ($1::name[])`

// look reads what there is to know of up to surveySize targets, in a few statements that
// see the same moment. It is repeated when a schema is dropped under it.
func (s *statusRun) look(ctx context.Context, chunk []target) ([]schemaFacts, error) {
	for attempt := 1; ; attempt++ {
		facts, err := s.lookOnce(ctx, chunk)
		if err == nil || attempt == lookAttempts || !goneMeanwhile(err) {
			return facts, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(rand.N(lookPause)):
		}
	}
}

// lookAttempts and lookPause bound how often a look is repeated, while a purge goes on.
const (
	lookAttempts = 20
	lookPause    = 50 * time.Millisecond
)

func (s *statusRun) lookOnce(ctx context.Context, chunk []target) ([]schemaFacts, error) {
	schemas := make([]string, len(chunk))
	for i, t := range chunk {
		schemas[i] = t.schema
	}
	facts := make([]schemaFacts, len(chunk))
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, moment, func(tx pgx.Tx) error {
		states, err := survey(ctx, tx, schemas)
		if err != nil {
			return err
		}
		layouts, err := readLayouts(ctx, tx, schemas, false)
		if err != nil {
			return err
		}
		failures, err := readFailures(ctx, tx, schemas)
		if err != nil {
			return err
		}
		for i, t := range chunk {
			facts[i] = schemaFacts{target: t, ledgerState: states[t.schema], live: layouts[t.schema].fingerprint, failure: failures[t.schema]}
			if facts[i].standing, err = s.stand(ctx, tx, facts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return facts, err
}

func readFailures(ctx context.Context, q querier, schemas []string) (map[string]*MigrationFailure, error) {
	rows, err := q.Query(ctx, sqlFailures, pgx.QueryExecModeExec, schemas)
	if err != nil {
		return nil, err
	}
	failures := make(map[string]*MigrationFailure)
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (schema string, err error) {
		f := &MigrationFailure{}
		err = row.Scan(&schema, &f.Version, &f.Message, &f.Attempts, &f.At)
		failures[schema] = f
		return schema, err
	})
	return failures, err
}

// goneMeanwhile reports whether a statement met an object that was dropped under it, or
// waited for the one that drops it while that waited for us.
func goneMeanwhile(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case codeUndefinedTable, codeInternalError, codeDeadlock:
		return true
	}
	return false
}

const codeUndefinedTable = "42P01"

// usualFingerprints are, by digest, those that more schemas have than any other. Where two
// are as frequent, none is usual.
func usualFingerprints(facts []schemaFacts) map[string]string {
	type kind struct{ digest, live string }
	count := make(map[kind]int)
	for _, f := range facts {
		if f.digest != "" {
			count[kind{f.digest, f.live}]++
		}
	}
	most := make(map[string]int)
	usual := make(map[string]string)
	for k, n := range count {
		switch {
		case n > most[k.digest]:
			most[k.digest], usual[k.digest] = n, k.live
		case n == most[k.digest]:
			delete(usual, k.digest)
		}
	}
	return usual
}

// judge is the status of one target.
func (s *statusRun) judge(ctx context.Context, f schemaFacts) (MigrationStatus, error) {
	status := MigrationStatus{Tenant: f.id}
	if !f.exists {
		status.State, status.Drift = MigrationDrifted, []string{"the schema is missing"}
		return status, nil
	}
	if f.wanted(s.usual[f.digest]) != f.live {
		var err error
		if status.Drift, err = s.drift(ctx, f.schema); err != nil {
			return status, err
		}
	}
	for _, version := range f.bad.Changed {
		status.Drift = append(status.Drift, fmt.Sprintf("migration %d: was changed after it was applied", version))
	}
	status.Pending, status.Unknown = f.pending, f.bad.Unknown
	if len(status.Pending) > 0 {
		status.Failure = f.failure
	}
	switch {
	case len(status.Drift) > 0:
		status.State = MigrationDrifted
	case status.Failure != nil:
		status.State = MigrationFailed
	case len(status.Pending) > 0:
		status.State = MigrationPending
	case len(status.Unknown) > 0:
		status.State = MigrationAhead
	default:
		status.State = MigrationCurrent
	}
	return status, nil
}

// stand is how the target's ledger compares with the set. Ledgers with the same digest are
// alike, so one of them is read.
func (s *statusRun) stand(ctx context.Context, q querier, f schemaFacts) (standing, error) {
	if known, ok := s.standings[f.digest]; ok {
		return known, nil
	}
	var records []record
	if f.digest != "" {
		var err error
		if records, err = tenantLedger(f.schema).read(ctx, q); err != nil {
			return standing{}, err
		}
	}
	pending, bad := s.set.compare(records)
	st := standing{bad: bad}
	for _, file := range pending {
		st.pending = append(st.pending, file.version)
	}
	s.standings[f.digest] = st
	return st, nil
}

// wanted is the fingerprint that the schema ought to have.
func (f schemaFacts) wanted(usual string) string {
	switch {
	case f.fingerprint != f.live && sameKind(f.fingerprint, f.live):
		return f.fingerprint
	case usual != "":
		return usual
	}
	return f.live
}
