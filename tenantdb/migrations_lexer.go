package tenantdb

import "strings"

// lexer tells words from what only looks like words, in strings, quoted names, comments
// and the bodies of functions. It follows PostgreSQL's own rules (its manual, 4.1) with
// standard_conforming_strings on. Names are what the migrations' transaction sees: sql is
// valid UTF-8.
type lexer struct {
	sql string
	pos int
}

type token struct {
	kind tokenKind
	at   int    // where it begins
	text string // of a word
}

type tokenKind uint8

const (
	tokenEnd       tokenKind = iota // of the script
	tokenWord                       // a keyword or a name without quotes
	tokenSemicolon                  // ;
	tokenParen                      // (
	tokenParenEnd                   // )
	tokenOther                      // all else
	tokenOpen                       // a string, a quoted name or a comment that does not end
)

// next is the next token. Behind a tokenEnd or a tokenOpen there is none.
func (l *lexer) next() token {
	if at, ok := l.space(); !ok {
		return token{kind: tokenOpen, at: at}
	}
	t := token{kind: tokenOther, at: l.pos}
	if l.pos == len(l.sql) {
		t.kind = tokenEnd
		return t
	}
	ok := true
	switch c := l.sql[l.pos]; {
	case isWordStart(c):
		t.kind, t.text = tokenWord, l.word()
		if (t.text == "E" || t.text == "e") && l.at('\'') {
			t.kind, ok = tokenOther, l.escapeString()
		}
	case c == '\'' || c == '"':
		ok = l.quoted(c)
	case c == '$':
		ok = l.dollar()
	default:
		l.pos++
		switch c {
		case ';':
			t.kind = tokenSemicolon
		case '(':
			t.kind = tokenParen
		case ')':
			t.kind = tokenParenEnd
		}
	}
	if !ok {
		t.kind = tokenOpen
	}
	return t
}

// space skips white space and comments. It is not ok when one of these, beginning at the
// offset, does not end.
func (l *lexer) space() (at int, ok bool) {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		switch {
		case isSpace(rest[0]):
			l.pos++
		case strings.HasPrefix(rest, "--"):
			l.lineComment()
		case strings.HasPrefix(rest, "/*"):
			at := l.pos
			if !l.blockComment() {
				return at, false
			}
		default:
			return 0, true
		}
	}
	return 0, true
}

func (l *lexer) lineComment() {
	n := strings.IndexAny(l.sql[l.pos:], "\r\n")
	if n < 0 {
		n = len(l.sql) - l.pos
	}
	l.pos += n
}

// blockComment skips a comment, in which others may be nested.
func (l *lexer) blockComment() bool {
	depth := 0
	for l.pos < len(l.sql)-1 {
		switch l.sql[l.pos : l.pos+2] {
		case "/*":
			depth++
			l.pos += 2
		case "*/":
			depth--
			l.pos += 2
			if depth == 0 {
				return true
			}
		default:
			l.pos++
		}
	}
	return false
}

func (l *lexer) word() string {
	begin := l.pos
	for l.pos < len(l.sql) && isWordPart(l.sql[l.pos]) {
		l.pos++
	}
	return l.sql[begin:l.pos]
}

// quoted skips a string or name in which the quote stands for itself when it is doubled.
func (l *lexer) quoted(quote byte) bool {
	for l.pos++; ; l.pos += 2 {
		n := strings.IndexByte(l.sql[l.pos:], quote)
		if n < 0 {
			return false
		}
		l.pos += n
		if l.pos+1 == len(l.sql) || l.sql[l.pos+1] != quote {
			l.pos++
			return true
		}
	}
}

// escapeString skips a string of the form E'…', whose backslash takes the meaning from
// what follows. It may go on behind white space that holds the end of a line, in quotes of
// its own without a second E.
func (l *lexer) escapeString() bool {
	for {
		for l.pos++; ; l.pos++ {
			n := strings.IndexAny(l.sql[l.pos:], `\'`)
			if n < 0 {
				return false
			}
			l.pos += n
			if l.sql[l.pos] == '\'' {
				break
			}
			if l.pos++; l.pos == len(l.sql) {
				return false
			}
		}
		l.pos++
		end := l.pos
		if l.at('\'') { // doubled: the string goes on
			continue
		}
		if !l.lineEnd() || !l.at('\'') {
			l.pos = end
			return true
		}
	}
}

// lineEnd skips white space and comments up to the end of a line, and white space and
// comments behind it. It is false when no line ends there.
func (l *lexer) lineEnd() (ended bool) {
	for l.pos < len(l.sql) {
		switch rest := l.sql[l.pos:]; {
		case isSpace(rest[0]):
			ended = ended || rest[0] == '\n' || rest[0] == '\r'
			l.pos++
		case strings.HasPrefix(rest, "--"):
			l.lineComment()
		default:
			return ended
		}
	}
	return ended
}

// dollar skips a string of the form $tag$…$tag$, or the $ of anything else.
func (l *lexer) dollar() bool {
	l.pos++
	begin := l.pos
	for l.pos < len(l.sql) && isWordPart(l.sql[l.pos]) && l.sql[l.pos] != '$' {
		l.pos++
	}
	tag := l.sql[begin:l.pos]
	if !l.at('$') || tag != "" && isDigit(tag[0]) {
		l.pos = begin
		for l.pos < len(l.sql) && isDigit(l.sql[l.pos]) { // of a parameter
			l.pos++
		}
		return true
	}
	l.pos++
	end := "$" + tag + "$"
	n := strings.Index(l.sql[l.pos:], end)
	if n < 0 {
		return false
	}
	l.pos += n + len(end)
	return true
}

// at reports whether c stands at the position.
func (l *lexer) at(c byte) bool { return l.pos < len(l.sql) && l.sql[l.pos] == c }

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isWordStart(c byte) bool { return c == '_' || c >= 0x80 || isLetter(c) }

func isWordPart(c byte) bool { return isWordStart(c) || c == '$' || isDigit(c) }
