package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sqlKeepLayout is the fingerprint of what the schemas $1 (there is one) look like now. It
// keeps the layout if no schema had it yet, and forgets that the schema has failed before.
const sqlKeepLayout = sqlLayouts + `,
kept AS (
    INSERT INTO tenantwall.migration_layout (fingerprint, layout)
    SELECT p.fingerprint, p.layout FROM printed p
     WHERE NOT EXISTS (SELECT FROM tenantwall.migration_layout k WHERE k.fingerprint = p.fingerprint)
    ON CONFLICT DO NOTHING
), mended AS (
    DELETE FROM tenantwall.migration_failure WHERE schema = ANY ($1::name[])
)
SELECT fingerprint FROM printed`

// keepLayout is the last step of a migration, with the search_path empty already. Planning
// takes half of the time of the large statement, and is done once a connection.
func (a *application) keepLayout(ctx context.Context, version int64) error {
	var fingerprint string
	if err := a.tx.QueryRow(ctx, sqlKeepLayout, []string{a.ledger.schema}).Scan(&fingerprint); err != nil {
		return err
	}
	_, err := a.tx.Exec(ctx, fmt.Sprintf(`UPDATE %s SET fingerprint = CASE version WHEN %d THEN %s END WHERE version = %[2]d OR fingerprint IS NOT NULL`,
		a.ledger.table, version, quoteLiteral(fingerprint)))
	return err
}

// layout is what a schema looks like, in the form of sqlLayouts.
type layout struct{ schema, fingerprint, text string }

// readLayouts are the layouts of those of the schemas that exist, with their texts if they
// are wanted. It leaves the search_path of tx empty.
func readLayouts(ctx context.Context, tx pgx.Tx, schemas []string, texts bool) (map[string]layout, error) {
	if _, err := tx.Exec(ctx, `SET LOCAL search_path TO `+emptyPath); err != nil {
		return nil, err
	}
	sql := sqlLayouts + ` SELECT schema::text, fingerprint, CASE WHEN $2 THEN layout ELSE '' END FROM printed`
	rows, err := tx.Query(ctx, sql, pgx.QueryExecModeExec, schemas, texts)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l layout, err error) {
		return l, row.Scan(&l.schema, &l.fingerprint, &l.text)
	})
	layouts := make(map[string]layout, len(list))
	for _, l := range list {
		layouts[l.schema] = l
	}
	return layouts, err
}

// drift says how a schema differs from what it ought to look like. It looks again, while
// nobody migrates the schema: what was seen before may have been a migration half done.
func (s *statusRun) drift(ctx context.Context, schema string) (diff []string, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		lock := fmt.Sprintf(`SELECT pg_catalog.pg_advisory_xact_lock_shared(%d)`, tenantLedger(schema).lockKey())
		if _, err := tx.Exec(ctx, lock); err != nil {
			return err
		}
		states, err := survey(ctx, tx, []string{schema})
		if err != nil {
			return err
		}
		layouts, err := readLayouts(ctx, tx, []string{schema}, true)
		if err != nil {
			return err
		}
		now := schemaFacts{ledgerState: states[schema], live: layouts[schema].fingerprint}
		wanted := now.wanted(s.usual[now.digest])
		if wanted == now.live {
			return nil
		}
		text, ok, err := s.layoutOf(ctx, tx, wanted)
		if !ok {
			diff = []string{"the schema: not as it was, and what it was like is no longer known"}
			return err
		}
		diff = layoutDiff(text, layouts[schema].text)
		return nil
	})
	return diff, err
}

// layoutOf is the layout with that fingerprint: the one that was kept, or that of a schema
// which has it; not ok when there is neither.
func (s *statusRun) layoutOf(ctx context.Context, tx pgx.Tx, fingerprint string) (text string, ok bool, err error) {
	sql := `SELECT layout FROM tenantwall.migration_layout WHERE fingerprint = $1`
	err = tx.QueryRow(ctx, sql, pgx.QueryExecModeExec, fingerprint).Scan(&text)
	if !errors.Is(err, pgx.ErrNoRows) {
		return text, err == nil, err
	}
	i := slices.IndexFunc(s.facts, func(f schemaFacts) bool { return f.live == fingerprint })
	if i < 0 {
		return "", false, nil
	}
	layouts, err := readLayouts(ctx, tx, []string{s.facts[i].schema}, true)
	l := layouts[s.facts[i].schema]
	return l.text, l.fingerprint == fingerprint, err
}

// sameKind reports whether two fingerprints were made in the same way, so that they differ
// only when the layouts do.
func sameKind(a, b string) bool {
	kind := strings.LastIndexByte(a, '.') + 1
	return kind > 0 && len(b) > kind && a[:kind] == b[:kind]
}

// maxDrift bounds how many differences of one schema are told.
const maxDrift = 20

// layoutDiff says in words how a layout differs from the one that was wanted. Both are of
// the form that sqlLayouts gives.
func layoutDiff(want, got string) []string {
	var diff []string
	wanted, found := layoutObjects(want), layoutObjects(got)
	for _, object := range slices.Sorted(maps.Keys(wanted)) {
		switch definition, ok := found[object]; {
		case !ok:
			diff = append(diff, object+": missing")
		case definition != wanted[object]:
			diff = append(diff, fmt.Sprintf("%s: %.200q, not %.200q", object, definition, wanted[object]))
		}
	}
	for _, object := range slices.Sorted(maps.Keys(found)) {
		if _, ok := wanted[object]; !ok {
			diff = append(diff, object+": not expected")
		}
	}
	if more := len(diff) - maxDrift; more > 0 {
		diff = append(diff[:maxDrift], fmt.Sprintf("and %d more", more))
	}
	return diff
}

// layoutObjects are the definitions of a layout's objects by what and whose they are.
func layoutObjects(layout string) map[string]string {
	objects := make(map[string]string)
	for line := range strings.Lines(layout) {
		object, definition, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		objects[object] = definition
	}
	return objects
}
