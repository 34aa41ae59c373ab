package tenantdb

import "strings"

// verb is what a statement may do to the session that it runs in, as far as its first
// word tells.
type verb uint8

const (
	// plain statements read or write rows and leave nothing behind.
	plain verb = iota
	// passing statements leave nothing that outlives their transaction, and can't change its
	// role: LOCK, NOTIFY, SHOW, SET LOCAL of another setting. They must stay without a check,
	// which would take the transaction's snapshot before the next LOCK.
	passing
	// lasting statements may change the role, or leave something in the session that outlives
	// a transaction (SET, LISTEN, PREPARE, DECLARE … WITH HOLD), or run code that does (DO,
	// CALL). All that is not known to be something else is lasting.
	lasting
	// control statements begin or end a transaction or a savepoint, or set it aside.
	control
)

// verbOf reads the first word of sql behind white space, comments and parentheses, as
// PostgreSQL's lexer does (documentation, 4.1).
func verbOf(sql string) verb {
	word, rest := cutWord(sql)
	switch len(word) {
	case 3, 4, 5, 6, 7, 8, 9:
	default:
		return lasting // also the empty statement
	}
	switch strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE":
		return plain
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
		return control
	case "LOCK", "NOTIFY", "SHOW":
		return passing
	case "SET":
		return verbOfSet(rest)
	case "PREPARE":
		if next, _ := cutWord(rest); strings.EqualFold(next, "TRANSACTION") {
			return control
		}
	}
	return lasting
}

// verbOfSet reads what follows SET. LOCAL and its like count only in front of a further
// word: SET local.x = 1 is a setting of the session's.
func verbOfSet(rest string) verb {
	scope, rest := cutWord(rest)
	name, _ := cutWord(rest)
	switch strings.ToUpper(scope) {
	case "TRANSACTION", "CONSTRAINTS":
		if name != "" {
			return passing
		}
	case "LOCAL":
		switch strings.ToUpper(name) {
		case "", "U", "ROLE", "SESSION", "SESSION_AUTHORIZATION": // U&"\0072ole" is role as well
			return lasting
		}
		return passing
	}
	return lasting
}

// cutWord is the first word of sql, empty when something else comes first, and what stands
// behind it.
func cutWord(sql string) (word, rest string) {
	for sql != "" {
		switch {
		case strings.IndexByte(" \t\n\r\f\v(;", sql[0]) >= 0:
			sql = sql[1:]
		case strings.HasPrefix(sql, "--"):
			end := strings.IndexAny(sql, "\n\r")
			if end < 0 {
				return "", ""
			}
			sql = sql[end:]
		case strings.HasPrefix(sql, "/*"):
			sql = sql[blockComment(sql):]
		default:
			end := 0
			for end < len(sql) && (sql[end]|0x20 >= 'a' && sql[end]|0x20 <= 'z' || sql[end] == '_') {
				end++
			}
			return sql[:end], sql[end:]
		}
	}
	return "", ""
}

// blockComment is the length of the comment that sql begins with. Comments nest; one that
// does not end reaches to the end.
func blockComment(sql string) int {
	depth := 0
	for i := 0; i+1 < len(sql); {
		switch sql[i : i+2] {
		case "/*":
			depth++
			i += 2
		case "*/":
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(sql)
}
