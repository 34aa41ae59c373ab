package localserver

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RedisConfig says what [StartRedis] starts.
type RedisConfig struct {
	// Settings are further lines of redis.conf. They win over what this package sets.
	Settings map[string]string
}

// Redis is a running Redis server that keeps nothing. Its methods may be called from
// several goroutines at once.
type Redis struct {
	server
	password string
	bus      int // port for the other nodes of its cluster, if it has one
}

// StartRedis starts a Redis server without persistence and returns once it answers.
//
// ctx bounds the start alone, not the server's life; without a deadline the limit is
// 90 s. The caller must Close the server. A [*MissingError] says that Redis is not
// installed; what the server wrote is quoted when it fails to start.
func StartRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	ctx, cancel := starting(ctx)
	defer cancel()
	return startRedis(ctx, rand.Text(), cfg.Settings, (*Redis).command)
}

// startRedis starts what command makes of the program's path and its configuration.
func startRedis(ctx context.Context, password string, further map[string]string, command redisCommand) (_ *Redis, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("localserver: Redis: %w", err)
		}
	}()

	path, err := program("redis-server", `install Redis ("apt-get install redis-server" on Debian and Ubuntu, "brew install redis" on macOS; "make setup" does it)`)
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	r := &Redis{password: password}
	if err := r.open("redis", as, false, step{syscall.SIGTERM, 2 * time.Second}); err != nil {
		return nil, err
	}
	err = listen(ctx, func(ctx context.Context, port int) (err error) {
		settings := map[string]string{
			"bind":        "127.0.0.1",
			"port":        strconv.Itoa(port),
			"requirepass": r.password,
			"dir":         r.run.path,
			"save":        `""`,
			"appendonly":  "no",
			"daemonize":   "no",
		}
		maps.Copy(settings, further)
		var conf strings.Builder
		for name, value := range settings {
			fmt.Fprintf(&conf, "%s %s\n", name, value)
		}
		cmd, err := command(r, path, conf.String(), as)
		if err != nil {
			return err
		}
		cmd.Dir = r.run.path
		if r.process, err = startProcess(cmd, as, syscall.SIGKILL); err != nil {
			return err
		}
		r.port = port
		return r.process.ready(ctx, r.ping)
	})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// redisCommand makes the command that runs Redis with a configuration, in which the password
// stands: an argument would show it to everyone.
type redisCommand func(r *Redis, path, conf string, as *account) (*exec.Cmd, error)

// command runs a server, which needs no file.
func (r *Redis) command(path, conf string, _ *account) (*exec.Cmd, error) {
	cmd := exec.Command(path, "-")
	cmd.Stdin = strings.NewReader(conf)
	return cmd, nil
}

// Addr is the address that the server listens on, as host:port.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// Password is the server's password, made for this run.
func (r *Redis) Password() string { return r.password }

// URL is the server's address with the password, as go-redis's ParseURL takes it.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", r.password), Host: r.Addr(), Path: "/0"}
	return u.String()
}

// ping signs in and asks whether the server is there.
func (r *Redis) ping(ctx context.Context) error { return r.want(ctx, "PING", "+PONG") }

// signedIn sends a command on a connection of its own and has its answer read.
func (r *Redis) signedIn(ctx context.Context, command string, read func(*bufio.Reader) error) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\n%s\r\n", r.password, command); err != nil {
		return err
	}
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if line = strings.TrimSpace(line); line != "+OK" {
		return fmt.Errorf("sign in: answered %q", line)
	}
	return read(answer)
}

// want sends a command and compares the first line of the answer.
func (r *Redis) want(ctx context.Context, command, answer string) error {
	return r.signedIn(ctx, command, func(lines *bufio.Reader) error {
		got, err := lines.ReadString('\n')
		if got = strings.TrimSpace(got); err == nil && got != answer {
			err = fmt.Errorf("answered %q, not %q", got, answer)
		}
		return err
	})
}

// text sends a command and returns the text that is its answer.
func (r *Redis) text(ctx context.Context, command string) (text string, err error) {
	err = r.signedIn(ctx, command, func(lines *bufio.Reader) error {
		length, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(length, "$")))
		if err != nil || n < 0 || n > 1<<16 {
			return fmt.Errorf("answered %q, not a text", length)
		}
		answer := make([]byte, n)
		_, err = io.ReadFull(lines, answer)
		text = string(answer)
		return err
	})
	return text, err
}

// until asks again and again, until the answer to a command has all of the words in it.
func (r *Redis) until(ctx context.Context, command string, words ...string) error {
	for {
		text, err := r.text(ctx, command)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s without %q: %w: %s", command, words, ctx.Err(), text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
