package tenantdb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// codes are those of findings, with a mark for warnings.
func codes(findings []tenantdb.Finding) []string {
	var codes []string
	for _, f := range findings {
		if f.Warning {
			codes = append(codes, f.Code+" (warning)")
		} else {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// Each thing that is wrong is found, told with what it is about, and mended by its SQL.
func TestAuditFindsAndMends(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		broken string // {gateway}, {control}, {tenant}, {other}, {database} and {role} are names
		code   string
		told   string
	}{
		{`ALTER ROLE {gateway} SUPERUSER`, "login_is_superuser", "{gateway}"},
		{`ALTER ROLE {gateway} BYPASSRLS`, "login_has_powers", "BYPASSRLS"},
		{`ALTER ROLE {gateway} CREATEROLE CREATEDB REPLICATION`, "login_has_powers", "CREATEDB, CREATEROLE, REPLICATION"},
		{`CREATE TABLE tenantwall.owned (); ALTER TABLE tenantwall.owned OWNER TO {gateway}`, "login_owns", "table tenantwall.owned"},
		{`CREATE SCHEMA owned AUTHORIZATION {gateway}`, "login_owns", "schema owned"},
		{`GRANT SELECT ON {tenant}.note TO {gateway}`, "login_has_grants", "table {tenant}.note"},
		{`GRANT SELECT (id) ON {tenant}.note TO {gateway}`, "login_has_grants", "table {tenant}.note"},
		{`GRANT USAGE ON SCHEMA tenantwall TO {gateway}`, "login_has_grants", "schema tenantwall"},
		{`GRANT USAGE ON SEQUENCE {tenant}.number TO {gateway}`, "login_has_grants", "sequence {tenant}.number"},
		{`GRANT EXECUTE ON FUNCTION {tenant}.notes() TO {gateway}`, "login_has_grants", "function {tenant}.notes()"},
		{`CREATE TYPE tenantwall.mood AS ENUM (); GRANT USAGE ON TYPE tenantwall.mood TO {gateway}`, "login_has_grants", "type tenantwall.mood"},
		{`CREATE FOREIGN DATA WRAPPER {role}; GRANT USAGE ON FOREIGN DATA WRAPPER {role} TO {gateway}`, "login_has_grants", "foreign-data wrapper {role}"},
		{`GRANT USAGE ON LANGUAGE plpgsql TO {gateway}`, "login_has_grants", "language plpgsql"},
		{`CREATE ROLE {role}; GRANT {role} TO {gateway}`, "login_is_member", "{role}"},
		{`GRANT pg_read_all_data TO {gateway}`, "login_is_member", "pg_read_all_data"},
		{`ALTER ROLE {gateway} IN DATABASE {database} SET search_path = public`, "path_not_empty", "public"},
		{`ALTER ROLE {gateway} IN DATABASE {database} RESET search_path`, "path_not_empty", `"$user", public`},
		{`GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC`, "set_config_public", "PUBLIC"},
		{`GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO {tenant}`, "set_config_tenant", "{tenant}"},
		{`REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM {gateway}`, "set_config_missing", "{gateway}"},
		{`GRANT TEMPORARY ON DATABASE {database} TO PUBLIC`, "database_open", "TEMPORARY to PUBLIC"},
		{`GRANT CREATE ON DATABASE {database} TO {gateway}`, "database_open", "CREATE to {gateway}"},
		{`GRANT TEMPORARY ON DATABASE {database} TO {tenant}`, "database_open", "TEMPORARY to {tenant}"},
		{`GRANT CREATE ON SCHEMA public TO PUBLIC`, "schema_create", "public to PUBLIC"},
		{`GRANT CREATE ON SCHEMA {tenant} TO {tenant}`, "schema_create", "{tenant} to {tenant}"},
		{`GRANT USAGE ON SCHEMA public TO PUBLIC`, "schema_public (warning)", "public"},
		{`GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC`, "language_public (warning)", "plpgsql"},
		{`GRANT EXECUTE ON FUNCTION pg_catalog.pg_prepared_statement() TO PUBLIC`, "statements_public (warning)", "pg_prepared_statement()"},
		{`GRANT USAGE ON SCHEMA {tenant} TO {other}`, "schema_crossed", "{tenant} to {other}"},
		{`GRANT USAGE ON SCHEMA {tenant} TO PUBLIC`, "schema_crossed", "{tenant} to PUBLIC"},
		{`GRANT USAGE ON SCHEMA tenantwall TO PUBLIC`, "schema_crossed", "tenantwall to PUBLIC"},
		{`GRANT USAGE ON SCHEMA tenantwall TO {tenant}`, "schema_crossed", "tenantwall to {tenant}"},
		{`ALTER TABLE {tenant}.note OWNER TO {tenant}`, "tenant_owns", "{tenant} owns table {tenant}.note"},
		{`GRANT {other} TO {tenant}`, "tenant_is_member", "{tenant} of {other}"},
		{`ALTER ROLE {tenant} LOGIN`, "tenant_has_powers", "{tenant} LOGIN"},
		{`ALTER ROLE {tenant} BYPASSRLS CREATEROLE`, "tenant_has_powers", "{tenant} BYPASSRLS, {tenant} CREATEROLE"},
		{`GRANT {tenant} TO {gateway} WITH ADMIN OPTION`, "tenant_admin_option", "{tenant}"},
	} {
		t.Run(test.broken, func(t *testing.T) {
			t.Parallel()
			s := setUp(t)
			catalog := s.catalog()
			names := strings.NewReplacer(
				"{gateway}", s.roles.Gateway, "{control}", s.roles.Control, "{database}", s.database(), "{role}", pgtest.Name(t, "role"),
				"{tenant}", tenantdb.SchemaName(created(t, catalog, "acme-corp").ID), "{other}", tenantdb.SchemaName(created(t, catalog, "other").ID))
			s.exec(names.Replace(test.broken))

			findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
			require.Equal(t, []string{test.code}, codes(findings), "%v", findings)
			assert.Contains(t, findings[0].Problem, names.Replace(test.told))
			if findings[0].Warning {
				require.NoError(t, err)
			} else {
				var audit *tenantdb.AuditError
				require.ErrorAs(t, err, &audit)
				assert.Equal(t, findings, audit.Findings)
				assert.Contains(t, err.Error(), findings[0].Problem)
				assert.Contains(t, err.Error(), strings.Split(findings[0].Fix, "\n")[0])
			}

			s.exec(findings[0].Fix)
			findings, err = tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
			require.NoError(t, err)
			assert.Empty(t, findings)
		})
	}
}

func TestAuditOfALoginThatInherits(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	s.exec(`ALTER ROLE ` + s.roles.Gateway + ` INHERIT`)
	created(t, catalog, "acme-corp") // from PostgreSQL 16 on, its grant keeps what the role was then
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.Error(t, err)
	require.Equal(t, []string{"login_inherits"}, codes(findings))
	s.exec(findings[0].Fix)
	findings, err = tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.NoError(t, err)
	assert.Empty(t, findings)
}

// Membership in control is two findings with one remedy.
func TestAuditOfALoginThatReachesControl(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog()
	tenantRole := tenantdb.SchemaName(created(t, catalog, "acme-corp").ID)
	s.exec(fmt.Sprintf(`GRANT %s TO %s`, s.roles.Control, s.roles.Gateway))
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.Error(t, err)
	require.Equal(t, []string{"login_is_member", "control_reachable"}, codes(findings))
	s.exec(findings[0].Fix)

	if s.version() < 160000 { // from 16 on, control is itself the member that may grant the role
		s.exec(fmt.Sprintf(`GRANT %s TO %s`, s.roles.Control, tenantRole))
		findings, err = tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
		require.Error(t, err)
		require.Equal(t, []string{"control_reachable", "tenant_is_member"}, codes(findings))
		s.exec(findings[1].Fix)
	}
	findings, err = tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.NoError(t, err)
	assert.Empty(t, findings)
}

func (s *site) version() (version int) {
	s.t.Helper()
	require.NoError(s.t, s.connect(s.url).QueryRow(s.t.Context(), `SELECT current_setting('server_version_num')::int`).Scan(&version))
	return version
}

// A login that is something else than a gateway is told so, and not how to give away what
// it owns.
func TestAuditOfOtherLogins(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	created(t, s.catalog(), "acme-corp")
	for url, want := range map[string][]string{
		s.controlURL(): {"login_is_control", "path_not_empty"},
		s.url:          {"login_is_superuser", "path_not_empty"},
	} {
		findings, err := tenantdb.Audit(t.Context(), s.connect(url))
		require.Error(t, err)
		assert.Equal(t, want, codes(findings))
		assert.Empty(t, findings[0].Fix)
	}
}

func TestAuditTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(fmt.Sprintf(`CREATE ROLE %s LOGIN CREATEDB PASSWORD 'g'`, s.roles.Gateway))
	_, err := tenantdb.Audit(t.Context(), s.connect(s.as(s.roles.Gateway, "g")))
	var audit *tenantdb.AuditError
	require.ErrorAs(t, err, &audit)
	assert.Equal(t, []string{"login_has_powers", "login_inherits", "path_not_empty", "set_config_public", "database_open", "schema_public (warning)",
		"language_public (warning)", "statements_public (warning)"}, codes(audit.Findings))
	for _, f := range audit.Findings {
		assert.Contains(t, err.Error(), f.Problem)
		s.exec(f.Fix)
	}
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.as(s.roles.Gateway, "g")))
	require.NoError(t, err)
	assert.Empty(t, findings)
}

