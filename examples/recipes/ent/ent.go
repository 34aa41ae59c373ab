// Package ent is a recipe: entgo.io/ent on a *sql.DB of package tenantsql. The package
// notedb is what ent generates from the schema, unchanged:
//
//	go run entgo.io/ent/cmd/ent generate --target notedb ./schema
package ent

import (
	"context"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/tenantwall/tenantwall/examples/recipes/ent/notedb"
	"github.com/tenantwall/tenantwall/examples/recipes/ent/notedb/note"
	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// Notes keeps the notes of the tenant that the context is for. Close it when it is of no
// more use.
type Notes struct{ *notedb.Client }

// New makes Notes of a database. Client.Schema.Create is not for it: a tenant's tables are
// made by tenantdb's migrations.
func New(db *tenantdb.DB) Notes {
	return Notes{notedb.NewClient(notedb.Driver(entsql.OpenDB(dialect.Postgres, tenantsql.Open(db))))}
}

// Add adds a note.
func (n Notes) Add(ctx context.Context, title string) error {
	return n.Note.Create().SetTitle(title).Exec(ctx)
}

// Titles are those of all notes, in the order in which they were added.
func (n Notes) Titles(ctx context.Context) ([]string, error) {
	return n.Note.Query().Order(note.ByID()).Select(note.FieldTitle).Strings(ctx)
}
