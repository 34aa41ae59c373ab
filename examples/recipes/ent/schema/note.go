// Package schema says what ent generates code for.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
)

// Note is a row. There is no field for the tenant, and no privacy rule to forget.
type Note struct{ ent.Schema }

// Annotations keep ent from looking for notes.
func (Note) Annotations() []schema.Annotation { return []schema.Annotation{entsql.Table("note")} }

// Fields are the columns.
func (Note) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("title").NotEmpty().MaxLen(200)}
}
