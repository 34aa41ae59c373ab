package tenantdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sqlKeepLayout ends the migration of the schema $1 whose last one is $2: it notes the
// fingerprint of what the schema looks like now, keeps the layout if no schema had it yet,
// and forgets that the schema has failed before.
const sqlKeepLayout = sqlLayouts + `,
kept AS (
    INSERT INTO tenantwall.migration_layout (fingerprint, layout)
    SELECT p.fingerprint, p.layout FROM printed p
     WHERE NOT EXISTS (SELECT FROM tenantwall.migration_layout k WHERE k.fingerprint = p.fingerprint)
    ON CONFLICT DO NOTHING
), mended AS (
    DELETE FROM tenantwall.migration_failure WHERE schema = ANY ($1::name[])
)
UPDATE %s l SET fingerprint = CASE WHEN l.version = $2 THEN p.fingerprint END
  FROM printed p WHERE l.version = $2 OR l.fingerprint IS NOT NULL`

// keepLayout is the last step of a migration, with the search_path empty already.
func (a *application) keepLayout(ctx context.Context, version int64) error {
	_, err := a.tx.Exec(ctx, fmt.Sprintf(sqlKeepLayout, a.ledger.table), pgx.QueryExecModeExec, []string{a.ledger.schema}, version)
	return err
}

// fingerprints are those of the schemas as they are now; of those that exist.
func fingerprints(ctx context.Context, tx pgx.Tx, schemas []string) (map[string]string, error) {
	prints := make(map[string]string, len(schemas))
	if _, err := tx.Exec(ctx, `SET LOCAL search_path TO `+emptyPath); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, sqlLayouts+` SELECT schema::text, fingerprint FROM printed`, pgx.QueryExecModeExec, schemas)
	if err != nil {
		return nil, err
	}
	var schema, print string
	_, err = pgx.ForEachRow(rows, []any{&schema, &print}, func() error {
		prints[schema] = print
		return nil
	})
	return prints, err
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
