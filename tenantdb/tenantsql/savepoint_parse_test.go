package tenantsql

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseSavepoint(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]savepointStatement{
		"SAVEPOINT x":                             {setSavepoint, "x"},
		" savepoint\tSP_1 ;\n":                    {setSavepoint, "sp_1"},
		`SAVEPOINT "Mixed"`:                       {setSavepoint, "Mixed"},
		"SAVEPOINT savepoint":                     {setSavepoint, "savepoint"},
		"RELEASE x":                               {releaseSavepoint, "x"},
		"release savepoint x;":                    {releaseSavepoint, "x"},
		"RELEASE SAVEPOINT":                       {releaseSavepoint, "savepoint"},
		"ROLLBACK TO x":                           {rollBackToSavepoint, "x"},
		"Rollback To Savepoint x":                 {rollBackToSavepoint, "x"},
		"ROLLBACK WORK TO SAVEPOINT x":            {rollBackToSavepoint, "x"},
		"ROLLBACK\r\nTRANSACTION TO\fSAVEPOINT x": {rollBackToSavepoint, "x"},
	} {
		got, ok := parseSavepoint(sql)
		assert.True(t, ok, "%q", sql)
		assert.Equal(t, want, got, "%q", sql)
	}
	for _, sql := range []string{
		"", ";", "SAVEPOINT", "SAVEPOINT ;", "SAVEPOINTx", "SAVEPOINT a b", `SAVEPOINT ""`, `SAVEPOINT "a`, `SAVEPOINT "a""b"`, "SAVEPOINT a; COMMIT", "SAVEPOINT a;COMMIT",
		"RELEASE", "RELEASE a b", "ROLLBACK", "ROLLBACK;", "ROLLBACK x", "ROLLBACK WORK", "ROLLBACK TO", "ROLLBACK AND CHAIN", "ROLLBACK PREPARED 'x'",
		"/* x */ SAVEPOINT x", "SELECT 1", "COMMIT", "SELECT savepoint x",
	} {
		_, ok := parseSavepoint(sql)
		assert.False(t, ok, "%q", sql)
	}
}

func FuzzParseSavepoint(f *testing.F) {
	for _, sql := range []string{
		"SAVEPOINT x", `RELEASE SAVEPOINT "X"`, "ROLLBACK WORK TO SAVEPOINT x;", "ROLLBACK", "SAVEPOINT a; COMMIT", "SELECT 1", `SAVEPOINT "`, "ROLLBACK TO TO",
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		s, ok := parseSavepoint(sql)
		if !ok {
			return
		}
		if s.name == "" || strings.ContainsAny(s.name, " \t\r\n;\"'()") {
			t.Errorf("%q: name %q", sql, s.name)
		}
		spelled := map[savepointAction]string{setSavepoint: "SAVEPOINT", releaseSavepoint: "RELEASE", rollBackToSavepoint: "ROLLBACK TO"}[s.action]
		again, ok := parseSavepoint(spelled + ` SAVEPOINT "` + s.name + `"`)
		if s.action == setSavepoint {
			again, ok = parseSavepoint(spelled + ` "` + s.name + `"`)
		}
		if !ok || again != s {
			t.Errorf("%q: %v, and spelled out: %v", sql, s, again)
		}
	})
}
