// Package gorm is a recipe: gorm.io/gorm on a *sql.DB of package tenantsql.
package gorm

import (
	"context"
	"database/sql"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// Note is a row. There is no column for the tenant, and no scope to forget.
type Note struct {
	ID    int64 `gorm:"primaryKey"`
	Title string
}

// TableName keeps gorm from looking for notes.
func (Note) TableName() string { return "note" }

// Notes keeps the notes of the tenant that the context is for. Close it when it is of no
// more use.
type Notes struct {
	*sql.DB
	gorm *gorm.DB
}

// New makes Notes of a database. AutoMigrate is not for it: a tenant's role may create
// nothing, and its tables are made by tenantdb's migrations.
func New(db *tenantdb.DB) (Notes, error) {
	conn := tenantsql.Open(db)
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: conn}), &gorm.Config{
		DisableAutomaticPing: true,           // there is no tenant yet to ask for
		Logger:               logger.Discard, // errors are returned; its default prints values of rows with them
	})
	return Notes{conn, g}, err
}

// Add adds a note. gorm puts each write into a transaction, which has this context's
// tenant. Without WithContext the call is refused.
func (n Notes) Add(ctx context.Context, title string) error {
	return n.gorm.WithContext(ctx).Create(&Note{Title: title}).Error
}

// Titles are those of all notes, in the order in which they were added.
func (n Notes) Titles(ctx context.Context) (titles []string, err error) {
	err = n.gorm.WithContext(ctx).Model(&Note{}).Order("id").Pluck("title", &titles).Error
	return titles, err
}
