package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/tenantdb"
)

const (
	// embeddedDatabase is the database on an embedded server.
	embeddedDatabase = "notes"

	// embeddedPoolSize is the size of each pool there, of 100 connections that the server allows.
	embeddedPoolSize = 16

	// poolCloseTimeout bounds the wait for connections that somebody still uses.
	poolCloseTimeout = 500 * time.Millisecond
)

// PostgresConfig says which PostgreSQL to use. The zero value is an embedded one whose
// data are thrown away.
type PostgresConfig struct {
	// URL is a connection string for a server that exists, of a user who may do what
	// [tenantdb.Setup] does. Empty, a server is started.
	URL string

	// Dir is the folder in which a server that is started keeps its data, and finds them
	// again; empty, they are thrown away. It does not matter with a URL.
	Dir string

	// GatewayTracer and ControlTracer are told of what the pools' connections do. They may be
	// nil, and may be more than a QueryTracer, as pgx has it.
	GatewayTracer, ControlTracer pgx.QueryTracer
}

// Postgres is a database that is set up for tenants. Its methods may be called from
// several goroutines at once.
type Postgres struct {
	gateway, control *pgxpool.Pool
	embedded         *localserver.Postgres // nil with a URL
	where            string
}

// StartPostgres starts or finds the server, sets the database up with [tenantdb.Setup],
// and connects as each of its two roles. ctx bounds the start alone. The caller must
// Close what is returned.
//
// The roles' passwords are derived from the owner's, so that nobody has to keep them and
// all processes with the same URL agree. Without a password in the URL (and in what libpq
// looks at besides: PGPASSWORD, ~/.pgpass) they are made anew at each start, which a
// server that asks for none doesn't mind.
//
// A [localserver.MissingError] says that PostgreSQL is not installed.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (_ *Postgres, err error) {
	p := &Postgres{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	owner, err := p.owner(ctx, cfg)
	if err != nil {
		return nil, err
	}
	roles := tenantdb.Roles{
		Gateway: tenantdb.DefaultGateway, GatewayPassword: rolePassword(owner.ConnConfig.Password, tenantdb.DefaultGateway),
		Control: tenantdb.DefaultControl, ControlPassword: rolePassword(owner.ConnConfig.Password, tenantdb.DefaultControl),
	}
	if err := setup(ctx, owner.ConnConfig, roles); err != nil {
		return nil, err
	}
	if p.gateway, err = connect(ctx, owner, roles.Gateway, roles.GatewayPassword, cfg.GatewayTracer); err != nil {
		return nil, err
	}
	p.control, err = connect(ctx, owner, roles.Control, roles.ControlPassword, cfg.ControlTracer)
	return p, err
}

// Gateway is a pool for [tenantdb.Open]. It is closed by Close.
func (p *Postgres) Gateway() *pgxpool.Pool { return p.gateway }

// Control is a pool for [tenantdb.OpenCatalog] and the packages that keep tables beside
// the catalog's. It is closed by Close.
func (p *Postgres) Control() *pgxpool.Pool { return p.control }

// String says where the server runs, and what becomes of its data.
func (p *Postgres) String() string { return p.where }

// Close disconnects, and stops the server if it was started. It takes up to 8 s.
func (p *Postgres) Close() error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, pool := range []*pgxpool.Pool{p.gateway, p.control} {
			if pool != nil {
				pool.Close()
			}
		}
	}()
	select {
	case <-closed:
	case <-time.After(poolCloseTimeout): // a server that stops ends the rest
	}
	if p.embedded == nil {
		return nil
	}
	return p.embedded.Close()
}

// owner is how to connect as the database's owner. It starts the server if need be.
func (p *Postgres) owner(ctx context.Context, cfg PostgresConfig) (*pgxpool.Config, error) {
	if cfg.URL != "" {
		owner, err := pgxpool.ParseConfig(cfg.URL) // the error has no password in it
		if err != nil {
			return nil, fmt.Errorf("DATABASE_URL: %w", err)
		}
		c := owner.ConnConfig
		p.where = fmt.Sprintf("database %q at %s", c.Database, net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
		return owner, nil
	}

	server := localserver.PostgresConfig{
		NoSync:   cfg.Dir == "",
		Settings: map[string]string{"max_locks_per_transaction": "256"}, // room to make or drop a schema of many tables
	}
	data := "thrown away at exit"
	if cfg.Dir != "" {
		server.Dir = filepath.Join(cfg.Dir, "postgres")
		data = "kept in " + server.Dir
	}
	var err error
	if p.embedded, err = localserver.StartPostgres(ctx, server); err != nil {
		return nil, err
	}
	p.where = fmt.Sprintf("embedded, at 127.0.0.1:%d, data %s", p.embedded.Port(), data)
	if err := ensureDatabase(ctx, p.embedded.SuperuserURL("postgres"), embeddedDatabase); err != nil {
		return nil, err
	}
	size := url.Values{"pool_max_conns": {strconv.Itoa(embeddedPoolSize)}}
	return pgxpool.ParseConfig(p.embedded.SuperuserURL(embeddedDatabase) + "&" + size.Encode())
}

// ensureDatabase makes a database on a server of ours, if it is not there.
func ensureDatabase(ctx context.Context, serverURL, name string) error {
	conn, err := pgx.Connect(ctx, serverURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var found bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&found); err != nil || found {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize())
	return err
}

// setup runs [tenantdb.Setup] on a connection of its own.
func setup(ctx context.Context, owner *pgx.ConnConfig, roles tenantdb.Roles) error {
	conn, err := pgx.ConnectConfig(ctx, owner)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return tenantdb.Setup(ctx, conn, roles)
}

// connect opens a pool as a role, and proves that it can be used.
func connect(ctx context.Context, owner *pgxpool.Config, role, password string, tracer pgx.QueryTracer) (*pgxpool.Pool, error) {
	cfg := owner.Copy()
	cfg.ConnConfig.User, cfg.ConnConfig.Password = role, password
	cfg.AfterConnect = timesInUTC
	cfg.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect as %s: %w", role, err)
	}
	return pool, nil
}

// timesInUTC makes a connection read times in UTC, not in the zone of this machine.
func timesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name:  "timestamptz",
		OID:   pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}
