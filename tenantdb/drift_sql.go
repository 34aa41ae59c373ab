package tenantdb

// sqlLayouts are the schemas $1 as the catalog has them: for each, a text with a line for
// every object (what it is and its name, a tab, how it is defined), in which the schema's
// own name is left out, and the fingerprint of that text. The search_path must be empty,
// so that every name has its schema.
//
// It goes out from what depends on a schema, for pg_class has no index by schema, and to
// scan it for each of thousands of tenants would cost more than to migrate them. It waits
// for no lock. For a schema of five tables it takes 1 ms, and 2 more to be planned.
//
// Left out is what changes while a service runs, and what is not of the migrations' making:
// the ledger, partitions, the order of columns, who has which rights. A fingerprint begins
// with the version of this statement and of the server, as others print otherwise.
const sqlLayouts = `
WITH wanted AS MATERIALIZED (
    SELECT oid, nspname, quote_ident(nspname) || '.' AS prefix
      FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::name[])
), member AS MATERIALIZED (
    SELECT w.oid AS schema, d.classid, d.objid
      FROM wanted w JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = w.oid
), relation AS MATERIALIZED (
    SELECT m.schema, c.*
      FROM member m JOIN (SELECT oid, relname, relkind, relpersistence, relrowsecurity, relforcerowsecurity, reloptions, relispartition
                            FROM pg_catalog.pg_class) c ON c.oid = m.objid
     WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND NOT c.relispartition AND c.relname <> '` + ledgerName + `'
), type AS MATERIALIZED (
    SELECT m.schema, t.oid, t.typname, t.typtype, t.typrelid, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault
      FROM member m JOIN pg_catalog.pg_type t ON t.oid = m.objid
     WHERE m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
), line AS (
    SELECT schema,
           CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view'
                        WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE relkind::text END || ' ' || quote_ident(relname) AS object,
           concat_ws(' ',
               CASE relpersistence WHEN 'u' THEN 'unlogged' END,
               CASE WHEN relrowsecurity THEN 'row security' END, CASE WHEN relforcerowsecurity THEN 'forced' END,
               reloptions::text,
               CASE relkind
                   WHEN 'p' THEN 'partition by ' || pg_get_partkeydef(oid)
                   WHEN 'v' THEN pg_get_viewdef(oid)
                   WHEN 'm' THEN pg_get_viewdef(oid)
                   WHEN 'S' THEN (SELECT concat_ws(' ', format_type(seqtypid, NULL), 'start', seqstart, 'by', seqincrement, 'from', seqmin, 'to', seqmax, 'cache', seqcache, CASE WHEN seqcycle THEN 'cycle' END)
                                    FROM pg_catalog.pg_sequence WHERE seqrelid = oid)
               END) AS definition
      FROM relation
    UNION ALL
    SELECT x.schema, 'column ' || quote_ident(x.name) || '.' || quote_ident(a.attname),
           concat_ws(' ', format_type(a.atttypid, a.atttypmod),
               CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::pg_catalog.regcollation END,
               CASE WHEN a.attnotnull THEN 'not null' END,
               CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
               CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
               'default ' || pg_get_expr(f.adbin, f.adrelid))
      FROM (SELECT schema, oid, relname AS name FROM relation WHERE relkind <> 'S'
            UNION ALL SELECT schema, typrelid, typname FROM type WHERE typtype = 'c') x
      JOIN pg_catalog.pg_attribute a ON a.attrelid = x.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    UNION ALL
    SELECT r.schema, 'constraint ' || quote_ident(r.relname) || '.' || quote_ident(c.conname), pg_get_constraintdef(c.oid)
      FROM relation r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid AND c.conparentid = 0
     WHERE c.contype <> 'n' -- PostgreSQL 18's; the columns say it
    UNION ALL
    SELECT r.schema, 'index ' || quote_ident(c.relname), concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END)
      FROM relation r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    UNION ALL
    SELECT r.schema, 'trigger ' || quote_ident(r.relname) || '.' || quote_ident(g.tgname), pg_get_triggerdef(g.oid) || ' enabled ' || g.tgenabled::text
      FROM relation r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT r.schema, 'policy ' || quote_ident(r.relname) || '.' || quote_ident(p.polname),
           concat_ws(' ', p.polcmd::text, CASE WHEN NOT p.polpermissive THEN 'restrictive' END, p.polroles::pg_catalog.regrole[],
               'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
      FROM relation r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT m.schema, 'function ' || p.oid::pg_catalog.regprocedure,
           CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE 'sha256 ' || encode(sha256(convert_to(
               replace(pg_get_functiondef(p.oid), w.prefix, ''), 'UTF8')), 'hex') END
      FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid JOIN wanted w ON w.oid = m.schema
     WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    UNION ALL
    SELECT schema, 'type ' || quote_ident(typname),
           CASE typtype
               WHEN 'e' THEN (SELECT 'enum ' || string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                                FROM pg_catalog.pg_enum WHERE enumtypid = type.oid)
               WHEN 'd' THEN concat_ws(' ', 'domain', format_type(typbasetype, typtypmod), CASE WHEN typnotnull THEN 'not null' END, 'default ' || typdefault,
                   (SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname COLLATE "C")
                      FROM pg_catalog.pg_constraint WHERE contypid = type.oid AND contype <> 'n'))
               WHEN 'r' THEN 'range'
               WHEN 'c' THEN 'composite'
               ELSE typtype::text
           END
      FROM type
), layout AS (
    SELECT w.nspname AS schema, coalesce(string_agg(
               replace(replace(l.object, E'\n', ' ') || E'\t' || replace(l.definition, E'\n', ' '), w.prefix, ''),
               E'\n' ORDER BY l.object COLLATE "C", l.definition COLLATE "C"), '') AS layout
      FROM wanted w LEFT JOIN line l ON l.schema = w.oid
     GROUP BY w.oid, w.nspname
), printed AS (
    SELECT schema, layout, '1.' || current_setting('server_version_num')::int / 10000 || '.' || encode(sha256(convert_to(layout, 'UTF8')), 'hex') AS fingerprint
      FROM layout
)`
