package localserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Superuser is the name of the superuser of every server that [StartPostgres] starts.
const Superuser = "postgres"

// PostgresConfig says what [StartPostgres] starts. The zero value is a durable server
// whose data are thrown away at Close.
type PostgresConfig struct {
	// Dir keeps the data: a folder of the server's own, made if it does not exist and
	// found again by the next start, with its superuser's password. Empty, the data go
	// to a temporary folder and are removed at Close.
	Dir string

	// NoSync trades the data's safety in a crash of the machine for speed, for tests:
	// nothing is forced to disk, and data that are thrown away stay in memory where
	// there is plenty (Linux's /dev/shm).
	NoSync bool

	// MaxConnections is the server's max_connections; 0 means 100.
	MaxConnections int

	// Settings are further parameters of the server, as in postgresql.conf. They win
	// over what this package sets.
	Settings map[string]string
}

// Postgres is a running PostgreSQL server. Its methods may be called from several
// goroutines at once.
type Postgres struct {
	server
	password string
	home     *lockedFolder // data and password; the same as run when they are thrown away
}

// StartPostgres starts a PostgreSQL server and returns once it takes connections.
// Every user signs in with a password (SCRAM), over TCP and the socket alike.
//
// ctx bounds the start alone, not the server's life; without a deadline the limit is
// 90 s. The caller must Close the server. Errors: a [*MissingError] when PostgreSQL is
// not installed, [ErrInUse] when another process has Dir; what the server wrote is
// quoted when it fails to start.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (_ *Postgres, err error) {
	ctx, cancel := starting(ctx)
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("localserver: PostgreSQL: %w", err)
		}
	}()

	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	if err := as.canEnter(bin); err != nil {
		return nil, err
	}

	pg := &Postgres{}
	steps := []step{{syscall.SIGINT, 5 * time.Second}, {syscall.SIGQUIT, 2 * time.Second}}
	if cfg.Dir == "" { // what the orderly way would write is thrown away at once
		steps = steps[1:]
	}
	if err := pg.open("pg", as, cfg.NoSync && cfg.Dir == "", steps...); err != nil {
		return nil, err
	}
	pg.home = pg.run
	if cfg.Dir != "" {
		if pg.home, err = openHome(cfg.Dir); err != nil {
			return nil, errors.Join(err, pg.Close())
		}
		stop := pg.close
		pg.close = sync.OnceValue(func() error {
			defer pg.home.release() // once the server is gone
			return stop()
		})
	}
	if err := pg.start(ctx, bin, as, cfg); err != nil {
		return nil, errors.Join(err, pg.Close())
	}
	return pg, nil
}

// SocketDir is the folder of the server's unix socket, for a connection string's host.
func (pg *Postgres) SocketDir() string { return pg.run.path }

// Password is the password of [Superuser]. It is made for the data: anew for each
// start, or kept with them in [PostgresConfig.Dir].
func (pg *Postgres) Password() string { return pg.password }

// URL is the connection string of a user, over TCP.
func (pg *Postgres) URL(user, password, database string) string {
	return postgresURL(pg.port, user, password, database)
}

// SuperuserURL is the connection string of [Superuser], over TCP.
func (pg *Postgres) SuperuserURL(database string) string {
	return pg.URL(Superuser, pg.password, database)
}

// start makes the data if there are none, and starts the server on them.
func (pg *Postgres) start(ctx context.Context, bin string, as *account, cfg PostgresConfig) error {
	data := filepath.Join(pg.home.path, "data")
	switch _, err := os.Stat(data); {
	case errors.Is(err, fs.ErrNotExist):
		if err := pg.create(ctx, bin, data, as, cfg.NoSync); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		password, err := os.ReadFile(pg.passwordFile())
		if err != nil {
			return err
		}
		pg.password = string(password)
		if err := clearLeftover(ctx, data); err != nil {
			return err
		}
	}

	hba, err := pg.run.write("pg_hba.conf", "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n", as)
	if err != nil {
		return err
	}
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": pg.run.path,
		"hba_file":                hba,
		"max_connections":         strconv.Itoa(cfg.MaxConnections),
		"password_encryption":     "scram-sha-256",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"logging_collector":       "off",
		"log_checkpoints":         "off",
	}
	if cfg.MaxConnections == 0 {
		settings["max_connections"] = "100"
	}
	if cfg.NoSync {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
		settings["min_wal_size"] = "32MB" // old WAL is kept for reuse up to this, and until a checkpoint
		settings["max_wal_size"] = "128MB"
	}
	maps.Copy(settings, cfg.Settings)
	return listen(ctx, func(ctx context.Context, port int) (err error) {
		args := []string{"-p", strconv.Itoa(port)}
		for name, value := range settings {
			args = append(args, "-c", name+"="+value)
		}
		// SIGQUIT is PostgreSQL's immediate shutdown: it ends all its processes at once,
		// and the next start on these data recovers them.
		if pg.process, err = pg.exec(filepath.Join(bin, "postgres"), data, as, syscall.SIGQUIT, args...); err != nil {
			return err
		}
		pg.port = port
		return pg.process.ready(ctx, answers(pg.SuperuserURL(Superuser)))
	})
}

