package tenantsql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// database/sql has no savepoints, so its users write them as SQL: GORM and bun do for
// nested transactions. tenantdb takes no transaction control as a statement. These few
// forms are understood here, and made savepoints of pgx's transaction.

// savepoint is one that was set, under its user's name. A name can be set again; the latest
// counts (PostgreSQL documentation, SAVEPOINT).
type savepoint struct {
	name string
	tx   pgx.Tx
}

// savepointAction is what a savepoint statement does.
type savepointAction uint8

const (
	setSavepoint savepointAction = iota
	releaseSavepoint
	rollBackToSavepoint
)

type savepointStatement struct {
	action savepointAction
	name   string
}

// parseSavepoint reads SAVEPOINT x, RELEASE [SAVEPOINT] x and ROLLBACK [WORK|TRANSACTION]
// TO [SAVEPOINT] x. Whatever else it is given is not for it: comments, for one, and quoted
// names with white space or quotes in them.
func parseSavepoint(sql string) (s savepointStatement, ok bool) {
	first, rest := cutWord(sql)
	optional := func(words ...string) {
		word, after := cutWord(rest)
		if isOneOf(word, words...) && after != "" {
			rest = after
		}
	}
	switch {
	case isOneOf(first, "SAVEPOINT"):
		s.action = setSavepoint
	case isOneOf(first, "RELEASE"):
		s.action = releaseSavepoint
		optional("SAVEPOINT")
	case isOneOf(first, "ROLLBACK"):
		s.action = rollBackToSavepoint
		optional("WORK", "TRANSACTION")
		word, after := cutWord(rest)
		if !isOneOf(word, "TO") {
			return s, false
		}
		rest = after
		optional("SAVEPOINT")
	default:
		return s, false
	}
	s.name, ok = parseName(strings.TrimRight(rest, space+";"))
	return s, ok
}

const space = " \t\r\n\f\v"

func cutWord(sql string) (word, rest string) {
	sql = strings.TrimLeft(sql, space)
	end := strings.IndexAny(sql, space)
	if end < 0 {
		return sql, ""
	}
	return sql[:end], strings.TrimLeft(sql[end:], space)
}

func isOneOf(word string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(word, w) })
}

// parseName folds a name to lower case unless it is quoted, as PostgreSQL does. It is a key
// here and goes into no SQL.
func parseName(s string) (name string, ok bool) {
	if quoted := len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"'; quoted {
		s = s[1 : len(s)-1]
	} else {
		s = strings.ToLower(s)
	}
	return s, s != "" && !strings.ContainsAny(s, space+`;"'()`)
}

// savepoint does what the statement says, in one round trip, or two for ROLLBACK TO. pgx
// ends a savepoint with either of the others. So what SQL keeps after ROLLBACK TO is set
// anew; and of a RELEASE that failed nothing can be rolled back but the transaction.
func (t *tx) savepoint(ctx context.Context, s savepointStatement) error {
	if s.action == setSavepoint {
		return t.set(ctx, s.name)
	}
	at := len(t.savepoints) - 1
	for at >= 0 && t.savepoints[at].name != s.name {
		at--
	}
	if at < 0 {
		return fmt.Errorf("tenantsql: savepoint %q does not exist", s.name)
	}
	found := t.savepoints[at].tx
	t.savepoints = t.savepoints[:at]
	if s.action == releaseSavepoint {
		return found.Commit(ctx)
	}
	if err := found.Rollback(ctx); err != nil {
		return err
	}
	return t.set(ctx, s.name)
}

func (t *tx) set(ctx context.Context, name string) error {
	outer := t.Tx
	if n := len(t.savepoints); n > 0 {
		outer = t.savepoints[n-1].tx
	}
	inner, err := outer.Begin(ctx)
	if err != nil {
		return err
	}
	t.savepoints = append(t.savepoints, savepoint{name: name, tx: inner})
	return nil
}
