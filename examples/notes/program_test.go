package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stopLimit is what the contract gives the program to stop in, with all its children.
const stopLimit = 10 * time.Second

var built struct {
	once sync.Once
	dir  string
	err  error
}

// executable is the program, built once, without what a debugger needs: that is half of the
// time it takes to link.
func executable(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "notes-program-"); built.err != nil { //nolint:usetesting // it outlives the test that builds it
			return
		}
		out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", built.dir+"/notes", ".").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("build: %w: %s", err, out)
		}
	})
	require.NoError(t, built.err)
	return filepath.Join(built.dir, "notes")
}

// program is a process under test: the service, or what has started it.
type program struct {
	cmd    *exec.Cmd
	lines  []string // on stdout, up to the one that says ready
	url    string
	stderr bytes.Buffer // to be read when it has ended
	ended  chan error
}

// startProgram runs a command and waits until the service says that it is ready.
func startProgram(t *testing.T, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(name, args...), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), "NOTES_ADDR=127.0.0.1:0", "DATABASE_URL=", "NOTES_DATA=", "NOTES_DEMO=", "NOTES_BASE_URL=", "NOTES_ADMIN_TOKEN=", "SMTP_ADDR=", "TEMPORAL_ADDRESS=", "TEMPORAL_NAMESPACE=")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })

	out := bufio.NewScanner(stdout)
	for out.Scan() {
		p.lines = append(p.lines, out.Text())
		if url, ok := strings.CutPrefix(out.Text(), "ready "); ok {
			p.url = url
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		p.ended <- p.cmd.Wait()
	}()
	if p.url == "" {
		t.Fatalf("never ready: %v: %v: %s", <-p.ended, p.lines, &p.stderr)
	}
	return p
}

// end waits for the end, which must come within the contract's limit.
func (p *program) end(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.ended:
		require.NoError(t, err, "%s", &p.stderr)
	case <-time.After(stopLimit):
		t.Fatal("the program did not stop")
	}
}

func (p *program) get(t *testing.T, path string) int {
	t.Helper()
	res, err := http.Get(p.url + path)
	require.NoError(t, err)
	defer res.Body.Close()
	return res.StatusCode
}

// childrenOf are the ids of a process's children, on Linux.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	var children []int
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, stat := range stats {
		child, err := strconv.Atoi(strings.Split(stat, "/")[2])
		require.NoError(t, err)
		if _, parent := lookAt(child); parent == pid {
			children = append(children, child)
		}
	}
	return children
}

// requireGone demands that processes end within the contract's limit.
func requireGone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		gone := func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
		if !assert.Eventually(t, gone, stopLimit, 20*time.Millisecond, "process %d is left over", pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestTheProgramServesUntilASignalAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := startProgram(t, nil, executable(t))
		require.Regexp(t, `^ready http://127\.0\.0\.1:\d+$`, p.lines[len(p.lines)-1])
		require.Regexp(t, `^PostgreSQL: embedded, at 127\.0\.0\.1:\d+, data thrown away at exit$`, p.lines[0])
		require.Regexp(t, `^Redis: embedded, at 127\.0\.0\.1:\d+$`, p.lines[1])
		require.Regexp(t, `^Temporal: embedded, at 127\.0\.0\.1:\d+, data thrown away at exit$`, p.lines[2])
		assert.Equal(t, 200, p.get(t, "/healthz"))
		assert.Equal(t, 200, p.get(t, "/readyz"))
		children := childrenOf(t, p.cmd.Process.Pid)
		if runtime.GOOS == "linux" {
			require.NotEmpty(t, children, "PostgreSQL and Redis are its children")
		}
		require.NoError(t, p.cmd.Process.Signal(signal))
		p.end(t)
		requireGone(t, children...)
		_, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		require.Error(t, err, "nobody listens any more")
	}
}

func TestASignalEndsAStart(t *testing.T) {
	t.Parallel()
	path := executable(t)
	for _, after := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 600 * time.Millisecond} {
		cmd := exec.Command(path, "-addr", "127.0.0.1:0")
		require.NoError(t, cmd.Start())
		time.Sleep(after)
		children := childrenOf(t, cmd.Process.Pid)
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended: // before it listens to signals, the system ends it
		case <-time.After(stopLimit):
			_ = cmd.Process.Kill()
			t.Fatal("the program did not stop")
		}
		requireGone(t, children...)
	}
}