// create runs initdb in a folder beside data and renames it when it is complete, so
// that data never holds half a cluster.
func (pg *Postgres) create(ctx context.Context, bin, data string, as *account, noSync bool) error {
	pg.password = rand.Text()
	if err := os.WriteFile(pg.passwordFile(), []byte(pg.password), 0o600); err != nil {
		return err
	}
	pwfile, err := pg.run.write("pwfile", pg.password, as)
	if err != nil {
		return err
	}
	unfinished := data + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	if err := as.own(unfinished); err != nil {
		return err
	}
	args := []string{"-U", Superuser, "--pwfile", pwfile, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"}
	if noSync {
		args = append(args, "--no-sync")
	}
	initdb, err := pg.exec(filepath.Join(bin, "initdb"), unfinished, as, syscall.SIGTERM, args...)
	if err != nil {
		return err
	}
	if err := initdb.wait(ctx); err != nil {
		return err
	}
	if err := os.Rename(unfinished, data); err != nil {
		return err
	}
	return errors.Join(os.Remove(pwfile), syncFolder(pg.home.path))
}

// exec starts one of PostgreSQL's programs on a data folder.
//
// Where the account may not pass through the folders above (root's own, and those that
// mktemp and testing.T.TempDir make), it inherits the data folder opened, and names it
// by its descriptor. The permissions of folders that are not ours stay as they are.
func (pg *Postgres) exec(program, data string, as *account, death syscall.Signal, args ...string) (*process, error) {
	cmd := exec.Command(program)
	cmd.Dir = pg.run.path
	if err := as.canEnter(data); err != nil {
		if runtime.GOOS != "linux" {
			return nil, err
		}
		opened, err := os.Open(data)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		cmd.ExtraFiles = []*os.File{opened}
		data = "/proc/self/fd/3"
	}
	cmd.Args = append(append(cmd.Args, "-D", data), args...)
	return startProcess(cmd, as, death)
}

func (pg *Postgres) passwordFile() string {
	return filepath.Join(pg.home.path, "superuser.password")
}

// openHome makes or finds the folder that keeps a server's data, and takes hold of it.
func openHome(dir string) (*lockedFolder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return lockFolder(dir)
}

// clearLeftover removes the postmaster.pid of a server that a crash has ended. The
// server itself would do so, unless another process of the same user has got the dead
// one's id since, as is usual in containers; then it refuses to start.
//
// A server that still lives there has lost its parent, or else this process would not
// hold the folder; it is stopped. Whether it lives is asked at its socket, for a
// process id alone proves nothing.
func clearLeftover(ctx context.Context, data string) error {
	path := filepath.Join(data, "postmaster.pid")
	told := false
	for silent := 0; silent < 2; {
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		pid, socket := parsePostmasterPID(string(content))
		if pid <= 1 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			break
		}
		if conn, err := net.DialTimeout("unix", socket, time.Second); err != nil {
			silent++ // twice, in case it is about to remove the file
		} else {
			_ = conn.Close()
			silent = 0
			if !told {
				if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
					return fmt.Errorf("stop the server left in %s, process %d: %w", data, pid, err)
				}
				told = true
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: the server left in it, process %d, does not end: %w", data, pid, ErrInUse)
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// parsePostmasterPID reads what matters of a postmaster.pid: its lines are process id,
// data folder, start time, port, socket folder, and more. Of a file cut short, pid is
// 0 or the socket a path that leads nowhere.
func parsePostmasterPID(content string) (pid int, socket string) {
	lines := slices.Collect(strings.Lines(content))
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	lines = append(lines, make([]string, 5)...)
	pid, _ = strconv.Atoi(lines[0]) // 0 when it is no number
	return pid, filepath.Join(lines[4], ".s.PGSQL."+lines[3])
}

// answers is a probe: a connection that signs in.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := pgconn.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
}

// postgresURL is a connection string for a server of this machine.
func postgresURL(port int, user, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// syncFolder makes a rename in the folder survive a crash of the machine.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
