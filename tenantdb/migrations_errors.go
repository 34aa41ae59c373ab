package tenantdb

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrMigrationTransaction says that a migration begins or ends a transaction or a
	// savepoint. All migrations of a tenant are one transaction, which is not theirs.
	ErrMigrationTransaction = errors.New("a migration may not begin or end transactions: remove BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their like; each tenant is migrated in a transaction already")

	// ErrChecksum says that a migration which is applied already was changed since.
	// Restore the file; a change is a migration of its own.
	ErrChecksum = errors.New("an applied migration was changed")

	// ErrUnknownMigration says that a migration is applied which this program does not
	// have: a newer version of it ran before. See [MigrateOptions.AllowUnknown].
	ErrUnknownMigration = errors.New("an applied migration is unknown to this program")
)

// MigrationFileError says what is wrong with one file of a set. Errors that have names are
// inside, for [errors.Is].
type MigrationFileError struct {
	File string
	Line int // from 1; 0 when the file as a whole is meant
	Err  error
}

func (e *MigrationFileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap is what is wrong.
func (e *MigrationFileError) Unwrap() error { return e.Err }

// atLine is an error at a line of a file whose name the reader of its content does not
// know.
func atLine(line int, err error) error { return &MigrationFileError{Line: line, Err: err} }

// inFile gives an error the name of its file.
func inFile(file string, err error) error {
	if e, ok := errors.AsType[*MigrationFileError](err); ok {
		return &MigrationFileError{File: file, Line: e.Line, Err: e.Err}
	}
	return &MigrationFileError{File: file, Err: err}
}

// scriptError is what PostgreSQL had against a script, with its line in the file.
func scriptError(m migration, err error) error {
	e := &MigrationFileError{File: m.file, Err: err}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Position > 0 {
		e.Line = m.line + linesBefore(m.script, int(pgErr.Position))
	}
	return e
}

// linesBefore counts the ends of lines before a position, which PostgreSQL counts in
// characters from 1.
func linesBefore(script string, position int) int {
	lines := 0
	for range position - 1 {
		r, size := utf8.DecodeRuneInString(script)
		if r == '\n' {
			lines++
		}
		script = script[size:]
	}
	return lines
}

// LedgerError says that a schema has been migrated with other files than those of this
// program. It is an [ErrChecksum] or an [ErrUnknownMigration] or both, for [errors.Is].
// Nothing was applied.
type LedgerError struct {
	Changed []int64 // versions of migrations that were changed after they were applied
	Unknown []int64 // versions that are applied and not in the set
}

func (e *LedgerError) Error() string {
	var what []string
	if len(e.Changed) > 0 {
		what = append(what, "changed after they were applied: "+versionList(e.Changed)+" (restore the files; a change is a migration of its own)")
	}
	if len(e.Unknown) > 0 {
		what = append(what, "applied and unknown to this program: "+versionList(e.Unknown)+" (a newer version of it ran before; MigrateOptions.AllowUnknown accepts that)")
	}
	return "migrations " + strings.Join(what, "; ")
}

// Is makes a LedgerError the errors that it stands for.
func (e *LedgerError) Is(target error) bool {
	return target == ErrChecksum && len(e.Changed) > 0 || target == ErrUnknownMigration && len(e.Unknown) > 0
}

// versionList is the first versions of a list, in words.
func versionList(versions []int64) string {
	const most = 10
	var b strings.Builder
	for i, v := range versions[:min(len(versions), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	if more := len(versions) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
