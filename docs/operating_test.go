package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

const operating = "operating.md"

// ask runs statements as the owner, and returns what the last of each block has answered.
func (h house) ask(t *testing.T, blocks []string) (answers [][]map[string]any) {
	t.Helper()
	for _, block := range blocks {
		var answer []map[string]any
		for _, sql := range strings.SplitAfter(strings.TrimSpace(block), ";\n") {
			rows, err := h.owner.Query(t.Context(), sql)
			require.NoError(t, err, "%s", sql)
			answer, err = pgx.CollectRows(rows, pgx.RowToMap)
			require.NoError(t, err, "%s", sql)
			require.NotEmpty(t, answer, "%s", sql)
		}
		answers = append(answers, answer)
	}
	return answers
}

func TestOperatorsStatementsTellWhatTheySay(t *testing.T) {
	t.Parallel()
	h := open(t, migrations)
	acme, err := h.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme", Plan: "pro"})
	require.NoError(t, err)
	db, err := tenantdb.Open(t.Context(), h.pool(t, h.roles.Gateway))
	require.NoError(t, err)
	tx, err := db.As(acme).Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `SELECT title FROM note`)
	require.NoError(t, err)
	_, err = h.catalog.Suspend(t.Context(), acme.ID)
	require.NoError(t, err)
	blocks := snippets(t, operating, "sql")
	require.Len(t, blocks, 4)
	answers := h.ask(t, blocks)
	require.Len(t, answers[0], 1, "what is at work, and no more")
	assert.Equal(t, "acme-corp", answers[0][0]["slug"])
	assert.Equal(t, "idle in transaction", answers[0][0]["state"])
	last := answers[1][len(answers[1])-1]
	assert.Equal(t, string(tenantdb.EventSuspended), last["kind"])
	assert.Equal(t, map[string]any{"schema": tenantdb.SchemaName(acme.ID), "status": "suspended", "plan": "pro"}, answers[2][0])
	assert.Contains(t, answers[3][0]["kept"], "kB")
}

func TestGuideRestoresOneTenantAndNoOther(t *testing.T) {
	t.Parallel()
	h := open(t, migrations)
	ctx := t.Context()
	var bin string
	require.NoError(t, h.owner.QueryRow(ctx, `SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&bin))
	if _, err := os.Stat(filepath.Join(bin, "pg_dump")); err != nil {
		t.Skip("PostgreSQL is here without its clients:", err)
	}
	db, err := tenantdb.Open(ctx, h.pool(t, h.roles.Gateway))
	require.NoError(t, err)
	in := make(map[tenant.Slug]tenant.Tenant)
	write := func(slug tenant.Slug, title string) {
		t.Helper()
		_, err := db.As(in[slug]).Exec(ctx, `INSERT INTO note (title) VALUES ($1)`, title)
		require.NoError(t, err)
	}
	of := func(slug tenant.Slug) []string {
		t.Helper()
		return titles(t, db, tenant.NewContext(ctx, in[slug]))
	}
	for _, slug := range []tenant.Slug{"acme-corp", "beta-industries"} {
		in[slug], err = h.catalog.Create(ctx, tenantdb.NewTenant{Slug: slug, Name: string(slug)})
		require.NoError(t, err)
		write(slug, "before")
	}

	dir, schema := t.TempDir(), tenantdb.SchemaName(in["acme-corp"].ID)
	run := func(part string) {
		t.Helper()
		scripts := snippets(t, operating, "sh "+part)
		require.Len(t, scripts, 1, part)
		cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", scripts[0])
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "OWNER="+h.url, "SCHEMA="+schema)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", part, out)
	}
	run("dump")
	for _, slug := range []tenant.Slug{"acme-corp", "beta-industries"} {
		_, err = db.As(in[slug]).Exec(ctx, `DELETE FROM note`)
		require.NoError(t, err)
		write(slug, "after")
		require.Equal(t, []string{"after"}, of(slug)) // and prepared on the connection
	}
	run("restore")
	assert.Equal(t, []string{"before"}, of("acme-corp"))
	assert.Equal(t, []string{"after"}, of("beta-industries"))
	run("drop")

	write("acme-corp", "goes on")
	assert.Equal(t, []string{"before", "goes on"}, of("acme-corp"))
	lines, err := behind(ctx, h.catalog)
	require.NoError(t, err)
	assert.Empty(t, lines)
	_, err = db.As(in["beta-industries"]).Exec(ctx, `SELECT FROM `+pgx.Identifier{schema, "note"}.Sanitize())
	require.ErrorContains(t, err, "permission denied", "restored, it is as closed as before")
	_, err = tenantdb.Open(ctx, h.pool(t, h.roles.Gateway))
	require.NoError(t, err, "and the audit finds nothing")
}
