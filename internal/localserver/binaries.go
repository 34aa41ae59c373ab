package localserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// EnvPostgresBin names the environment variable that chooses which PostgreSQL is
// started: a folder that holds initdb and postgres. When it is set, nothing else is
// looked at.
const EnvPostgresBin = "TENANTWALL_PG_BIN"

// ErrMissing is what every [*MissingError] is, for errors.Is.
var ErrMissing = errors.New("server program not found")

// MissingError says that a server's program is not on this machine.
type MissingError struct {
	Program string   // what was looked for, such as "initdb and postgres"
	Looked  []string // where
	Install string   // what to do about it, in words for a person
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s not found in %s: %s", e.Program, strings.Join(e.Looked, ", "), e.Install)
}

// Is makes every MissingError an [ErrMissing].
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// postgresBin is the folder that holds initdb and postgres: the one that
// [EnvPostgresBin] names, else the one on PATH, else the newest that a package
// manager installed.
func postgresBin() (string, error) {
	missing := &MissingError{
		Program: "initdb and postgres",
		Install: `install PostgreSQL 15 or newer ("apt-get install postgresql" on Debian and Ubuntu, ` +
			`"brew install postgresql@17" on macOS; "make setup" does it), or set ` + EnvPostgresBin + ` to a folder that holds them`,
	}
	if dir := os.Getenv(EnvPostgresBin); dir != "" {
		missing.Looked = []string{dir + " (from " + EnvPostgresBin + ")"}
		if holds(dir, "initdb", "postgres") {
			return filepath.Abs(dir)
		}
		return "", missing
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) && holds(dir, "initdb", "postgres") {
			return dir, nil
		}
	}
	missing.Looked = []string{"PATH"}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // Fedora, Red Hat, from postgresql.org
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	} {
		missing.Looked = append(missing.Looked, pattern)
		dirs, _ := filepath.Glob(pattern) // the pattern is well formed, there is no other error
		slices.SortFunc(dirs, func(a, b string) int { return majorOf(b) - majorOf(a) })
		for _, dir := range dirs {
			if holds(dir, "initdb", "postgres") {
				return dir, nil
			}
		}
	}
	return "", missing
}

// majorOf is the version in an installation's folder, such as 15 in
// /usr/lib/postgresql/15/bin and in /opt/homebrew/opt/postgresql@15/bin; 0 when the
// name holds none.
func majorOf(bin string) int {
	name := filepath.Base(filepath.Dir(bin))
	n, err := strconv.Atoi(name[strings.LastIndexFunc(name, func(r rune) bool { return r < '0' || r > '9' })+1:])
	if err != nil {
		return 0
	}
	return n
}

// program finds one server's program on PATH, else in the folders where package
// managers put servers and an ordinary user's PATH often does not look.
func program(name, install string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	dirs := []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin"}
	for _, dir := range dirs {
		if holds(dir, name) {
			return filepath.Join(dir, name), nil
		}
	}
	return "", &MissingError{Program: name, Looked: append([]string{"PATH"}, dirs...), Install: install}
}

// holds reports whether dir has all of these programs.
func holds(dir string, names ...string) bool {
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			return false
		}
	}
	return true
}
