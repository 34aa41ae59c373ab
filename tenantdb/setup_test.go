package tenantdb_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// site is a database of its own with the roles for Setup, whose names no other test has.
type site struct {
	t     testing.TB
	url   string // the superuser's
	roles tenantdb.Roles
}

func newSite(t testing.TB) *site {
	t.Helper()
	return &site{t: t, url: pgtest.Database(t), roles: tenantdb.Roles{
		Gateway: pgtest.Name(t, "gateway"), GatewayPassword: `it's \a 'secret'`,
		Control: pgtest.Name(t, "control"), ControlPassword: "control secret",
	}}
}

// setUp is a site after Setup.
func setUp(t testing.TB) *site {
	t.Helper()
	s := newSite(t)
	require.NoError(t, tenantdb.Setup(t.Context(), s.connect(s.url), s.roles))
	return s
}

func (s *site) connect(url string) *pgx.Conn {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), url)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// as is the URL of another user.
func (s *site) as(user, password string) string {
	s.t.Helper()
	u, err := url.Parse(s.url)
	require.NoError(s.t, err)
	u.User = url.UserPassword(user, password)
	return u.String()
}

func (s *site) gatewayURL() string { return s.as(s.roles.Gateway, s.roles.GatewayPassword) }
func (s *site) controlURL() string { return s.as(s.roles.Control, s.roles.ControlPassword) }

func (s *site) pool(url string) *pgxpool.Pool {
	s.t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	require.NoError(s.t, err)
	s.t.Cleanup(pool.Close)
	return pool
}

// exec runs statements as the superuser.
func (s *site) exec(sql string) {
	s.t.Helper()
	conn, err := pgx.Connect(context.Background(), s.url)
	require.NoError(s.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), sql)
	require.NoError(s.t, err, sql)
}

// owner makes a login that owns the database and may create roles, but is no superuser.
func (s *site) owner() *pgx.Conn {
	s.t.Helper()
	name := pgtest.Name(s.t, "owner")
	s.exec(fmt.Sprintf(`CREATE ROLE %s LOGIN CREATEROLE PASSWORD 'owner'; ALTER DATABASE %s OWNER TO %[1]s`, name, s.database()))
	return s.connect(s.as(name, "owner"))
}

func (s *site) database() string {
	u, err := url.Parse(s.url)
	require.NoError(s.t, err)
	return strings.TrimPrefix(u.Path, "/")
}

func TestSetupLeavesNothingToFind(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.NoError(t, err)
	assert.Empty(t, findings)
	s.connect(s.controlURL())
}

func TestSetupAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	before := s.state()
	roles := s.roles
	roles.GatewayPassword, roles.ControlPassword = "", "" // as they are
	require.NoError(t, tenantdb.Setup(t.Context(), s.connect(s.url), roles))
	assert.Equal(t, before, s.state())
	s.connect(s.gatewayURL())
	s.connect(s.controlURL())
}

// state is all that Setup may change.
func (s *site) state() (parts []string) {
	s.t.Helper()
	conn := s.connect(s.url)
	for _, sql := range []string{
		`SELECT a FROM pg_authid a WHERE rolname = ANY ($1) ORDER BY rolname`,
		`SELECT m FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (m.member, m.roleid) WHERE rolname = ANY ($1) ORDER BY m`,
		`SELECT d FROM pg_db_role_setting d JOIN pg_roles r ON r.oid = d.setrole WHERE rolname = ANY ($1) ORDER BY d`,
		`SELECT datacl FROM pg_database WHERE datname = current_database() AND $1 IS NOT NULL`,
		`SELECT proacl FROM pg_proc WHERE oid = 'pg_catalog.set_config(text,text,boolean)'::regprocedure AND $1 IS NOT NULL`,
		`SELECT proacl FROM pg_proc WHERE oid = 'pg_catalog.pg_prepared_statement()'::regprocedure AND $1 IS NOT NULL`,
		`SELECT (lanname, lanacl) FROM pg_language WHERE $1 IS NOT NULL ORDER BY lanname`,
		`SELECT (nspname, nspowner, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' AND $1 IS NOT NULL ORDER BY nspname`,
	} {
		rows, err := conn.Query(s.t.Context(), `SELECT x::text FROM (`+strings.Replace(sql, "$1", "$1::text[]", 1)+`) AS all_of (x)`, []string{s.roles.Gateway, s.roles.Control})
		require.NoError(s.t, err)
		part, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(s.t, err)
		parts = append(parts, part...)
	}
	return parts
}

func TestSetupTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	second := newSite(t) // another database of the same server, with the same roles
	second.roles = s.roles
	var all sync.WaitGroup
	for _, url := range []string{s.url, s.url, second.url, s.url, second.url} {
		conn := s.connect(url)
		all.Go(func() { assert.NoError(t, tenantdb.Setup(t.Context(), conn, s.roles)) })
	}
	all.Wait()
	for _, url := range []string{s.gatewayURL(), second.gatewayURL()} {
		_, err := tenantdb.Audit(t.Context(), s.connect(url))
		require.NoError(t, err)
	}
}

func TestSetupMakesAnotherGateway(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	roles := s.roles
	roles.Gateway = pgtest.Name(t, "second")
	require.NoError(t, tenantdb.Setup(t.Context(), s.connect(s.url), roles))
	for _, name := range []string{s.roles.Gateway, roles.Gateway} {
		_, err := tenantdb.Audit(t.Context(), s.connect(s.as(name, s.roles.GatewayPassword)))
		require.NoError(t, err, name)
	}
}

