package tenantdb

import (
	"errors"
	"fmt"
	"strings"
)

// checkScript refuses statements that would end the transaction of their migration, leave
// something behind on its connection, or wait for data that nobody sends. line is the one
// on which the script begins.
//
// PostgreSQL parses a whole script before it executes any of it, so this need be right
// about scripts that it accepts alone. That it is right is checked again after each
// script, when it is too late to undo but not to tell: see application.run.
func checkScript(script string, line int) error {
	check := scriptCheck{lex: lexer{sql: script}, begin: true}
	for {
		t := check.lex.next()
		var err error
		switch t.kind {
		case tokenEnd:
			return nil
		case tokenOpen: // left open: PostgreSQL would refuse it too, without the line
			err = errors.New("a string, a quoted name or a comment without an end")
		default:
			err = check.read(t)
		}
		if err != nil {
			return atLine(line+strings.Count(script[:t.at], "\n"), err)
		}
	}
}

// scriptCheck is how far the check of a script has come.
type scriptCheck struct {
	lex     lexer
	begin   bool     // the next token begins a statement
	depth   int      // of parentheses
	head    []string // the statement's first words, up to headWords
	copying bool     // the statement is COPY
	body    bool     // inside BEGIN ATOMIC … END
	last    string   // the last token, if it was a word, in upper case
}

func (c *scriptCheck) read(t token) error {
	last, begin := c.last, c.begin
	c.last, c.begin = "", false
	switch t.kind {
	case tokenParen:
		c.depth++
	case tokenParenEnd:
		c.depth--
	case tokenSemicolon:
		if c.depth != 0 { // of CREATE RULE … DO (…; …)
			break
		}
		c.begin = true
		if !c.body {
			c.head, c.copying = c.head[:0], false
		}
	case tokenWord:
		if c.depth == 0 {
			c.last = strings.ToUpper(t.text)
			return c.word(begin, last)
		}
	}
	return nil
}

// word takes c.last, a word outside of parentheses.
func (c *scriptCheck) word(begin bool, last string) error {
	word := c.last
	if c.body {
		// Its statements end in semicolons and the END follows the last of them, so the
		// END of a CASE is no first word.
		c.body = !(begin && word == "END")
		return nil
	}
	if begin {
		switch word {
		case "ABORT", "BEGIN", "COMMIT", "END", "RELEASE", "ROLLBACK", "SAVEPOINT", "START":
			return fmt.Errorf("%s: %w", word, ErrMigrationTransaction)
		case "PREPARE", "LISTEN":
			return fmt.Errorf("%s leaves something behind on a connection that others use", word)
		}
		c.copying = word == "COPY"
	}
	if c.copying && last == "FROM" && (word == "STDIN" || word == "STDOUT") {
		return errors.New("COPY FROM STDIN waits for data that a migration can't send: write INSERT")
	}
	if last == "BEGIN" && word == "ATOMIC" && createsRoutine(c.head) {
		c.body, c.begin = true, true // the END of an empty body may follow
	}
	if len(c.head) < headWords {
		c.head = append(c.head, word)
	}
	return nil
}

// createsRoutine reports whether a statement begins as one does that may have BEGIN ATOMIC
// … END (PostgreSQL 14 and later): CREATE [OR REPLACE] FUNCTION or PROCEDURE.
func createsRoutine(head []string) bool {
	if len(head) == headWords && head[1] == "OR" && head[2] == "REPLACE" {
		head = []string{head[0], head[3]}
	}
	return len(head) > 1 && head[0] == "CREATE" && (head[1] == "FUNCTION" || head[1] == "PROCEDURE")
}

// headWords is how many words tell what createsRoutine asks.
const headWords = 4
