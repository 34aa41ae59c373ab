package tenantdb

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// harmless are scripts that look as if they had transaction control and have not.
// PostgreSQL accepts each of them in a transaction, see TestHarmlessScriptsAreApplied.
var harmless = []struct{ name, script string }{
	{"in a string", `SELECT ';COMMIT;'`},
	{"behind a doubled quote", `SELECT 'it''s;COMMIT;'`},
	{"in a string that ends in a backslash", `SELECT 'a\'; SELECT 1 AS commit`},
	{"in a string with escapes", `SELECT E'a\';COMMIT;', e'\\'`},
	{"in a string with escapes that goes on in the next line", "SELECT E'a\\'' -- more\n  '\\';COMMIT;'"},
	{"in a string that goes on in the next line", "SELECT 'a'\n';COMMIT;'"},
	{"in a string of Unicode", `SELECT U&';COMMIT;', N';COMMIT;', B'1', X'1F'`},
	{"in a quoted name", `SELECT 1 AS ";COMMIT;""; ROLLBACK;"`},
	{"in a comment", "SELECT 1; -- COMMIT;\n"},
	{"in a comment at the end", "SELECT 1; -- COMMIT;"},
	{"in a comment with others inside", `/* ; COMMIT; /* ; COMMIT; */ ; COMMIT; */ SELECT 1`},
	{"in a comment behind an operator", "SELECT 1 +-- ;COMMIT;\n1 */*;COMMIT;*/ 2"},
	{"in a function", `CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$`},
	{"in a function with a named quote", `CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $_f1$ SELECT '$$;COMMIT;$$'; $_f1$`},
	{"in a block", `DO $$ BEGIN PERFORM 1; EXCEPTION WHEN OTHERS THEN NULL; END $$`},
	{"as a name", `CREATE TABLE commit (rollback int, begin$x$ int); SELECT rollback AS "end" FROM commit`},
	{"behind a name with a dollar", `SELECT 1 AS a$b$; SELECT 2 AS c$b$`},
	{"in the body of a SQL function", `CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a > 1 THEN 2 END; END; SELECT 1`},
	{"in the body of a SQL procedure", `CREATE OR REPLACE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC END; SELECT 1`},
	{"in a rule", `CREATE TABLE r (a int); CREATE RULE x AS ON INSERT TO r DO ALSO (DELETE FROM r; DELETE FROM r)`},
	{"empty statements", " ;; ;\n"},
	{"nothing", ""},
	{"a comment alone", "-- nothing"},
	{"copying to and from what is named stdin", `CREATE TABLE stdin (stdout int); SELECT * FROM stdin`},
}

func TestScriptsThatOnlyLookLikeTransactionControl(t *testing.T) {
	t.Parallel()
	for _, c := range harmless {
		assert.NoError(t, checkScript(c.script, 1), c.name)
	}
}

func TestScriptsWithTransactionControlAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		line   int
	}{
		{"COMMIT", 1},
		{"begin; SELECT 1; end", 1},
		{"SELECT 1;\ncOmMiT;", 2},
		{"SELECT 1;/* x */ROLLBACK", 1},
		{"SELECT 1;\n-- x\n\tABORT WORK;", 3},
		{"START TRANSACTION", 1},
		{"SAVEPOINT x", 1},
		{"SELECT 1; RELEASE x", 1},
		{"SELECT $$a$$; COMMIT; SELECT $$b$$", 1},
		{"SELECT $a$ $b$ $a$; COMMIT", 1},
		{"SELECT $1; COMMIT; SELECT $1", 1},
		{"SELECT 'a\\'; COMMIT; SELECT '\\'", 1},
		{"SELECT E'a\\\\'; COMMIT; --'", 1},
		{"SELECT E'a' 'b\\'; COMMIT; SELECT '", 1},
		{"SELECT xE'\\'; COMMIT; --'", 1},
		{"SELECT '\n';\n\nCOMMIT", 4},
		{"CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END; COMMIT", 1},
		{"CREATE TABLE begin (atomic int); SELECT atomic FROM begin atomic; COMMIT", 1},
		{"SELECT begin atomic FROM t; COMMIT", 1},
		{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; END", 1},
	} {
		err := checkScript(c.script, 1)
		require.ErrorIs(t, err, ErrMigrationTransaction, c.script)
		var file *MigrationFileError
		require.ErrorAs(t, err, &file)
		assert.Equal(t, c.line, file.Line, c.script)
	}
}

func TestScriptsThatCannotRunInAMigrationAreRefused(t *testing.T) {
	t.Parallel()
	for script, message := range map[string]string{
		"PREPARE TRANSACTION 'x'":                      "leaves something behind",
		"prepare p AS SELECT 1":                        "leaves something behind",
		"SELECT 1; LISTEN x":                           "leaves something behind",
		"COPY note FROM stdin":                         "COPY FROM STDIN",
		"COPY note (id, body) FROM STDIN (FORMAT csv)": "COPY FROM STDIN",
		"COPY note FROM STDOUT":                        "COPY FROM STDIN",
		"SELECT 'open":                                 "without an end",
		"SELECT E'open\\'":                             "without an end",
		"SELECT E'open\\":                              "without an end",
		`SELECT "open`:                                 "without an end",
		"SELECT $$ open $a$":                           "without an end",
		"SELECT 1 /* open /* */":                       "without an end",
	} {
		assert.ErrorContains(t, checkScript(script, 1), message, script)
	}
}

func FuzzScript(f *testing.F) {
	for _, c := range harmless {
		f.Add(c.script)
	}
	for _, script := range []string{"SELECT 1;\nCOMMIT", "$", "$a", "E'", "e'\\", "/*", "--", "'", "\"", "$a$ $b$", "(;COMMIT)", "\x80'\x80"} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if !utf8.ValidString(script) {
			return
		}
		l := lexer{sql: script}
		at := 0
		for {
			token := l.next()
			if token.kind == tokenEnd || token.kind == tokenOpen {
				break
			}
			require.GreaterOrEqual(t, token.at, at)
			require.Greater(t, l.pos, token.at, "no progress")
			require.LessOrEqual(t, l.pos, len(script))
			at = l.pos
		}
		// What is harmless stays so behind a statement, and what is not is found there.
		err := checkScript(script, 1)
		if err == nil {
			require.Error(t, checkScript("COMMIT;"+script, 1))
		}
		require.Equal(t, err == nil, checkScript("SELECT 1;\n"+script, 0) == nil)
	})
}