func TestSetupByAnOwnerWhoIsNoSuperuser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.owner()

	var audit *tenantdb.AuditError
	require.ErrorAs(t, tenantdb.Setup(t.Context(), owner, s.roles), &audit)
	assert.Equal(t, []string{"set_config_public", "language_public (warning)", "statements_public (warning)"}, codes(audit.Findings))

	require.NoError(t, tenantdb.Setup(t.Context(), owner, s.roles, tenantdb.AcceptUnrevokedSetConfig()))
	gateway := s.connect(s.gatewayURL())
	_, err := tenantdb.Audit(t.Context(), gateway)
	require.ErrorAs(t, err, &audit)
	findings, err := tenantdb.Audit(t.Context(), gateway, tenantdb.WithUnrevokedSetConfig())
	require.NoError(t, err)
	assert.Equal(t, []string{"set_config_public (warning)", "language_public (warning)", "statements_public (warning)"}, codes(findings))

	var control, member bool
	require.NoError(t, owner.QueryRow(t.Context(), `
		SELECT nspowner = $1::regrole, pg_has_role($1, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
		  FROM pg_namespace WHERE nspname = 'tenantwall'`, s.roles.Control).Scan(&control, &member))
	assert.True(t, control, "the schema belongs to control")
	assert.False(t, member, "the owner has left the role again")

	for _, f := range audit.Findings {
		s.exec(f.Fix) // as the provider might
	}
	findings, err = tenantdb.Audit(t.Context(), gateway)
	require.NoError(t, err)
	assert.Empty(t, findings)
}

func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	super, plain, strong := pgtest.Name(t, "super"), pgtest.Name(t, "plain"), pgtest.Name(t, "strong")
	s.exec(fmt.Sprintf(`CREATE ROLE %s SUPERUSER; CREATE ROLE %s LOGIN PASSWORD 'x'; CREATE ROLE %s BYPASSRLS CREATEROLE`, super, plain, strong))
	inTx := s.connect(s.url)
	_, err := inTx.Exec(t.Context(), `BEGIN`)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		conn  *pgx.Conn
		roles tenantdb.Roles
		want  string
	}{
		"no connection":                     {nil, s.roles, "conn is nil"},
		"a connection in a transaction":     {inTx, s.roles, "inside a transaction"},
		"a login that is no owner":          {s.connect(s.as(plain, "x")), s.roles, "neither a superuser nor the owner"},
		"one role for both":                 {nil, tenantdb.Roles{Gateway: "one", Control: "one"}, "conn is nil"},
		"gateway and control the same":      {s.connect(s.url), tenantdb.Roles{Gateway: "one", Control: "one"}, `both "one"`},
		"the owner as the gateway":          {s.connect(s.url), tenantdb.Roles{Gateway: "postgres"}, "connection's own"},
		"a superuser as the gateway":        {s.connect(s.url), tenantdb.Roles{Gateway: super, Control: s.roles.Control}, "is SUPERUSER"},
		"a superuser as control":            {s.connect(s.url), tenantdb.Roles{Gateway: s.roles.Gateway, Control: super}, "is SUPERUSER"},
		"powers for the gateway":            {s.connect(s.url), tenantdb.Roles{Gateway: strong, Control: s.roles.Control}, "is BYPASSRLS, CREATEROLE"},
		"a name that would be cut":          {s.connect(s.url), tenantdb.Roles{Gateway: strings.Repeat("g", 64)}, "64 bytes"},
		"a name of PostgreSQL's":            {s.connect(s.url), tenantdb.Roles{Gateway: "pg_read_all_data"}, "PostgreSQL's own"},
		"a name with a zero":                {s.connect(s.url), tenantdb.Roles{Control: "a\x00b"}, "without zeros"},
		"a tenant's name":                   {s.connect(s.url), tenantdb.Roles{Control: "t_0123456789abcdef0123456789abcdef"}, "that tenants' roles have"},
		"a password beyond printable ASCII": {s.connect(s.url), tenantdb.Roles{GatewayPassword: "schlüssel-secret"}, "printable ASCII"},
		"a password too long":               {s.connect(s.url), tenantdb.Roles{ControlPassword: strings.Repeat("secret", 200)}, "1200 characters"},
	} {
		err := tenantdb.Setup(t.Context(), test.conn, test.roles)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), test.want, name)
		assert.NotContains(t, err.Error(), "secret", name)
	}

	var made bool
	require.NoError(t, s.connect(s.url).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = ANY ($1))`,
		[]string{s.roles.Gateway, s.roles.Control}).Scan(&made))
	assert.False(t, made, "a refused Setup leaves nothing")
}

func TestSetupRefusesASchemaOfAnotherOwner(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(`CREATE SCHEMA tenantwall`)
	err := tenantdb.Setup(t.Context(), s.connect(s.url), s.roles)
	require.ErrorContains(t, err, `belongs to "postgres"`)
}

// The password is in no statement that the server sees, and so in no log of it.
func TestSetupSendsNoPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config, err := pgx.ParseConfig(s.url)
	require.NoError(t, err)
	var sent statementLog
	config.Tracer = &sent
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, tenantdb.Setup(t.Context(), conn, s.roles))
	require.Contains(t, strings.Join(sent, "\n"), "PASSWORD 'SCRAM-SHA-256$")
	assert.NotContains(t, strings.Join(sent, "\n"), "secret")
}

// statementLog keeps the statements of one connection.
type statementLog []string

func (l *statementLog) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	*l = append(*l, fmt.Sprint(data.SQL, data.Args))
	return ctx
}

func (*statementLog) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestSetupEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := tenantdb.Setup(ctx, s.connect(s.url), s.roles)
	require.ErrorIs(t, err, context.Canceled)
}
