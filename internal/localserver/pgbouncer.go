package localserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// PgBouncerConfig says what [StartPgBouncer] starts.
type PgBouncerConfig struct {
	// Postgres is the server behind the pooler. Required.
	Postgres *Postgres

	// PoolMode is "transaction" when empty; "session" and "statement" are the others.
	PoolMode string

	// PoolSize is how many server connections each pair of user and database gets; 0
	// means 20. With 1, clients of the same pair take turns on one connection.
	PoolSize int

	// Settings are further lines of pgbouncer.ini's section [pgbouncer]. They win over
	// what this package sets.
	Settings map[string]string
}

// PgBouncer is a running pooler. Its methods may be called from several goroutines at
// once.
type PgBouncer struct {
	server
	pg *Postgres
}

// StartPgBouncer starts a pooler before cfg.Postgres and returns once it answers.
// Every user of the server can sign in through it, with the same password (SCRAM),
// also one created later: the pooler looks passwords up as the superuser.
//
// Of the start-up parameters that it does not track itself, it ignores
// extra_float_digits and options, and refuses the others, as is usual;
// Settings["ignore_startup_parameters"] changes that.
//
// ctx bounds the start alone, not the pooler's life; without a deadline the limit is
// 90 s. The caller must Close the pooler, before its server. A [*MissingError] says
// that PgBouncer is not installed; what it wrote is quoted when it fails to start.
func StartPgBouncer(ctx context.Context, cfg PgBouncerConfig) (_ *PgBouncer, err error) {
	ctx, cancel := starting(ctx)
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("localserver: PgBouncer: %w", err)
		}
	}()

	if cfg.Postgres == nil {
		return nil, errors.New("PgBouncerConfig.Postgres is nil: a pooler needs a server")
	}
	path, err := program("pgbouncer", `install PgBouncer ("apt-get install pgbouncer" on Debian and Ubuntu, "brew install pgbouncer" on macOS; "make setup" does it)`)
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{pg: cfg.Postgres}
	// From 1.23 on, SIGTERM waits for clients to leave; SIGQUIT and, before, SIGTERM do not.
	if err := b.open("pgb", as, false, step{syscall.SIGTERM, 200 * time.Millisecond}, step{syscall.SIGQUIT, time.Second}); err != nil {
		return nil, err
	}
	if err := b.start(ctx, path, as, cfg); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// URL is the connection string of a user through the pooler.
func (b *PgBouncer) URL(user, password, database string) string {
	return postgresURL(b.port, user, password, database)
}

// SuperuserURL is the connection string of the server's [Superuser] through the
// pooler. The database "pgbouncer" is the pooler's own console; reach it with pgx's
// simple protocol.
func (b *PgBouncer) SuperuserURL(database string) string {
	return b.URL(Superuser, b.pg.password, database)
}

func (b *PgBouncer) start(ctx context.Context, path string, as *account, cfg PgBouncerConfig) error {
	users, err := b.run.write("userlist.txt", fmt.Sprintf("%q %q\n", Superuser, b.pg.password), as)
	if err != nil {
		return err
	}
	settings := map[string]string{
		"listen_addr":               "127.0.0.1",
		"unix_socket_dir":           "",
		"pool_mode":                 "transaction",
		"default_pool_size":         "20",
		"max_client_conn":           "1000",
		"auth_type":                 "scram-sha-256",
		"auth_file":                 users,
		"auth_user":                 Superuser,
		"auth_query":                "SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1",
		"admin_users":               Superuser,
		"ignore_startup_parameters": "extra_float_digits, options",
		"server_tls_sslmode":        "disable",
	}
	if cfg.PoolMode != "" {
		settings["pool_mode"] = cfg.PoolMode
	}
	if cfg.PoolSize != 0 {
		settings["default_pool_size"] = strconv.Itoa(cfg.PoolSize)
	}
	return listen(ctx, func(ctx context.Context, port int) error {
		settings["listen_port"] = strconv.Itoa(port)
		maps.Copy(settings, cfg.Settings)
		var ini strings.Builder
		fmt.Fprintf(&ini, "[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\n", b.pg.port)
		for name, value := range settings {
			fmt.Fprintf(&ini, "%s = %s\n", name, value)
		}
		conf, err := b.run.write("pgbouncer.ini", ini.String(), as)
		if err != nil {
			return err
		}
		cmd := exec.Command(path, conf)
		cmd.Dir = b.run.path
		if b.process, err = startProcess(cmd, as, syscall.SIGKILL); err != nil {
			return err
		}
		b.port = port
		return b.process.ready(ctx, answers(b.SuperuserURL(Superuser)))
	})
}
