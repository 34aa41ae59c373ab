package tenantdb

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGooseMarksChooseThePartThatGoesUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, content, script string
		line                  int
	}{
		{"no marks", "SELECT 1;\n-- goose\n", "SELECT 1;\n-- goose\n", 1},
		{"empty", "", "", 1},
		{"up alone", "-- +goose Up\nSELECT 1;\n", "SELECT 1;\n", 2},
		{"up and down", "-- +goose Up\nSELECT 1;\n-- +goose Down\nDROP TABLE x;\n", "SELECT 1;\n", 2},
		{"comments before up", "\n-- about it\n\n-- +goose Up\nSELECT 1;", "SELECT 1;", 5},
		{"nothing to do", "-- +goose Up\n-- +goose Down\nSELECT 1;", "", 2},
		{"other spellings", "  --+GOOSE   up\nSELECT 1;\n\t-- +goose dOwN  \nSELECT 2", "SELECT 1;\n", 2},
		{
			"statements stay as they are, with their marks",
			"-- +goose Up\n-- +goose StatementBegin\nSELECT 1; SELECT 2;\n-- +goose StatementEnd\n-- +goose Down\nx",
			"-- +goose StatementBegin\nSELECT 1; SELECT 2;\n-- +goose StatementEnd\n", 2,
		},
		{"marks in the part that goes down", "-- +goose Up\nSELECT 1;\n-- +goose Down\n-- +goose StatementBegin\n-- +goose Other\n", "SELECT 1;\n", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			script, line, err := parseMarks(c.content)
			require.NoError(t, err)
			assert.Equal(t, c.script, script)
			assert.Equal(t, c.line, line)
		})
	}
}

func TestMarksThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, content, message string
		line                   int
	}{
		{"no transaction", "-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM", "each tenant is migrated in one transaction", 1},
		{"no transaction, after up", "-- +goose Up\n-- +goose no transaction\nVACUUM", "each tenant is migrated in one transaction", 2},
		{"no transaction, after down", "-- +goose Up\n-- +goose Down\n-- +goose NO TRANSACTION", "each tenant is migrated in one transaction", 3},
		{"variables", "-- +goose Up\n-- +goose ENVSUB ON\n", `"envsub on" is none of the marks`, 2},
		{"an unknown mark", "-- +goose Upp\n", `"upp" is none of the marks`, 1},
		{"no up", "-- +goose StatementBegin\n", "StatementBegin before Up", 1},
		{"down before up", "-- +goose Down\n-- +goose Up", "Down before Up", 1},
		{"SQL before up", "SELECT 1;\n-- +goose Up", "SQL before", 2},
		{"up twice", "-- +goose Up\n-- +goose Up", "a second", 2},
		{"up after down", "-- +goose Up\n-- +goose Down\n-- +goose Up", "a second", 3},
		{"a statement left open", "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n", "without a StatementEnd", 2},
		{"a statement open at down", "-- +goose Up\n-- +goose StatementBegin\n-- +goose Down", "StatementEnd is missing", 3},
		{"a statement inside another", "-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementBegin", "inside another", 3},
		{"an end without a beginning", "-- +goose Up\n-- +goose StatementEnd", "without a StatementBegin", 2},
		{"tern's separator", "CREATE TABLE a ();\n---- create above / drop below ----\nDROP TABLE a;", "a mark of tern", 2},
		{"sql-migrate's mark", "-- +migrate Up\nSELECT 1", "a mark of sql-migrate", 1},
		{"dbmate's mark", "-- migrate:up\nSELECT 1\n-- migrate:down", "a mark of dbmate", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseMigrations(files(map[string]string{"0001_x.sql": c.content}))
			var file *MigrationFileError
			require.ErrorAs(t, err, &file)
			assert.Equal(t, "0001_x.sql", file.File)
			assert.Equal(t, c.line, file.Line)
			assert.ErrorContains(t, err, c.message)
		})
	}
}

func FuzzGooseMarks(f *testing.F) {
	for _, content := range []string{
		"", "SELECT 1;", "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;", "-- +goose Up\n-- +goose StatementBegin\nx\n-- +goose StatementEnd\n",
		"--+goose up\r\nx", "-- +goose Up", "\n-- +goose NO TRANSACTION\n", "---- create above / drop below ----", "-- +goose", "--", "-- +goose Up\n-- +goose Down\n-- +goose Up",
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		script, line, err := parseMarks(content)
		if err != nil {
			assert.Empty(t, script)
			return
		}
		require.Positive(t, line)
		// What is executed is one piece of the file, and begins on the line that is told.
		rest := content
		for range line - 1 {
			_, rest, _ = strings.Cut(rest, "\n")
		}
		assert.True(t, strings.HasPrefix(rest, script), "%q is not at line %d of %q", script, line, content)
		for text := range strings.Lines(script) {
			comment, ok := strings.CutPrefix(strings.TrimSpace(text), "--")
			if ok && foldedPrefix(strings.TrimSpace(comment), "+goose") {
				assert.NotContains(t, strings.ToLower(text), "down")
			}
		}
	})
}
