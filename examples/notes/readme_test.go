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

// walk is the README's walk with curl, as a script for the service at a URL.
func walk(t *testing.T, url string) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
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
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the walk needs curl")
	}
	p := startProgram(t, nil, executable(t))
	out, err := exec.Command("sh", "-eu", "-c", walk(t, p.url)).CombinedOutput()
	require.NoError(t, err, "%s", out)

	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, answers, 9, "%s", out)
	for i := range 3 {
		assert.Equal(t, answers[0], answers[i], "three ways, one list")
		assert.Contains(t, answers[i], "Anvils are back in stock")
	}
	for i, want := range []string{`"title":"From the walk"`, "note_not_found", "not_a_member", "tenant_conflict", `"slug":"gamma-labs"`, "tenant_suspended"} {
		assert.Contains(t, answers[3+i], want)
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end(t)
}

func TestTheREADMENamesEveryFlagAndVariable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, name := range []string{"-addr", "-data", "-base-domain", "-demo", "NOTES_ADDR", "NOTES_DATA", "NOTES_BASE_DOMAIN", "NOTES_DEMO", "NOTES_ADMIN_TOKEN", "DATABASE_URL"} {
		assert.Contains(t, string(readme), "`"+name+"`")
	}
}
