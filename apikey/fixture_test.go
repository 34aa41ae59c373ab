package apikey_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

const (
	read  = "notes:read"
	write = "notes:write"
)

// home is the address that clients of tests have.
var home = netip.MustParseAddr("192.0.2.7")

// ada may give all scopes.
var ada = apikey.Minter{ID: "ada", Scopes: []string{read, write}}

// site is a database that is set up, with a catalog and keys, behind a proxy that counts.
type site struct {
	url     string // the superuser's, past the proxy
	control *pgxpool.Pool
	catalog *tenantdb.Catalog
	keys    *apikey.Keys
	clock   *testclock.Clock
	proxy   *wire.Proxy
	tracer  *statements
}

func setUp(t testing.TB, change ...func(*apikey.Config)) site {
	t.Helper()
	made := sitetest.New(t)
	s := site{url: made.URL, clock: testclock.At(time.Now()), proxy: wire.NewProxy(t, made.URL), tracer: new(statements)}
	made.URL = s.proxy.URL(made.URL)
	s.control = made.Control(t, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = s.tracer })
	s.catalog = made.Catalog(t, s.control, tenantdb.CatalogConfig{OnPurge: apikey.Forget, GracePeriod: time.Nanosecond})
	s.keys = s.open(t, change...)
	return s
}

func (s site) config(change ...func(*apikey.Config)) apikey.Config {
	cfg := apikey.Config{
		Brand: "notes", Environment: "test", Scopes: []string{write, read, "notes:delete"},
		Now: s.clock.Now, LockTimeout: time.Minute, FlushEvery: time.Hour,
	}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// open opens the keys anew, as another process does, with other settings.
func (s site) open(t testing.TB, change ...func(*apikey.Config)) *apikey.Keys {
	t.Helper()
	keys, err := apikey.Open(t.Context(), s.control, s.config(change...))
	require.NoError(t, err)
	t.Cleanup(func() { _ = keys.Close() })
	return keys
}

func (s site) create(t testing.TB, slug tenant.Slug) tenant.Tenant {
	t.Helper()
	made, err := s.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: "Tenant " + string(slug)})
	require.NoError(t, err)
	return made
}

// mint makes a key that may read.
func (s site) mint(t testing.TB, in tenant.Tenant, change ...func(*apikey.NewKey)) (apikey.Key, string) {
	t.Helper()
	n := apikey.NewKey{Name: "nightly export", Scopes: []string{read}}
	for _, c := range change {
		c(&n)
	}
	key, secret, err := s.keys.Mint(t.Context(), in.ID, ada, n)
	require.NoError(t, err)
	return key, string(secret)
}

// told are the kinds of a tenant's events that are of this package.
func (s site) told(t testing.TB, in tenant.Tenant) (events []tenantdb.Event) {
	t.Helper()
	for e, err := range s.catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: in.ID}) {
		require.NoError(t, err)
		if strings.HasPrefix(string(e.Kind), "key.") {
			events = append(events, e)
		}
	}
	return events
}

// newFormat is the format of the keys of tests.
func newFormat(t testing.TB) apikey.Format {
	t.Helper()
	f, err := apikey.NewFormat("notes", "test")
	require.NoError(t, err)
	return f
}

// code is the code of an error, empty for none.
func code(err error) tenant.Code {
	var e *tenant.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// statements is a tracer that knows which statements about keys were sent.
type statements struct {
	mu    sync.Mutex
	texts []string
	delay atomic.Pointer[func(sql string)] // called behind a statement
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "tenantwall.api_key") {
		s.mu.Lock()
		s.texts = append(s.texts, data.SQL)
		s.mu.Unlock()
	}
	return context.WithValue(ctx, sqlKey{}, data.SQL)
}

func (s *statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	sql, _ := ctx.Value(sqlKey{}).(string)
	if f := s.delay.Load(); f != nil {
		(*f)(sql)
	}
}

type sqlKey struct{}

func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.texts
	s.texts = nil
	return taken
}

// forged is a key that is whole and was never made.
func forged(t testing.TB) string {
	t.Helper()
	key, err := apikey.Generate(newFormat(t), rand.Reader)
	require.NoError(t, err)
	return key
}
