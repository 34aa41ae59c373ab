package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// note is one note, as the API shows it.
type note struct {
	ID        pgtype.UUID `json:"id"`
	Title     string      `json:"title"`
	Body      string      `json:"body"`
	Author    string      `json:"author"`
	Version   int64       `json:"-"` // shown as the ETag
	CreatedAt time.Time   `json:"created_at"`
	UpdatedAt time.Time   `json:"updated_at"`
}

// noteColumns are a note's, in the order of its fields.
const noteColumns = `id, title, body, author, version, created_at, updated_at`

// errNoteNotFound is the answer to the id of no note, of another tenant's note, and to
// what can't be an id: they can't be told apart.
var errNoteNotFound = &tenant.Error{Code: "note_not_found", Status: 404, Detail: "there is no such note"}

// noteStore keeps the notes of all tenants. No statement says whose note is meant, for
// each runs in the session of the context's tenant, which has no other notes.
type noteStore struct{ db *tenantdb.DB }

// list is up to limit notes, newest first, from a position on.
func (s noteStore) list(ctx context.Context, after position, limit int) ([]note, error) {
	const sql = `
		SELECT ` + noteColumns + ` FROM note
		WHERE $1 OR (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC LIMIT $4`
	rows, err := s.db.Query(ctx, sql, after.isZero(), after.createdAt, after.id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[note])
}

func (s noteStore) create(ctx context.Context, title, body, author string) (note, error) {
	const sql = `
		INSERT INTO note (title, body, author) VALUES ($1, $2, $3)
		RETURNING ` + noteColumns
	return one[note](ctx, s.db, errNoteNotFound, sql, title, body, author)
}

// get is the note, or errNoteNotFound.
func (s noteStore) get(ctx context.Context, id pgtype.UUID) (note, error) {
	const sql = `SELECT ` + noteColumns + ` FROM note WHERE id = $1`
	return one[note](ctx, s.db, errNoteNotFound, sql, id)
}

// update sets what is not nil. The error is errStale when the note is there, but not in a
// version that is wanted.
func (s noteStore) update(ctx context.Context, id pgtype.UUID, title, body *string, wanted precondition) (note, error) {
	const sql = `
		UPDATE note SET title = coalesce($2, title), body = coalesce($3, body),
			version = version + 1, updated_at = clock_timestamp()
		WHERE id = $1 AND ($4::bigint[] IS NULL OR version = ANY ($4))
		RETURNING ` + noteColumns
	n, err := one[note](ctx, s.db, errNoteNotFound, sql, id, title, body, []int64(wanted))
	return n, s.whyMissed(ctx, id, err)
}

// delete removes the note. Errors as for update.
func (s noteStore) delete(ctx context.Context, id pgtype.UUID, wanted precondition) error {
	const sql = `
		DELETE FROM note WHERE id = $1 AND ($2::bigint[] IS NULL OR version = ANY ($2))
		RETURNING ` + noteColumns
	_, err := one[note](ctx, s.db, errNoteNotFound, sql, id, []int64(wanted))
	return s.whyMissed(ctx, id, err)
}

// whyMissed tells, of a change that found no note, whether that was for its version.
func (s noteStore) whyMissed(ctx context.Context, id pgtype.UUID, err error) error {
	if !errors.Is(err, errNoteNotFound) {
		return err
	}
	if _, err := s.get(ctx, id); err != nil {
		return err
	}
	return errStale
}
