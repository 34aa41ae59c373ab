package tenantdb

// sqlAudit looks at the login $1, or at the session's own when $1 is null, and returns a
// row for each thing that is not as it must be: a code of auditProblems, what it is about,
// and the SQL that mends it. At most 20 rows have the same code.
//
// It reads system catalogs alone, in one trip, takes no lock that anybody waits for, and
// costs some 50 ms for each thousand tenants of a few tables.
//
// A superuser and the owner of the control schema (control itself) get one row for what
// they are, and are not advised to give away what they own.
const sqlAudit = `
WITH db AS (
    SELECT oid, datname, datdba, datacl FROM pg_database WHERE datname = current_database()
), control AS (
    SELECT nspowner AS oid, pg_get_userbyid(nspowner) AS name FROM pg_namespace WHERE nspname = 'tenantwall'
), me AS (
    SELECT r.*, r.oid IN (SELECT oid FROM control) AS is_control
      FROM pg_roles r WHERE r.rolname = coalesce($1::name, session_user)
), login AS ( -- me, when it could be a gateway
    SELECT * FROM me WHERE NOT rolsuper AND NOT is_control
), granted AS ( -- what the login may become
    SELECT r.*, m.admin_option, (to_jsonb(m) ->> 'inherit_option')::boolean AS inherits, -- since PostgreSQL 16
           r.rolname ~ '^t_[0-9a-f]{32}$' AS is_tenant,
           login.rolname AS login,
           CASE WHEN current_setting('server_version_num')::int >= 160000
                THEN format(' GRANTED BY %I', pg_get_userbyid(m.grantor)) ELSE '' END AS granted_by
      FROM login JOIN pg_auth_members m ON m.member = login.oid JOIN pg_roles r ON r.oid = m.roleid
), tenant AS (
    SELECT DISTINCT oid, rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls
      FROM granted WHERE is_tenant
), owned AS ( -- here, or by the whole server; the array makes the index be used, row by row it would be tenants × objects
    SELECT pg_get_userbyid(d.refobjid) AS role, d.refobjid, pg_describe_object(d.classid, d.objid, 0) AS object
      FROM pg_shdepend d, db
     WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND d.dbid IN (0, db.oid)
       AND d.refobjid = ANY (ARRAY(SELECT oid FROM tenant UNION ALL SELECT oid FROM login))
       AND NOT (d.classid = 'pg_largeobject'::regclass AND d.refobjid IN (SELECT oid FROM tenant)) -- which any session may make
     LIMIT 40
), set_config AS (
    SELECT p.oid, a.grantee, pg_get_userbyid(a.grantee) AS name
      FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     WHERE p.oid = 'pg_catalog.set_config(text,text,boolean)'::regprocedure
), statements AS (
    SELECT a.grantee
      FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     WHERE p.oid = 'pg_catalog.pg_prepared_statement()'::regprocedure
), block AS ( -- languages that DO takes
    SELECT l.lanname, a.grantee
      FROM pg_language l, aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a
     WHERE l.lanpltrusted AND l.laninline <> 0
), in_database AS (
    SELECT a.grantee, a.privilege_type, pg_get_userbyid(a.grantee) AS name, db.datname
      FROM db, aclexplode(coalesce(db.datacl, acldefault('d', db.datdba))) a
     WHERE a.privilege_type IN ('CREATE', 'TEMPORARY')
), in_schema AS (
    SELECT n.nspname, n.nspname ~ '^t_[0-9a-f]{32}$' AS is_tenant, a.grantee, a.privilege_type,
           pg_get_userbyid(a.grantee) AS name, pg_get_userbyid(a.grantee) ~ '^t_[0-9a-f]{32}$' AS to_tenant,
           CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee_sql
      FROM pg_namespace n, aclexplode(n.nspacl) a
     WHERE a.grantee <> n.nspowner AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
), own_grants AS ( -- of the login, except those that it needs
    SELECT login.rolname, d.classid, d.objid, o.type, o.identity
      FROM login, db, pg_shdepend d, pg_identify_object(d.classid, d.objid, 0) o
     WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = login.oid AND d.deptype = 'a' AND d.dbid = db.oid
       AND NOT (d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT oid FROM set_config))
     LIMIT 20
), path AS ( -- where a session of the login without a tenant looks for tables
    SELECT CASE WHEN me.rolname = session_user
           THEN (SELECT reset_val FROM pg_settings WHERE name = 'search_path')
           ELSE coalesce((SELECT substr(c, length('search_path=') + 1)
                            FROM pg_db_role_setting s, unnest(s.setconfig) c
                           WHERE s.setrole = me.oid AND s.setdatabase IN (0, db.oid) AND c LIKE 'search\_path=%'
                           ORDER BY s.setdatabase DESC LIMIT 1), 'the default')
           END AS value, me.rolname, db.datname
      FROM me, db
)
SELECT 'login_is_superuser', rolname::text, CASE WHEN oid <> 10 THEN format('ALTER ROLE %I NOSUPERUSER;', rolname) ELSE '' END
  FROM me WHERE rolsuper
UNION ALL
SELECT 'login_is_control', rolname, '' FROM me WHERE is_control AND NOT rolsuper
UNION ALL
SELECT 'login_has_powers', p.keyword, format('ALTER ROLE %I NO%s;', rolname, p.keyword)
  FROM login, LATERAL (VALUES ('BYPASSRLS', rolbypassrls), ('CREATEROLE', rolcreaterole), ('CREATEDB', rolcreatedb),
                              ('REPLICATION', rolreplication)) AS p (keyword, has)
 WHERE p.has
UNION ALL
SELECT 'login_inherits', rolname, format('ALTER ROLE %I NOINHERIT;', rolname) FROM login WHERE rolinherit
UNION ALL
(SELECT 'login_inherits', rolname, format('GRANT %I TO %I WITH INHERIT FALSE%s;', rolname, login, granted_by)
   FROM granted WHERE inherits LIMIT 20)
UNION ALL
SELECT 'login_owns', object, format('REASSIGN OWNED BY %I TO CURRENT_USER;', role)
  FROM owned WHERE refobjid IN (SELECT oid FROM login)
UNION ALL
SELECT 'login_has_grants', type || ' ' || identity,
       CASE
       WHEN type IN ('table', 'view', 'materialized view', 'foreign table') THEN format('REVOKE ALL ON TABLE %s FROM %I;', identity, rolname)
       WHEN type = 'table column' THEN ''
       WHEN type IN ('sequence', 'schema', 'type', 'language', 'foreign-data wrapper', 'tablespace')
       THEN format('REVOKE ALL ON %s %s FROM %I;', upper(replace(type, '-', ' ')), identity, rolname)
       WHEN type = 'server' THEN format('REVOKE ALL ON FOREIGN SERVER %s FROM %I;', identity, rolname)
       WHEN type IN ('function', 'procedure', 'aggregate') THEN format('REVOKE ALL ON ROUTINE %s FROM %I;', identity, rolname)
       ELSE '' END
  FROM own_grants
UNION ALL
(SELECT 'login_is_member', rolname, format('REVOKE %I FROM %I%s;', rolname, login, granted_by) FROM granted WHERE NOT is_tenant LIMIT 20)
UNION ALL
SELECT 'control_reachable', c.name, ''
  FROM login, control c WHERE pg_has_role(login.oid, c.oid, 'MEMBER')
UNION ALL
SELECT 'path_not_empty', value, format('ALTER ROLE %I IN DATABASE %I SET search_path = '''';', rolname, datname)
  FROM path WHERE btrim(value, '" ') <> ''
UNION ALL
SELECT 'set_config_public', 'PUBLIC', concat_ws(E'\n', -- the logins have had it through PUBLIC alone, perhaps
           'REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;',
           format('GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO %I;', me.rolname),
           (SELECT format('GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO %I WITH GRANT OPTION;', name) FROM control))
  FROM set_config, me WHERE grantee = 0
UNION ALL
(SELECT 'set_config_tenant', name, format('REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM %I;', name)
   FROM set_config WHERE name ~ '^t_[0-9a-f]{32}$' LIMIT 20)
UNION ALL
SELECT 'set_config_missing', rolname, format('GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO %I;', rolname)
  FROM me, (SELECT DISTINCT oid FROM set_config) f WHERE NOT has_function_privilege(me.oid, f.oid, 'EXECUTE')
UNION ALL
(SELECT 'database_open', privilege_type || ' to ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE name END,
       format('REVOKE %s ON DATABASE %I FROM %s;', privilege_type, datname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(name) END)
   FROM in_database
  WHERE grantee = 0 OR grantee IN (SELECT oid FROM login) OR name ~ '^t_[0-9a-f]{32}$' LIMIT 20)
UNION ALL
(SELECT 'schema_create', nspname || ' to ' || grantee_sql, format('REVOKE CREATE ON SCHEMA %I FROM %s;', nspname, grantee_sql)
   FROM in_schema WHERE privilege_type = 'CREATE' AND (grantee = 0 OR to_tenant) LIMIT 20)
UNION ALL
SELECT 'schema_public', nspname, format('REVOKE USAGE ON SCHEMA %I FROM PUBLIC;', nspname)
  FROM in_schema WHERE privilege_type = 'USAGE' AND grantee = 0 AND nspname = 'public'
UNION ALL
SELECT 'language_public', lanname, concat_ws(E'\n', format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC;', lanname),
           (SELECT format('GRANT USAGE ON LANGUAGE %I TO %I;', lanname, name) FROM control))
  FROM block WHERE grantee = 0
UNION ALL
SELECT 'statements_public', 'pg_prepared_statement()', 'REVOKE EXECUTE ON FUNCTION pg_catalog.pg_prepared_statement() FROM PUBLIC;'
  FROM statements WHERE grantee = 0
UNION ALL
(SELECT 'schema_crossed', nspname || ' to ' || grantee_sql, format('REVOKE ALL ON SCHEMA %I FROM %s;', nspname, grantee_sql)
   FROM in_schema
  WHERE privilege_type = 'USAGE'
    AND (is_tenant AND (grantee = 0 OR to_tenant AND name <> nspname)
         OR nspname = 'tenantwall' AND (grantee = 0 OR to_tenant)) LIMIT 20)
UNION ALL
SELECT 'tenant_owns', role || ' owns ' || object, format('REASSIGN OWNED BY %I TO %s;', role, coalesce((SELECT quote_ident(name) FROM control), 'CURRENT_USER'))
  FROM owned WHERE refobjid IN (SELECT oid FROM tenant)
UNION ALL
(SELECT 'tenant_is_member', tenant.rolname || ' of ' || pg_get_userbyid(m.roleid),
        format('REVOKE %I FROM %I%s;', pg_get_userbyid(m.roleid), tenant.rolname,
            CASE WHEN current_setting('server_version_num')::int >= 160000
                 THEN format(' GRANTED BY %I', pg_get_userbyid(m.grantor)) ELSE '' END)
   FROM tenant JOIN pg_auth_members m ON m.member = tenant.oid LIMIT 20)
UNION ALL
(SELECT 'tenant_has_powers', tenant.rolname || ' ' || p.keyword, format('ALTER ROLE %I NO%s;', tenant.rolname, p.keyword)
   FROM tenant, LATERAL (VALUES ('SUPERUSER', rolsuper), ('BYPASSRLS', rolbypassrls), ('CREATEROLE', rolcreaterole),
                                ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication), ('LOGIN', rolcanlogin)) AS p (keyword, has)
  WHERE p.has LIMIT 20)
UNION ALL
(SELECT 'tenant_admin_option', rolname, format('REVOKE ADMIN OPTION FOR %I FROM %I%s;', rolname, login, granted_by)
   FROM granted WHERE is_tenant AND admin_option LIMIT 20)
UNION ALL
SELECT 'many_memberships', count(*)::text, '' FROM tenant
HAVING count(*) > 2000 AND current_setting('server_version_num')::int < 180000`
