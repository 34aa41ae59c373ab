package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// walk is a README's walk with curl, as a script for the service at a URL.
func walk(t *testing.T, file, url string) string {
	t.Helper()
	readme, err := os.ReadFile(file)
	require.NoError(t, err)
	_, script, found := strings.Cut(string(readme), "```sh walk\n")
	require.True(t, found)
	script, _, found = strings.Cut(script, "```")
	require.True(t, found)
	host := strings.TrimPrefix(url, "http://")
	_, port, _ := strings.Cut(host, ":")
	return strings.NewReplacer("127.0.0.1:8080", host, "localhost:8080", "localhost:"+port).Replace(script)
}

// TestTheREADMEsWalkIsTrue runs the walk as a reader would, on a service of its own.
func TestTheREADMEsWalkIsTrue(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, executable(t))
	answers := take(t, walk(t, "README.md", p.url))
	require.Len(t, answers, 9)
	for i := range 3 {
		assert.Equal(t, answers[0], answers[i], "three ways, one list")
		assert.Contains(t, answers[i], "Anvils are back in stock")
	}
	for i, want := range []string{`"title":"From the walk"`, "note_not_found", "not_a_member", "tenant_conflict", `"slug":"gamma-labs"`, "tenant_suspended"} {
		assert.Contains(t, answers[3+i], want)
	}

	answers = take(t, walk(t, "../../README.md", p.url))
	require.Len(t, answers, 3)
	assert.Contains(t, answers[0], "Anvils are back in stock")
	assert.Equal(t, answers[0], answers[1], "two ways, one list")
	assert.NotContains(t, answers[2], "Anvils are back in stock", "the other tenant's")
	assert.Contains(t, answers[2], `"notes":[{`)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end(t)
}

// take runs a walk, and returns what each step answered.
func take(t *testing.T, script string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestTheREADMENamesEveryFlagAndVariable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, name := range []string{"-addr", "-data", "-base-domain", "-demo", "NOTES_ADDR", "NOTES_DATA", "NOTES_BASE_DOMAIN", "NOTES_DEMO", "NOTES_ADMIN_TOKEN", "DATABASE_URL"} {
		assert.Contains(t, string(readme), "`"+name+"`")
	}
}
