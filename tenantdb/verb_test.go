package tenantdb

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var verbs = []struct {
	sql  string
	want verb
}{
	{`SELECT 1`, plain},
	{`select 1`, plain},
	{"\t\r\n\f\v SELECT 1", plain},
	{`(SELECT 1)`, plain},
	{`((SELECT 1) UNION SELECT 2)`, plain},
	{`( ( VALUES (1) ) )`, plain},
	{`TABLE note`, plain},
	{`WITH x AS (DELETE FROM note RETURNING *) SELECT * FROM x`, plain},
	{`INSERT INTO note VALUES (1)`, plain},
	{`uPDATE note SET body = ''`, plain},
	{`DELETE FROM note`, plain},
	{`MERGE INTO note USING x ON true WHEN MATCHED THEN DELETE`, plain},
	{`SELECT'SET ROLE x'`, plain},
	{`SELECT/**/1`, plain},
	{`SELECT--` + "\n1", plain},
	{`;SELECT 1`, plain},

	{`LOCK TABLE note`, passing},
	{`NOTIFY x`, passing},
	{`SHOW search_path`, passing},
	{`SET LOCAL work_mem = '1MB'`, passing},
	{`set--x` + "\nlocal/*x*/work_mem = '1MB'", passing},
	{`SET TRANSACTION READ ONLY`, passing},
	{`SET CONSTRAINTS ALL DEFERRED`, passing},

	{`SET ROLE x`, lasting},
	{`SET LOCAL ROLE x`, lasting},
	{`set--x` + "\nlocal/*x*/role x", lasting},
	{`SET LOCAL U&"\0072ole" TO x`, lasting},
	{`SET LOCAL u&"r!006fle" UESCAPE '!' TO x`, lasting},
	{`SET LOCAL SESSION AUTHORIZATION x`, lasting},
	{`SET LOCAL session_authorization TO x`, lasting},
	{`SET local = x`, lasting},
	{`SET local.x = 'y'`, lasting},
	{`SET LOCAL/**/.x = 'y'`, lasting},
	{`SET transaction.x TO y`, lasting},
	{`SET LOCAL "role" TO x`, lasting},
	{`SET LOCAL`, lasting},
	{`SET SESSION ROLE x`, lasting},
	{`RESET ROLE`, lasting},
	{`LISTEN x`, lasting},
	{`PREPARE x AS SELECT 1`, lasting},
	{`EXECUTE x`, lasting},
	{`DECLARE x CURSOR WITH HOLD FOR SELECT 1`, lasting},
	{`DO $$ BEGIN END $$`, lasting},
	{`CALL x()`, lasting},
	{`COPY note FROM STDIN`, lasting},
	{`CREATE TABLE x ()`, lasting},
	{`EXPLAIN SELECT 1`, lasting},
	{``, lasting},
	{` ; `, lasting},
	{`/* SELECT`, lasting},
	{`-- SELECT`, lasting},
	{`/* SELECT */ SET ROLE x`, lasting},
	{"-- SELECT\nSET ROLE x", lasting},
	{"-- SELECT\rSET ROLE x", lasting},
	{`/* /* */ SELECT */ SET ROLE x`, lasting},
	{`/*/* */*/SET ROLE x`, lasting},
	{`/**/SET ROLE x`, lasting},
	{`/***/SET ROLE x`, lasting},
	{`/*/**/ SELECT */ SET ROLE x`, lasting},
	{`/* -- */ SET ROLE x`, lasting},
	{`select_ 1`, lasting},
	{`_select 1`, lasting},
	{`"SELECT" 1`, lasting},
	{"\u00a0SELECT 1", lasting}, // not white space to PostgreSQL
	{"\ufeffSELECT 1", lasting},
	{"ſelect 1", lasting}, // U+017F, whose upper case is S
	{"\x00SELECT 1", lasting},

	{`BEGIN`, control},
	{`begin isolation level serializable`, control},
	{`START TRANSACTION`, control},
	{`COMMIT`, control},
	{`COMMIT AND CHAIN`, control},
	{`END`, control},
	{`ROLLBACK TO SAVEPOINT x`, control},
	{`ABORT`, control},
	{`SAVEPOINT x`, control},
	{`RELEASE x`, control},
	{`PREPARE TRANSACTION 'x'`, control},
	{`/* x */ PREPARE -- y` + "\n" + `transaction 'x'`, control},
	{`/* SELECT */ COMMIT`, control},
	{`/* /* */ SELECT */ COMMIT`, control},
	{"--\nCOMMIT", control},
	{`;COMMIT`, control},
}

func TestVerbOf(t *testing.T) {
	t.Parallel()
	for _, c := range verbs {
		assert.Equal(t, c.want, verbOf(c.sql), "%q", c.sql)
	}
}

func FuzzVerbOf(f *testing.F) {
	for _, c := range verbs {
		f.Add(c.sql)
	}
	f.Add("/*/")
	f.Add("/*/**")
	f.Add(strings.Repeat("/*", 1000) + strings.Repeat("*/", 1000) + "COMMIT")
	f.Fuzz(func(t *testing.T, sql string) {
		want := verbOf(sql)
		for _, before := range []string{" ", "\n", "(", "--x\n", "--/*\r", "/**/", "/* /* -- */ SELECT */", "/*/*/**/*/ */"} {
			assert.Equal(t, want, verbOf(before+sql), "behind %q", before)
		}
		if !strings.Contains(sql, "*/") {
			assert.Equal(t, lasting, verbOf("/*"+sql), "in a comment that does not end")
		}
		if !strings.Contains(sql, "/") && !strings.Contains(sql, "*") {
			assert.Equal(t, control, verbOf("/*"+sql+"*/COMMIT"), "in a comment that ends")
		}
	})
}
