package tenantdb

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of a set of migrations. They are far above what people write; they end a
// mistake, such as a dump of data among the files, before it reaches a database.
const (
	maxMigrations         = 10_000
	maxMigrationSize      = 4 << 20  // bytes of one file
	maxMigrationsSize     = 64 << 20 // bytes of all files together
	maxMigrationsReported = 10       // errors in one message
)

// Migrations is a set of migrations that has been read and checked, see
// [ParseMigrations]. It is immutable and may be used by several goroutines at once.
type Migrations struct {
	files  []migration // in the order of their versions
	digest string      // of all of them, see sqlLedgerDigests
}

// migration is one file.
type migration struct {
	version  int64
	name     string // without version and .sql
	file     string
	script   string // what is executed
	line     int    // of the file, on which the script begins; from 1
	checksum string // of the script
}

// ParseMigrations reads the migrations at the root of fsys, and checks all that can be
// checked without a database. A nil fsys is a set without migrations; one in which no file
// is found is an error, for an embedded folder is easily mistaken for its parent:
//
//	//go:embed migrations/*.sql
//	var embedded embed.FS
//	files, err := fs.Sub(embedded, "migrations")
//
// A migration is a file such as 0001_notes.sql: a version from 1 to 2⁶³-1, which may have
// leading zeros and is unique in the set, an underscore, up to 100 characters of a-z, A-Z,
// 0-9, _ and -, and .sql in lower case. Other files and all folders are ignored, except
// those that end in .sql in any case, which are errors.
//
// A file is one script of SQL, executed as a whole and in one transaction with the other
// migrations of its tenant, so what PostgreSQL refuses in a transaction (CREATE INDEX
// CONCURRENTLY, VACUUM) it refuses here. The same goes for what needs an earlier migration
// to be committed: a value added to an enum type can't be used by a later file that is
// applied in the same run. Names in it are those of the tenant's schema: the search_path
// is that schema, then pg_temp; all other schemas are to be named.
//
// Statements that begin or end transactions or savepoints are errors here already
// ([ErrMigrationTransaction]), and so are statements that would outlive their transaction
// on the connection or need a terminal: PREPARE, LISTEN, COPY FROM STDIN.
//
// A file may have goose's marks (-- +goose Up, Down, StatementBegin, StatementEnd). Then
// the part from Up to Down alone is the script; its statements are not told apart. NO
// TRANSACTION, ENVSUB and marks that other tools give a meaning to are errors.
//
// A file has up to 4 MiB of UTF-8 without a byte order mark and without zeros, a set up to
// 10,000 files and 64 MiB. Line ends are taken as LF, however the file was checked out.
//
// The error joins up to ten [*MigrationFileError], one for each bad file.
func ParseMigrations(fsys fs.FS) (*Migrations, error) {
	m := &Migrations{}
	if fsys != nil {
		if err := m.read(fsys); err != nil {
			return nil, fmt.Errorf("tenantdb: migrations: %w", err)
		}
	}
	m.digest = m.sum()
	return m, nil
}

// read fills the set from the files at the root of fsys.
func (m *Migrations) read(fsys fs.FS) error {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return !strings.EqualFold(path.Ext(e.Name()), migrationExt)
	})
	if len(entries) == 0 {
		return errNoFiles(fsys)
	}
	if len(entries) > maxMigrations {
		return fmt.Errorf("%d files, and the most is %d", len(entries), maxMigrations)
	}
	var errs []error
	room := int64(maxMigrationsSize)
	for _, entry := range entries {
		file, err := readMigration(fsys, entry.Name(), room)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.files = append(m.files, file)
		room -= int64(len(file.script))
	}
	slices.SortStableFunc(m.files, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	for i := 1; i < len(m.files); i++ {
		if a, b := m.files[i-1], m.files[i]; a.version == b.version {
			errs = append(errs, &MigrationFileError{File: b.file, Err: fmt.Errorf("%s has the version %d too: each file needs one of its own", a.file, a.version)})
		}
	}
	return errors.Join(errs[:min(len(errs), maxMigrationsReported)]...)
}

// errNoFiles says that fsys has no migrations at its root, and where there may be some.
func errNoFiles(fsys fs.FS) error {
	found, _ := fs.Glob(fsys, "*/*"+migrationExt) // the pattern is well formed, there is no other error
	if len(found) == 0 {
		return errors.New("no file such as 0001_name.sql: pass nil for a set without migrations")
	}
	dir := path.Dir(found[0])
	return fmt.Errorf("no file such as 0001_name.sql at the root, but there is %s: pass fs.Sub(fsys, %q)", found[0], dir)
}

// readMigration reads one file of at most room bytes.
func readMigration(fsys fs.FS, file string, room int64) (migration, error) {
	m := migration{file: file}
	content, err := readBounded(fsys, file, room)
	if err == nil {
		m.version, m.name, err = parseMigrationName(file)
	}
	if err == nil {
		m.script, m.line, err = parseMarks(string(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))))
	}
	if err == nil {
		err = checkScript(m.script, m.line)
	}
	if err != nil {
		return migration{}, inFile(file, err)
	}
	sum := sha256.Sum256([]byte(m.script))
	m.checksum = hex.EncodeToString(sum[:])
	return m, nil
}

// readBounded is the content of a regular file, of a size and an encoding that are taken.
func readBounded(fsys fs.FS, file string, room int64) (_ []byte, err error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	content, err := io.ReadAll(io.LimitReader(f, maxMigrationSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxMigrationSize:
		return nil, fmt.Errorf("more than the %d MiB that a migration may have", maxMigrationSize>>20)
	case int64(len(content)) > room:
		return nil, fmt.Errorf("more than the %d MiB that all migrations may have together", maxMigrationsSize>>20)
	case bytes.HasPrefix(content, []byte("\uFEFF")):
		return nil, errors.New("begins with a byte order mark: save it as UTF-8 without one")
	case !utf8.Valid(content):
		return nil, errors.New("not UTF-8")
	case bytes.IndexByte(content, 0) >= 0:
		return nil, errors.New("holds a zero byte, which PostgreSQL can't store")
	}
	return content, nil
}

// sum is what a schema's ledger adds up to when all migrations are applied there and none
// other, see sqlLedgerDigests.
func (m *Migrations) sum() string {
	h := sha256.New()
	for i, file := range m.files {
		if i > 0 {
			_, _ = h.Write([]byte{'\n'})
		}
		_, _ = fmt.Fprintf(h, "%d:%s", file.version, file.checksum)
	}
	return hex.EncodeToString(h.Sum(nil))
}
