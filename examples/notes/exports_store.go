package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// export is one export, as the API shows it.
type export struct {
	ID     pgtype.UUID `json:"id"`
	Status string      `json:"status"`
	Notes  int64       `json:"notes"`
	Result *string     `json:"result"`
}

// What becomes of an export, as its table has it.
const exportRunning = "running"

// maxExport bounds an export's text, in bytes.
const maxExport = 16 << 20

// errExportNotFound is the answer to the id of no export, and of another tenant's.
var errExportNotFound = &tenant.Error{Code: tenant.CodeNotFound, Detail: "there is no such export"}

// exportStore keeps the exports of all tenants, each in its own session.
type exportStore struct{ db *tenantdb.DB }

const exportColumns = `id, status, notes, result`

// errTooManyExports says that as many exports run as the tenant's plan allows.
var errTooManyExports = &tenant.Error{
	Code: tenant.CodeQuotaExceeded, Detail: "the plan's number of exports at a time is running", RetryAfter: time.Second,
}

// begin is a new export, or errTooManyExports while so many run already; of
// [quota.Unlimited] there are never too many.
func (s exportStore) begin(ctx context.Context, most int64) (e export, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// The tenant's exports begin one after the other, so that each counts all before it.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('begin an export of ' || current_schema, 0))`); err != nil {
			return err
		}
		const sql = `
			INSERT INTO export (status) SELECT 'running'
			WHERE $1 < 0 OR (SELECT count(*) FROM export WHERE status = 'running') < $1
			RETURNING ` + exportColumns
		e, err = one[export](ctx, tx, errTooManyExports, sql, most)
		return err
	})
	return e, err
}

// overdue are the running exports whose job was started by now, or never will be: the requests
// that began them are over.
func (s exportStore) overdue(ctx context.Context) ([]export, error) {
	const sql = `
		SELECT ` + exportColumns + ` FROM export
		WHERE status = 'running' AND created_at < clock_timestamp() - $1::interval ORDER BY created_at LIMIT 20`
	rows, err := s.db.Query(ctx, sql, requestTimeout+forgetTimeout)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[export])
}

// get is the export, or errExportNotFound.
func (s exportStore) get(ctx context.Context, id pgtype.UUID) (export, error) {
	return one[export](ctx, s.db, errExportNotFound, `SELECT `+exportColumns+` FROM export WHERE id = $1`, id)
}

// end is the export, failed if its job has not ended it, which runs no more.
func (s exportStore) end(ctx context.Context, id pgtype.UUID) (export, error) {
	const sql = `
		UPDATE export SET status = CASE status WHEN 'running' THEN 'failed' ELSE status END,
			ended_at = coalesce(ended_at, clock_timestamp())
		WHERE id = $1 RETURNING ` + exportColumns
	return one[export](ctx, s.db, errExportNotFound, sql, id)
}

// forgetTimeout bounds what is undone for a request whose time may be over.
const forgetTimeout = 2 * time.Second

// forget takes back an export whose job could not be started. Should that fail too, a look
// at it finds that nothing runs.
func (s exportStore) forget(ctx context.Context, id pgtype.UUID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	_, _ = s.db.Exec(ctx, `DELETE FROM export WHERE id = $1`, id)
}

// writeExport is the activity of an export: it reads all notes of its tenant and keeps
// them as one JSON text, in one transaction. Run again, it finds the export done.
func writeExport(ctx context.Context, tx pgx.Tx, id string) (notes int64, err error) {
	rows, err := tx.Query(ctx, `SELECT `+noteColumns+` FROM note ORDER BY created_at, id`) //nolint:rowserrcheck // ForEachRow looks at it
	if err != nil {
		return 0, err
	}
	text := []byte{'['}
	var n note
	_, err = pgx.ForEachRow(rows, []any{&n.ID, &n.Title, &n.Body, &n.Author, &n.Version, &n.CreatedAt, &n.UpdatedAt}, func() error {
		if notes++; notes > 1 {
			text = append(text, ',')
		}
		one, err := json.Marshal(n)
		if text = append(text, one...); len(text) > maxExport {
			return &tenant.Error{Code: tenant.CodePayloadTooLarge, Detail: "the notes are too many for one export"}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `
		UPDATE export SET status = 'done', notes = $2, result = $3, ended_at = clock_timestamp()
		WHERE id = $1 AND status = 'running'`, id, notes, string(append(text, ']')))
	return notes, err
}
