// Package sqlx is a recipe: github.com/jmoiron/sqlx on a *sql.DB of package tenantsql.
package sqlx

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// Notes keeps the notes of the tenant that the context is for. Close it when it is of no
// more use.
type Notes struct{ *sqlx.DB }

// New makes Notes of a database. The name tells sqlx how parameters are written.
func New(db *tenantdb.DB) Notes { return Notes{sqlx.NewDb(tenantsql.Open(db), "pgx")} }

// Add adds a note. The methods without a context are refused with tenant.ErrRequired, with
// which those that begin with Must panic.
func (n Notes) Add(ctx context.Context, title string) error {
	_, err := n.NamedExecContext(ctx, `INSERT INTO note (title) VALUES (:title)`, map[string]any{"title": title})
	return err
}

// Titles are those of all notes, in the order in which they were added.
func (n Notes) Titles(ctx context.Context) (titles []string, err error) {
	err = n.SelectContext(ctx, &titles, `SELECT title FROM note ORDER BY id`)
	return titles, err
}
