// Package notes is what the recipes for routers and calls serve: notes of a tenant, in a
// table that has no column for the tenant.
package notes

import (
	"context"
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

//go:embed migrations
var files embed.FS

// Migrations make the table of each tenant.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// MaxTitle bounds a title, in bytes.
const MaxTitle = 200

// Store keeps the notes of the tenant that the context is for.
type Store struct{ DB *tenantdb.DB }

// Add adds a note. The error is a validation_failed for an empty or very long title.
func (s Store) Add(ctx context.Context, title string) error {
	if title == "" || len(title) > MaxTitle {
		return &tenant.Error{Code: tenant.CodeValidationFailed, Fields: []tenant.FieldError{{Field: "title", Message: "must have 1 to 200 bytes"}}}
	}
	_, err := s.DB.Exec(ctx, `INSERT INTO note (title) VALUES ($1)`, title)
	return err
}

// Titles are those of all notes, in the order in which they were added.
func (s Store) Titles(ctx context.Context) ([]string, error) {
	rows, err := s.DB.Query(ctx, `SELECT title FROM note ORDER BY id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
