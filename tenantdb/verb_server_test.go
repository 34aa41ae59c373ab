package tenantdb_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// What hides a statement's first word from us must hide it from the server as well.
func TestTheFirstWordIsTheServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tag := func(sql string) string {
		tag, _ := w.owner.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, nil).Close()
		return tag.String()
	}
	sets, commits := 0, 0
	for before := range prefixes(4) {
		if sql := before + `SET ROLE NONE`; tag(sql) == "SET" {
			sets++
			assert.False(t, tenantdb.IsPlain(sql), "%q sets", sql)
		}
		if sql := before + `COMMIT`; tag(sql) == "COMMIT" {
			commits++
			assert.True(t, tenantdb.IsControl(sql), "%q commits", sql)
		}
	}
	assert.Greater(t, sets, 50)
	assert.Equal(t, sets, commits)
}

// prefixes are all sequences of up to n pieces of which comments are made, and of what
// must not be taken for the first word.
func prefixes(n int) iter.Seq[string] {
	pieces := []string{"/*", "*/", "--", "\n", "*", "/", ";", "SELECT "}
	var extend func(string, int, func(string) bool) bool
	extend = func(s string, n int, yield func(string) bool) bool {
		if !yield(s) {
			return false
		}
		for _, piece := range pieces {
			if n > 0 && !extend(s+piece, n-1, yield) {
				return false
			}
		}
		return true
	}
	return func(yield func(string) bool) { extend("", n, yield) }
}
