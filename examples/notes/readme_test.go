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

// walk is a README's walk with curl, of one or more parts, as a script for the service at
// a URL.
func walk(t *testing.T, file, url string, parts ...string) string {
	t.Helper()
	readme, err := os.ReadFile(file)
	require.NoError(t, err)
	var script string
	for _, part := range parts {
		_, rest, found := strings.Cut(string(readme), "```sh "+part+"\n")
		require.True(t, found, part)
		rest, _, found = strings.Cut(rest, "```")
		require.True(t, found, part)
		script += rest
	}
	host := strings.TrimPrefix(url, "http://")
	_, port, _ := strings.Cut(host, ":")
	return strings.NewReplacer("127.0.0.1:8080", host, "localhost:8080", "localhost:"+port).Replace(script)
}

// TestTheREADMEsWalkIsTrue runs the walk as a reader would, on a service of its own.
func TestTheREADMEsWalkIsTrue(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, executable(t))
	answers := take(t, walk(t, "README.md", p.url, "walk", "people", "keys", "quota", "export"))
	require.Len(t, answers, 36, "%s", strings.Join(answers, "\n"))
	for i := range 3 {
		assert.Equal(t, answers[0], answers[i], "three ways, one list")
		assert.Contains(t, answers[i], "Anvils are back in stock")
	}
	for i, want := range []string{`"title":"From the walk"`, "note_not_found", "not_a_member", "tenant_conflict", `"slug":"gamma-labs"`, "tenant_suspended"} {
		assert.Contains(t, answers[3+i], want)
	}

	for i, want := range []string{
		`"email":"eve@new.example","role":"member","status":"pending"`, `"subject":"Join Acme Corp on Notes"`,
		`"tenant":{"slug":"acme-corp","name":"Acme Corp"},"email":"eve@new.example","role":"member"`, `"role":"member"`,
		`"tenant":{"id":`, `"notes":[{`,
		`"role":"viewer"`, "unauthenticated", `"notes":[{`, "forbidden",
		"not_a_member", "not_a_member", "not_a_member",
	} {
		assert.Contains(t, answers[9+i], want)
	}

	for i, want := range []string{
		`"name":"nightly export","scopes":["notes:read"]`, `"notes":[{`, `"notes":[{`,
		"forbidden", "tenant_mismatch", "forbidden", `"notes":[{`, `"notes":[{`, "the API key was revoked", `"api_keys":[{`,
		`{"plan":"free","limits":[{"name":"requests","limit":20,`, `{"plan":"pro","limits":[{"name":"requests","limit":1000,`,
		`"status":"done"`, "not_found",
	} {
		assert.Contains(t, answers[22+i], want)
	}

	answers = take(t, walk(t, "../../README.md", p.url, "walk"))
	require.Len(t, answers, 3)
	assert.Contains(t, answers[0], "Anvils are back in stock")
	assert.Equal(t, answers[0], answers[1], "two ways, one list")
	assert.NotContains(t, answers[2], "Anvils are back in stock", "the other tenant's")
	assert.Contains(t, answers[2], `"notes":[{`)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end(t)
}

// TestTheREADMEsLoadCutsOneOffAndLeavesTheOtherAlone runs the README's command.
func TestTheREADMEsLoadCutsOneOffAndLeavesTheOtherAlone(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, executable(t))
	out, err := exec.CommandContext(t.Context(), "go", "run", "../internal/load", "-url", p.url, "-for", "2s", "-free", "50").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `(?m)^beta-industries +100 in 2s +2\d +7\d +0 `, string(out))
	assert.Regexp(t, `(?m)^acme-corp +100 in 2s +100 +0 +0 `, string(out))
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
	for _, name := range []string{
		"-addr", "-data", "-base-domain", "-demo", "-base-url", "NOTES_ADDR", "NOTES_DATA", "NOTES_BASE_DOMAIN", "NOTES_DEMO", "NOTES_BASE_URL",
		"-trace", "NOTES_TRACE", "-trust-traces", "NOTES_TRUST_TRACES", "OTEL_EXPORTER_OTLP_ENDPOINT",
		"NOTES_ADMIN_TOKEN", "DATABASE_URL", "REDIS_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "SMTP_ADDR", "SMTP_FROM", "SMTP_USERNAME", "SMTP_PASSWORD",
	} {
		assert.Contains(t, string(readme), "`"+name+"`")
	}
}
