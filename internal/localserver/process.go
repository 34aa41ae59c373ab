package localserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds a start whose context has no deadline. initdb on a slow, busy
// machine takes the most of it.
const startTimeout = 90 * time.Second

// process is one child: a server, or a program that prepares one.
type process struct {
	name string
	cmd  *exec.Cmd
	log  tail
	done chan struct{} // closed once the child is reaped
	err  error         // how it ended; read after done
}

// startProcess starts cmd as a child that runs as the account and gets the signal
// death when this process dies (on Linux). It returns once the child runs.
func startProcess(cmd *exec.Cmd, as *account, death syscall.Signal) (*process, error) {
	p := &process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.WaitDelay = 2 * time.Second // a grandchild may hold the log's pipe open for longer than it lives
	cmd.SysProcAttr = childAttr(as, death)
	cmd.Env = childEnv(cmd.Env)

	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the *thread* that forked ends, not the
		// process. The runtime ends threads as it likes, except the one that a goroutine
		// is locked to: so this one forks, and stays until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// childEnv is what a server sees of this process's environment: where to find
// programs and libraries, and messages in English, which this package reads. The
// PG* variables stay out, they would change what initdb and postgres do.
func childEnv(extra []string) []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, extra...)
}

// exited reports whether the child is gone.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// step is one attempt to stop a process: a signal and how long to wait for its effect.
type step struct {
	signal syscall.Signal
	wait   time.Duration
}

// stop sends each step's signal in turn until the child is gone. SIGKILL is the last
// resort and need not be among the steps; the error says that it was needed. A child
// that is gone already is no error.
func (p *process) stop(steps ...step) error {
	for _, s := range steps {
		if p.signalAndWait(s) {
			return nil
		}
	}
	if p.signalAndWait(step{syscall.SIGKILL, 5 * time.Second}) {
		return fmt.Errorf("%s had to be killed: it did not stop when told to", p.name)
	}
	return fmt.Errorf("%s, process %d, does not end", p.name, p.cmd.Process.Pid)
}

func (p *process) signalAndWait(s step) bool {
	// The only error that matters here is "already finished", and the wait tells that too.
	_ = p.cmd.Process.Signal(s.signal)
	select {
	case <-p.done:
		return true
	case <-time.After(s.wait):
		return false
	}
}

// wait waits for a program that ends by itself, and kills it when ctx is done first.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.stop()
		return fmt.Errorf("%s: %w", p.name, ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w%s", p.name, p.err, p.log.quote())
	}
	return nil
}

// errPortTaken says that the port found free was taken before the server had it.
var errPortTaken = errors.New("port taken by another process")

// ready probes a server until it answers. It gives up when the server has ended
// (errPortTaken when that was the reason) or ctx is done, and quotes the log.
func (p *process) ready(ctx context.Context, probe func(context.Context) error) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := probe(attempt)
		cancel()
		if p.exited() { // whatever answered, it was not ours
			if strings.Contains(p.log.String(), "Address already in use") {
				return errPortTaken
			}
			return fmt.Errorf("%s ended as it started (%v)%s", p.name, p.err, p.log.quote())
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (last answer: %v)%s", p.name, ctx.Err(), err, p.log.quote())
		}
	}
}

// listen runs start with a free port, and again with another one while some other
// process takes the port first. start returns a server that answers on the port.
func listen(ctx context.Context, start func(ctx context.Context, port int) error) error {
	for try := 0; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		if err := start(ctx, port); !errors.Is(err, errPortTaken) || try == 9 {
			return err
		}
	}
}

// freePort is a port of the loopback interface that nobody listens on at this moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// starting bounds ctx by [startTimeout] when it has no deadline of its own.
func starting(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, startTimeout)
}

// tail keeps the last of what a child wrote, however much that was.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if len(t.buf) > 2*tailSize { // cut rarely, not at each write
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-tailSize):])
}

// quote is the end of the log as an error message shows it.
func (t *tail) quote() string {
	s := strings.TrimSpace(t.String())
	if s == "" {
		return "; it wrote nothing"
	}
	lines := strings.Split(s, "\n")
	if cut := len(lines) - 30; cut > 0 {
		lines = lines[cut:]
	}
	return "; it wrote:\n\t" + strings.Join(lines, "\n\t")
}
