package tenantdb

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// files is a set of files by their names.
func files(content map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range content {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// parsed is a set of migrations that must be good.
func parsed(t testing.TB, content map[string]string) *Migrations {
	t.Helper()
	m, err := ParseMigrations(files(content))
	require.NoError(t, err)
	return m
}

func TestMigrationsComeInTheOrderOfTheirVersions(t *testing.T) {
	t.Parallel()
	m := parsed(t, map[string]string{
		"0002_b.sql":              "SELECT 2",
		"10_with-All_Kinds9.sql":  "SELECT 10",
		"1_a.sql":                 "SELECT 1",
		"20261124120000_late.sql": "SELECT 4",
		"README.md":               "not a migration",
		"migrations.go":           "package migrations",
		"folder/0001_x.sql":       "in a folder",
	})
	var got []string
	for _, file := range m.files {
		got = append(got, fmt.Sprint(file.version, " ", file.name, " ", file.script))
	}
	assert.Equal(t, []string{"1 a SELECT 1", "2 b SELECT 2", "10 with-All_Kinds9 SELECT 10", "20261124120000 late SELECT 4"}, got)
}

func TestSetsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fsys    fs.FS
		message string
	}{
		{"no files", files(nil), "no file such as 0001_name.sql: pass nil"},
		{"the parent of the folder", files(map[string]string{"migrations/0001_x.sql": ""}), `pass fs.Sub(fsys, "migrations")`},
		{"two files of one version", files(map[string]string{"1_a.sql": "", "0001_b.sql": ""}), "1_a.sql: 0001_b.sql has the version 1 too"},
		{"no version", files(map[string]string{"init.sql": ""}), "init.sql: the name is not of the form 0001_name.sql"},
		{"the version zero", files(map[string]string{"0000_x.sql": ""}), "the version is not a number from 1"},
		{"a version beyond an int64", files(map[string]string{"9223372036854775808_x.sql": ""}), "the version is not a number from 1"},
		{"a negative version", files(map[string]string{"-1_x.sql": ""}), "the name is not of the form"},
		{"a version with a sign", files(map[string]string{"+1_x.sql": ""}), "the name is not of the form"},
		{"no name", files(map[string]string{"0001_.sql": ""}), "0 characters between the version and .sql"},
		{"a long name", files(map[string]string{"0001_" + strings.Repeat("x", 101) + ".sql": ""}), "101 characters between"},
		{"a space in the name", files(map[string]string{"0001_a b.sql": ""}), "a character other than"},
		{"a quote in the name", files(map[string]string{"0001_a'b.sql": ""}), "a character other than"},
		{"the files of golang-migrate", files(map[string]string{"0001_x.up.sql": "", "0001_x.down.sql": ""}), "migrations go up alone"},
		{"upper case .SQL", files(map[string]string{"0001_x.SQL": ""}), ".sql in lower case"},
		{"a folder that ends in .sql", files(map[string]string{"0001_x.sql/file": ""}), "not a regular file"},
		{"a byte order mark", files(map[string]string{"0001_x.sql": "\uFEFFSELECT 1"}), "byte order mark"},
		{"Latin-1", files(map[string]string{"0001_x.sql": "SELECT '\xe4'"}), "not UTF-8"},
		{"a zero byte", files(map[string]string{"0001_x.sql": "SELECT 1\x00"}), "zero byte"},
		{"a file that is too big", files(map[string]string{"0001_x.sql": strings.Repeat(" ", maxMigrationSize+1)}), "more than the 4 MiB"},
		{"files that are too big together", tooBig(), "more than the 64 MiB"},
		{"too many files", tooMany(), "10001 files, and the most is 10000"},
		{"a folder that can't be read", os.DirFS(filepath.Join(t.TempDir(), "missing")), "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := ParseMigrations(c.fsys)
			assert.Nil(t, m)
			require.ErrorContains(t, err, c.message)
		})
	}
}

func tooBig() fs.FS {
	fsys := fstest.MapFS{}
	data := []byte(strings.Repeat(" ", maxMigrationSize))
	for i := range maxMigrationsSize/maxMigrationSize + 1 {
		fsys[fmt.Sprintf("%d_x.sql", i+1)] = &fstest.MapFile{Data: data}
	}
	return fsys
}

func tooMany() fs.FS {
	fsys := fstest.MapFS{}
	for i := range maxMigrations + 1 {
		fsys[fmt.Sprintf("%d_x.sql", i+1)] = &fstest.MapFile{}
	}
	return fsys
}

func TestAllBadFilesAreToldUpToTen(t *testing.T) {
	t.Parallel()
	bad := map[string]string{"0001_good.sql": "SELECT 1"}
	for i := range 12 {
		bad[fmt.Sprintf("%d_bad.sql", i+2)] = "\nCOMMIT"
	}
	_, err := ParseMigrations(files(bad))
	require.ErrorIs(t, err, ErrMigrationTransaction)
	var file *MigrationFileError
	require.ErrorAs(t, err, &file)
	assert.Equal(t, 2, file.Line)
	assert.Equal(t, 10, strings.Count(err.Error(), "_bad.sql:2: COMMIT: "))
}

func TestNilIsASetWithoutMigrations(t *testing.T) {
	t.Parallel()
	m, err := ParseMigrations(nil)
	require.NoError(t, err)
	assert.Empty(t, m.files)
}

func TestChecksumIsOfWhatIsExecuted(t *testing.T) {
	t.Parallel()
	sum := func(text string) string {
		return parsed(t, map[string]string{"0001_x.sql": text}).files[0].checksum
	}
	plain := sum("SELECT 1;\nSELECT 2;\n")
	assert.Equal(t, plain, sum("SELECT 1;\r\nSELECT 2;\r\n"), "line ends of Windows")
	assert.Equal(t, plain, sum("-- +goose Up\nSELECT 1;\nSELECT 2;\n"))
	assert.Equal(t, plain, sum("-- +goose Up\nSELECT 1;\nSELECT 2;\n-- +goose Down\nSELECT 3;\n"))
	assert.NotEqual(t, plain, sum("SELECT 1;\nSELECT 3;\n"))
	assert.Equal(t, parsed(t, map[string]string{"1_a.sql": ""}).digest, parsed(t, map[string]string{"01_b.sql": ""}).digest, "the name may change")
}

func FuzzMigrationFileName(f *testing.F) {
	for _, name := range []string{
		"0001_notes.sql", "1_a.sql", "20261124120000_x-y_Z9.sql", "0_x.sql", "_x.sql", "1_.sql", "1x.sql", "1_x.up.sql",
		"9223372036854775807_x.sql", "9223372036854775808_x.sql", "1_x.SQL", "1_ä.sql", "1_x\x00.sql", "1_x.sql.sql", "٣_x.sql", "-1_x.sql", "1__.sql",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, file string) {
		version, name, err := parseMigrationName(file)
		if err != nil {
			assert.Zero(t, version)
			assert.Empty(t, name)
			return
		}
		assert.Positive(t, version)
		assert.Regexp(t, `^[A-Za-z0-9_-]{1,100}$`, name)
		digits, rest, _ := strings.Cut(file, "_")
		assert.Equal(t, fmt.Sprint(version), strings.TrimLeft(digits, "0"))
		assert.Equal(t, name+".sql", rest)
	})
}
