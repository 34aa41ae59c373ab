// Package goose is a recipe: files that were written for github.com/pressly/goose, as the
// migrations of tenants. Whoever comes from one schema for all keeps the files; what goose
// ran once runs for each tenant.
package goose

import (
	"embed"
	"io/fs"
)

//go:embed migrations
var files embed.FS

// Migrations are goose's files, for CatalogConfig.Migrations. Their marks are understood:
// what is under Down is left out, and StatementBegin keeps a function in one piece. A file
// may not name a schema, for it runs in each tenant's own.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