func TestTheDataFolderIsFoundAgain(t *testing.T) {
	t.Parallel()
	env := []string{"NOTES_DATA=" + filepath.Join(t.TempDir(), "data")}
	first := startProgram(t, env, executable(t))
	require.Contains(t, first.lines[0], "data kept in ")
	a := api{url: first.url}
	ada := a.signIn(t, "ada@acme.example")
	acme := tenantView{Slug: "acme-corp"}
	note := a.write(t, acme, ada, "written before the restart")
	before := a.notesOf(t, acme, ada)
	require.Contains(t, first.lines[2], "data kept in ")
	exported := a.export(t, ada, acme)

	both := exec.Command(executable(t), "-addr", "127.0.0.1:0")
	both.Env = append(os.Environ(), env...)
	out, err := both.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "folder in use by another process")
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGTERM))
	first.end(t)

	second := startProgram(t, env, executable(t))
	a.url = second.url
	assert.Equal(t, before, a.notesOf(t, acme, ada), "with the token from before")
	assert.Contains(t, before, note)
	assert.Equal(t, exported, a.awaitExport(t, ada, acme, exported.ID))
	assert.Equal(t, exported.Notes, a.export(t, ada, acme).Notes, "and Temporal works on its data of before")
	assert.Len(t, before, 4, "the demo data are not given again")
	assert.Equal(t, ada.user, a.signIn(t, "ada@acme.example").user)
	require.NoError(t, second.cmd.Process.Signal(syscall.SIGTERM))
	second.end(t)
}

// parentScript starts the program as a child, tells its process id, and waits.
const parentScript = `"$@" & echo "child $!"; wait`

// childIn is the process id that parentScript has told.
func childIn(t *testing.T, lines []string) int {
	t.Helper()
	for _, line := range lines {
		if id, ok := strings.CutPrefix(line, "child "); ok {
			pid, err := strconv.Atoi(id)
			require.NoError(t, err)
			return pid
		}
	}
	t.Fatalf("no child in %v", lines)
	return 0
}

func TestTheProgramEndsWithItsParent(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil, "sh", "-c", parentScript, "sh", executable(t))
	child := childIn(t, p.lines)
	servers := childrenOf(t, child)
	require.NoError(t, p.cmd.Process.Kill())
	requireGone(t, append(servers, child)...)
}

func TestTheProgramEndsWithTheParentOfGoRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program once more")
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process's name and parent")
	}
	p := startProgram(t, nil, "sh", "-c", parentScript, "sh", "go", "run", "-tags", "notes_lean", ".")
	goRun := childIn(t, p.lines)
	programs := childrenOf(t, goRun)
	require.Len(t, programs, 1)
	servers := childrenOf(t, programs[0])
	require.NotEmpty(t, servers)
	require.NoError(t, p.cmd.Process.Kill())
	requireGone(t, append(servers, programs[0], goRun)...)
}

func TestTheProgramSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		env  string
		code int
		says string
	}{
		"a port in use":       {[]string{"-addr", taken.Addr().String()}, "", 1, "address already in use"},
		"an unknown flag":     {[]string{"-colour", "red"}, "", 2, "flag provided but not defined"},
		"an argument":         {[]string{"serve"}, "", 2, `unexpected argument "serve"`},
		"a bad variable":      {nil, "NOTES_DEMO=perhaps", 2, "NOTES_DEMO"},
		"a bad base domain":   {[]string{"-base-domain", "Example.com:80"}, "", 2, `base domain "Example.com:80"`},
		"a database away":     {nil, "DATABASE_URL=postgres://owner:secret-word@127.0.0.1:1/x", 1, "PostgreSQL: failed to connect"},
		"no database URL":     {nil, "DATABASE_URL=nonsense", 1, "PostgreSQL: DATABASE_URL: "},
		"no Redis URL":        {nil, "REDIS_URL=secret-word", 1, "Redis: REDIS_URL is no URL"},
		"a missing program":   {nil, "TENANTWALL_PG_BIN=" + t.TempDir(), 1, "apt-get install postgresql"},
		"an unsafe base URL":  {[]string{"-base-url", "http://notes.example"}, "", 1, "the secret needs https"},
		"a bad mail server":   {nil, "SMTP_ADDR=mail.example", 1, "SMTP_ADDR"},
		"an unusable address": {[]string{"-addr", "nowhere"}, "", 1, "missing port"},
	} {
		cmd := exec.Command(executable(t), c.args...)
		cmd.Env = append(os.Environ(), "NOTES_ADDR=127.0.0.1:0", c.env)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, name)
		assert.Equal(t, c.code, exit.ExitCode(), "%s: %s", name, out)
		assert.Contains(t, string(out), c.says, name)
		assert.NotContains(t, string(out), "secret-word", name)
		assert.NotContains(t, string(out), "\nready ", name)
	}
}

func TestTheProgramTellsItsFlags(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(executable(t), "-h").CombinedOutput()
	require.NoError(t, err)
	for _, flag := range []string{"-addr", "-data", "-base-domain", "-base-url", "-demo", "NOTES_ADDR", "NOTES_DATA", "NOTES_BASE_DOMAIN", "NOTES_BASE_URL", "NOTES_DEMO"} {
		assert.Contains(t, string(out), flag)
	}
}
