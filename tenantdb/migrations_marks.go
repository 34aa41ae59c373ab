package tenantdb

import (
	"errors"
	"fmt"
	"strings"
)

// parseMarks is the part of a file that is executed, and the line on which it begins. That
// is all of it, or with goose's marks what stands from Up to Down. Marks are found line by
// line, as goose does: also inside a string or the body of a function.
func parseMarks(content string) (script string, line int, err error) {
	var p marks
	offset := 0
	for text := range strings.Lines(content) {
		p.line++
		end := offset + len(text)
		if err := p.read(strings.TrimSpace(text), offset, end); err != nil {
			return "", 0, atLine(p.line, err)
		}
		offset = end
	}
	switch {
	case !p.seen:
		return content, 1, nil
	case p.part == beforeUp:
		return "", 0, errors.New("has -- +goose marks but no -- +goose Up")
	case p.statement != 0:
		return "", 0, atLine(p.statement, errors.New("-- +goose StatementBegin without a StatementEnd"))
	case p.part == up:
		p.to = len(content)
	}
	return content[p.from:p.to], p.fromLine, nil
}

// marks is how far the reading of a file has come.
type marks struct {
	line      int
	seen      bool // any of goose's marks
	sql       bool // any line that is neither empty nor a comment
	part      part
	from, to  int // of the part from Up to Down
	fromLine  int
	statement int // the line of a StatementBegin that is open, else 0
}

type part uint8

const (
	beforeUp part = iota
	up
	down
)

// read takes one line, without the space around it, that stands at these offsets.
func (p *marks) read(text string, begin, end int) error {
	comment, ok := strings.CutPrefix(text, "--")
	if !ok {
		p.sql = p.sql || text != ""
		return nil
	}
	comment = strings.TrimSpace(comment)
	for _, mark := range foreignMarks {
		if foldedPrefix(comment, mark.prefix) {
			return fmt.Errorf("a mark of %s, which would not be heeded: keep the part that goes up, without marks", mark.tool)
		}
	}
	if !foldedPrefix(comment, "+goose") {
		return nil
	}
	if !p.seen && p.sql {
		return errors.New("SQL before the first -- +goose mark")
	}
	p.seen = true
	mark := strings.ToLower(strings.Join(strings.Fields(comment[len("+goose"):]), " "))
	if p.part == down && mark != "up" && mark != "no transaction" {
		return nil // it goes down
	}
	switch mark {
	case "up":
		if p.part != beforeUp {
			return errors.New("a second -- +goose Up")
		}
		if p.sql {
			return errors.New("SQL before -- +goose Up")
		}
		p.part, p.from, p.fromLine = up, end, p.line+1
	case "down":
		if p.part == beforeUp {
			return errors.New("-- +goose Down before Up")
		}
		if p.statement != 0 {
			return errors.New("-- +goose Down inside a statement: StatementEnd is missing")
		}
		p.part, p.to = down, begin
	case "statementbegin":
		if p.part == beforeUp || p.statement != 0 {
			return errors.New("-- +goose StatementBegin before Up, or inside another")
		}
		p.statement = p.line
	case "statementend":
		if p.statement == 0 {
			return errors.New("-- +goose StatementEnd without a StatementBegin")
		}
		p.statement = 0
	case "no transaction":
		return errors.New("-- +goose NO TRANSACTION: each tenant is migrated in one transaction, so that it is migrated whole or not at all; do what can't be done in one outside of the migrations")
	default:
		return fmt.Errorf("-- +goose %.40q is none of the marks that are known: Up, Down, StatementBegin, StatementEnd", mark)
	}
	return nil
}

// foreignMarks are comments by which other tools tell the part that goes down. A file of
// theirs taken whole would undo itself.
var foreignMarks = [...]struct{ prefix, tool string }{
	{"+migrate", "sql-migrate"},
	{"migrate:", "dbmate"},
	{"-- create above / drop below", "tern"},
}

// foldedPrefix reports whether s begins with an ASCII prefix in any case.
func foldedPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
