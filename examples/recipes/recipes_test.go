package recipes_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/fstest"

	stdgin "github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	stdgrpc "google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tenantwall/tenantwall/examples/internal/oidctest"
	"github.com/tenantwall/tenantwall/examples/recipes/bun"
	"github.com/tenantwall/tenantwall/examples/recipes/chi"
	"github.com/tenantwall/tenantwall/examples/recipes/connectrpc"
	"github.com/tenantwall/tenantwall/examples/recipes/echo"
	"github.com/tenantwall/tenantwall/examples/recipes/ent"
	"github.com/tenantwall/tenantwall/examples/recipes/gin"
	"github.com/tenantwall/tenantwall/examples/recipes/goose"
	"github.com/tenantwall/tenantwall/examples/recipes/gorm"
	"github.com/tenantwall/tenantwall/examples/recipes/grpc"
	"github.com/tenantwall/tenantwall/examples/recipes/huma"
	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1/notesv1connect"
	"github.com/tenantwall/tenantwall/examples/recipes/oidc"
	"github.com/tenantwall/tenantwall/examples/recipes/servemux"
	"github.com/tenantwall/tenantwall/examples/recipes/sqlc"
	"github.com/tenantwall/tenantwall/examples/recipes/sqlx"
	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestMain(m *testing.M) {
	stdgin.SetMode(stdgin.ReleaseMode) // or it tells of its routes
	pgtest.Main(m)
}

// served are the recipes that have clients.
var served = map[string]func(t *testing.T, s site) Notes{
	"servemux": func(t *testing.T, s site) Notes { return overHTTP(t, servemux.New(s.catalog, s.store(), s.log)) },
	"chi":      func(t *testing.T, s site) Notes { return overHTTP(t, chi.New(s.catalog, s.store(), s.log)) },
	"gin":      func(t *testing.T, s site) Notes { return overHTTP(t, gin.New(s.catalog, s.store(), s.log)) },
	"echo":     func(t *testing.T, s site) Notes { return overHTTP(t, echo.New(s.catalog, s.store(), s.log)) },
	"huma":     func(t *testing.T, s site) Notes { return overHTTP(t, huma.New(s.catalog, s.store(), s.log)) },
	"oidc":     overOIDC,
	"connect":  overConnect,
	"grpc":     overGRPC,
}

func TestEachRecipeKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	recipes := map[string]func(t *testing.T, s site) Notes{
		"sqlc": func(_ *testing.T, s site) Notes { return sqlc.New(s.db) },
		"sqlx": func(t *testing.T, s site) Notes { return closing(t, sqlx.New(s.db)) },
		"bun":  func(t *testing.T, s site) Notes { return closing(t, bun.New(s.db)) },
		"ent":  func(t *testing.T, s site) Notes { return closing(t, ent.New(s.db)) },
		"gorm": func(t *testing.T, s site) Notes {
			n, err := gorm.New(s.db)
			require.NoError(t, err)
			return closing(t, n)
		},
	}
	maps.Copy(recipes, served)
	for name, open := range recipes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUp(t, notes.Migrations())
			prove(t, s, open(t, s))
		})
	}
}

// A client is told that something went wrong; the log is told what.
func TestEachRecipeLogsWhatItsClientIsNotTold(t *testing.T) {
	t.Parallel()
	for name, open := range served {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUp(t, fstest.MapFS{"0001_other.sql": {Data: []byte(`CREATE TABLE other ()`)}}) // and no table note
			var log safeBuffer
			s.log = slog.New(slog.NewTextHandler(&log, nil))
			err := open(t, s).Add(tenant.NewContext(t.Context(), s.acme), "x")
			require.Error(t, err)
			require.NotContains(t, err.Error(), "note", "the name of a table")
			require.Contains(t, log.String(), "does not exist (SQLSTATE 42P01)")
		})
	}
}

