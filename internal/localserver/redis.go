package localserver

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os/exec"
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
}

// StartRedis starts a Redis server without persistence and returns once it answers.
//
// ctx bounds the start alone, not the server's life; without a deadline the limit is
// 90 s. The caller must Close the server. A [*MissingError] says that Redis is not
// installed; what the server wrote is quoted when it fails to start.
func StartRedis(ctx context.Context, cfg RedisConfig) (_ *Redis, err error) {
	ctx, cancel := starting(ctx)
	defer cancel()
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
	r := &Redis{password: rand.Text()}
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
		maps.Copy(settings, cfg.Settings)
		var conf strings.Builder
		for name, value := range settings {
			fmt.Fprintf(&conf, "%s %s\n", name, value)
		}
		cmd := exec.Command(path, "-")
		cmd.Dir = r.run.path
		cmd.Stdin = strings.NewReader(conf.String()) // an argument would show the password to everyone
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
func (r *Redis) ping(ctx context.Context) error {
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
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\nPING\r\n", r.password); err != nil {
		return err
	}
	answer := bufio.NewScanner(conn)
	for _, want := range []string{"+OK", "+PONG"} {
		if !answer.Scan() {
			return fmt.Errorf("no %s: %w", want, cmp.Or(answer.Err(), io.ErrUnexpectedEOF))
		}
		if got := answer.Text(); got != want {
			return fmt.Errorf("answered %q, not %q", got, want)
		}
	}
	return nil
}
