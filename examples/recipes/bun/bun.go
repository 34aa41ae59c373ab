// Package bun is a recipe: github.com/uptrace/bun on a *sql.DB of package tenantsql.
package bun

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// Note is a row. There is no column for the tenant.
type Note struct {
	bun.BaseModel `bun:"table:note"`

	ID    int64  `bun:",pk,autoincrement"`
	Title string `bun:",notnull"`
}

// Notes keeps the notes of the tenant that the context is for. Close it when it is of no
// more use.
type Notes struct{ *bun.DB }

// New makes Notes of a database. bun writes values into the SQL, so each statement is a new
// one, which is not worth preparing: hence the mode.
func New(db *tenantdb.DB) Notes {
	conn := tenantsql.Open(db, tenantsql.WithExecMode(pgx.QueryExecModeExec))
	return Notes{bun.NewDB(conn, pgdialect.New())}
}

// Add adds a note.
func (n Notes) Add(ctx context.Context, title string) error {
	_, err := n.NewInsert().Model(&Note{Title: title}).Exec(ctx)
	return err
}

// Titles are those of all notes, in the order in which they were added.
func (n Notes) Titles(ctx context.Context) (titles []string, err error) {
	err = n.NewSelect().Model((*Note)(nil)).Column("title").Order("id").Scan(ctx, &titles)
	return titles, err
}