// safeBuffer may be written to by several goroutines.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestFilesOfGooseAreMigrationsOfTenants(t *testing.T) {
	t.Parallel()
	s := setUp(t, goose.Migrations())
	prove(t, s, sqlc.New(s.db))
	ctx := tenant.NewContext(t.Context(), s.acme)
	require.NoError(t, sqlc.New(s.db).Add(ctx, "  trimmed  "))
	titles, err := sqlc.New(s.db).Titles(ctx)
	require.NoError(t, err)
	require.Contains(t, titles, "trimmed", "the trigger that the second file makes")
}

// A recipe that puts all tenants into one table must be found out, or the test above says
// nothing.
func TestProofFindsATableThatAllTenantsShare(t *testing.T) {
	t.Parallel()
	leaky := &shared{}
	s := site{
		acme: tenant.Tenant{ID: tenant.NewID(), Slug: "acme", Status: tenant.StatusActive},
		beta: tenant.Tenant{ID: tenant.NewID(), Slug: "beta", Status: tenant.StatusActive},
	}
	require.NotEmpty(t, problems(t.Context(), s, leaky))
}

// site is a database with two tenants.
type site struct {
	catalog    *tenantdb.Catalog
	db         *tenantdb.DB
	log        *slog.Logger
	acme, beta tenant.Tenant
}

func (s site) store() notes.Store { return notes.Store{DB: s.db} }

func setUp(t *testing.T, migrations fs.FS) (s site) {
	t.Helper()
	few := func(cfg *pgxpool.Config) { cfg.MaxConns = 3 } // fewer than callers, so that the tenants take turns on each
	made := sitetest.New(t)
	s.catalog = made.Catalog(t, made.Control(t, few), tenantdb.CatalogConfig{Migrations: migrations})
	s.db = made.DB(t, few)
	s.log = slog.New(slog.DiscardHandler)
	for slug, created := range map[tenant.Slug]*tenant.Tenant{"acme": &s.acme, "beta": &s.beta} {
		var err error
		*created, err = s.catalog.Create(t.Context(), tenantdb.NewTenant{Slug: slug, Name: string(slug)})
		require.NoError(t, err)
	}
	return s
}

// closing is n, which the end of the test closes.
func closing[N interface {
	Notes
	Close() error
}](t *testing.T, n N) Notes {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

func overHTTP(t *testing.T, h http.Handler) Notes {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := httpClient{server.URL, server.Client(), byHeader}
	c.checkProblems(t)
	return c
}

// overOIDC is the service for those who have a token of the tenant, which is the only thing
// that names it.
func overOIDC(t *testing.T, s site) Notes {
	t.Helper()
	provider := oidctest.New(t)
	verifier, err := oidc.NewProvider(context.WithoutCancel(t.Context()), provider.Config())
	require.NoError(t, err)
	t.Cleanup(verifier.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes", s.store().List)
	mux.HandleFunc("POST /notes", s.store().Create)
	server := httptest.NewServer(oidc.NewHandler(s.catalog, "example.com", verifier.Verify, mux, s.log))
	t.Cleanup(server.Close)
	return httpClient{server.URL, server.Client(), func(r *http.Request, of tenant.Tenant) {
		r.Host = "example.com"
		r.Header.Set("Authorization", "Bearer "+provider.Token(t, "k1", jwt.MapClaims{"org_id": of.ID.String()}))
	}}
}

func overConnect(t *testing.T, s site) Notes {
	t.Helper()
	h, err := connectrpc.New(s.catalog, s.store(), s.log)
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return connectClient{notesv1connect.NewNotesClient(server.Client(), server.URL)}
}

func overGRPC(t *testing.T, s site) Notes {
	t.Helper()
	server, err := grpc.New(s.catalog, s.store(), s.log)
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := stdgrpc.NewClient(listener.Addr().String(), stdgrpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		server.Stop()
		require.NoError(t, <-served)
	})
	return grpcClient{notesv1.NewNotesClient(conn)}
}