// Without roles the login itself reaches all tenants, so only its path and what it could
// do to the server count.
func TestAuditWithoutRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	app := pgtest.Name(t, "app")
	s.exec(fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD 'app'; CREATE SCHEMA its AUTHORIZATION %[1]s`, app))
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.as(app, "app")), tenantdb.WithoutRoles())
	require.Error(t, err)
	assert.Equal(t, []string{"path_not_empty", "database_open (warning)", "schema_public (warning)"}, codes(findings))
	s.exec(findings[0].Fix)
	_, err = tenantdb.Audit(t.Context(), s.connect(s.as(app, "app")), tenantdb.WithoutRoles())
	require.NoError(t, err)
}

func TestAuditWarnsOfManyMemberships(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	if s.version() >= 180000 {
		t.Skip("PostgreSQL 18 has mended it")
	}
	// Memberships that no role has granted are what a test can make 2,001 of, in a moment.
	s.exec(fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..2001 LOOP
		EXECUTE format('CREATE ROLE %%I', 't_' || md5('%s' || i)); EXECUTE format('GRANT %%I TO %[1]s', 't_' || md5('%[1]s' || i)); END LOOP; END $$`, s.roles.Gateway))
	findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.NoError(t, err)
	require.Equal(t, []string{"many_memberships (warning)"}, codes(findings))
	assert.Contains(t, findings[0].Problem, "2001 roles")
}

func TestAuditOfABrokenConnectionIsNoFinding(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	conn := s.connect(s.gatewayURL())
	require.NoError(t, conn.Close(t.Context()))
	_, err := tenantdb.Audit(t.Context(), conn)
	require.ErrorContains(t, err, "audit roles and grants")
	var audit *tenantdb.AuditError
	assert.NotErrorAs(t, err, &audit)
}
