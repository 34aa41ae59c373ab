package tenantdb

// The catalog's statements. Unless a comment says something else, a statement finds its
// rows by an index, takes no lock that readers wait for, and runs in READ COMMITTED.

// tenantColumns is what scanTenant reads.
const tenantColumns = `t.id, t.slug, t.name, t.status, t.plan, t.version, t.created_at`

// sqlCatalogLogin tells who the pool's user is, what it may do, and which of the gateways
// $1 do not exist or are superusers. $2 is the control schema.
const sqlCatalogLogin = `
SELECT r.rolname, current_database(),
       coalesce((SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = $2), ''),
       r.rolsuper, r.rolcreaterole,
       has_database_privilege(current_database(), 'CREATE'),
       ARRAY(SELECT name FROM unnest($1::text[]) name WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)),
       ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1::text[]) AND rolsuper)
  FROM pg_roles r WHERE r.rolname = current_user`

const sqlTenantByID = `SELECT ` + tenantColumns + ` FROM tenantwall.tenant t WHERE t.id = $1`

// sqlTenantBySlug finds a tenant by any slug that it has or had.
const sqlTenantBySlug = `
SELECT ` + tenantColumns + `
  FROM tenantwall.slug s JOIN tenantwall.tenant t ON t.id = s.tenant_id
 WHERE s.slug = $1`

// sqlLockTenant makes the changes of one tenant take turns. NO KEY UPDATE lets others go
// on inserting rows that refer to the tenant.
const sqlLockTenant = sqlTenantByID + ` FOR NO KEY UPDATE`

// sqlReserve makes a tenant that is being provisioned, with its slug and its event: all or,
// when the id exists, nothing. It waits for a transaction that has inserted the same id or
// slug, and fails with a unique violation of slug_pkey when the slug is claimed. The event
// is made of what was claimed, so that it comes last and nobody waits for its lock who is
// waited for.
const sqlReserve = `
WITH made AS (
    INSERT INTO tenantwall.tenant AS t (id, slug, name, status, plan, version, created_at, updated_at)
    VALUES ($1, $2, $3, 'provisioning', $4, 1, $5, $5)
    ON CONFLICT (id) DO NOTHING
    RETURNING ` + tenantColumns + `
), claimed AS (
    INSERT INTO tenantwall.slug (slug, tenant_id, claimed_at) SELECT slug, id, $5 FROM made
    RETURNING tenant_id
), told AS (
    INSERT INTO tenantwall.event (tenant_id, kind, version, data, at)
    SELECT id, $6, version, $7, $5 FROM made JOIN claimed ON tenant_id = id
)
SELECT ` + tenantColumns + ` FROM made t`

// constraintSlug is the constraint that keeps a slug to one tenant.
const constraintSlug = "slug_pkey"

// sqlSlugOwner tells whose slug $1 is, and whether it is a reservation made before $2.
const sqlSlugOwner = `
SELECT t.id, t.status = 'provisioning' AND t.created_at <= $2
  FROM tenantwall.slug s JOIN tenantwall.tenant t ON t.id = s.tenant_id
 WHERE s.slug = $1`

// sqlRelease gives up the reservation $1, with its event, unless somebody is at work on it
// or it has become a tenant. It waits for nothing.
const sqlRelease = `
WITH reserved AS (
    SELECT ` + tenantColumns + ` FROM tenantwall.tenant t
     WHERE t.id = $1 AND t.status = 'provisioning'
       FOR UPDATE SKIP LOCKED
), unclaimed AS (
    DELETE FROM tenantwall.slug s USING reserved r WHERE s.tenant_id = r.id RETURNING s.tenant_id
), gone AS (
    DELETE FROM tenantwall.tenant t USING unclaimed u WHERE t.id = u.tenant_id RETURNING t.*
)
INSERT INTO tenantwall.event (tenant_id, kind, version, data, at)
SELECT id, $2, version, jsonb_build_object('before', jsonb_strip_nulls(jsonb_build_object('slug', slug, 'plan', nullif(plan, ''), 'status', status))), $3
  FROM gone`

// sqlActivate ends the provisioning of a tenant, whose row is locked.
const sqlActivate = `
UPDATE tenantwall.tenant AS t SET status = 'active', version = version + 1, updated_at = $2
 WHERE t.id = $1
RETURNING ` + tenantColumns

// sqlUpdate writes a changed tenant, whose row is locked. It changes no key that others
// refer to.
const sqlUpdate = `
UPDATE tenantwall.tenant AS t
   SET slug = $2, name = $3, status = $4, plan = $5, version = version + 1, updated_at = $6,
       deleted_at = CASE WHEN $4 = 'deleted' THEN $6::timestamptz END
 WHERE t.id = $1
RETURNING ` + tenantColumns

// sqlClaimSlug claims the slug $1 for the tenant $2 unless it is claimed, and waits for a
// transaction that has just claimed it.
const sqlClaimSlug = `
INSERT INTO tenantwall.slug (slug, tenant_id, claimed_at) VALUES ($1, $2, $3)
ON CONFLICT (slug) DO NOTHING`

// sqlTell writes an event. It waits for every transaction that has written one and is not
// over, so it is the last statement before the commit.
const sqlTell = `
INSERT INTO tenantwall.event (tenant_id, kind, version, data, at) VALUES ($1, $2, $3, $4, $5)`

// sqlList is a page of at most $3 tenants behind the id $1, of the statuses $2 or of all.
const sqlList = `
SELECT ` + tenantColumns + `
  FROM tenantwall.tenant t
 WHERE ($1::uuid IS NULL OR t.id > $1) AND ($2::text[] IS NULL OR t.status = ANY ($2))
 ORDER BY t.id LIMIT $3`

// sqlCount counts those that sqlList would list.
const sqlCount = `
SELECT count(*) FROM tenantwall.tenant t
 WHERE ($1::uuid IS NULL OR t.id > $1) AND ($2::text[] IS NULL OR t.status = ANY ($2))`

// sqlEvents is a page of at most $3 events behind the id $1, of the tenant $2 or of all.
const sqlEvents = `
SELECT id, tenant_id, kind, version, data, at
  FROM tenantwall.event
 WHERE id > $1 AND ($2::uuid IS NULL OR tenant_id = $2)
 ORDER BY id LIMIT $3`

// sqlLastEvent reads the end of the primary key's index.
const sqlLastEvent = `SELECT coalesce(max(id), 0) FROM tenantwall.event`

// sqlToPurge is at most $2 tenants that were deleted by the time $1 and still have data,
// the oldest first.
const sqlToPurge = `
SELECT id FROM tenantwall.tenant
 WHERE deleted_at <= $1 AND purged_at IS NULL
 ORDER BY deleted_at, id LIMIT $2`

// sqlLockToPurge locks a tenant that sqlToPurge found, unless another purge has it.
const sqlLockToPurge = sqlTenantByID + ` AND t.deleted_at <= $2 AND t.purged_at IS NULL FOR NO KEY UPDATE SKIP LOCKED`

// sqlRelations is at most $2 of the schema's tables and views, partitions before the
// tables that they belong to, each as what DROP takes.
const sqlRelations = `
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE ' ELSE 'TABLE ' END
       || 'IF EXISTS ' || format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY c.relispartition DESC, c.relkind = 'p', c.oid LIMIT $2`

// sqlLargeObjects is at most $2 of the large objects of the role $1.
const sqlLargeObjects = `
SELECT m.oid FROM pg_largeobject_metadata m JOIN pg_roles r ON r.oid = m.lomowner
 WHERE r.rolname = $1 LIMIT $2`

// sqlUnlink removes the large objects $1. It takes a lock for each.
const sqlUnlink = `SELECT lo_unlink(oid) FROM unnest($1::oid[]) oid`

// sqlPurged notes that nothing is left of a deleted tenant but its id and its slugs. Its
// row is locked.
const sqlPurged = `
UPDATE tenantwall.tenant AS t
   SET name = '', plan = '', version = version + 1, updated_at = $2, purged_at = $2
 WHERE t.id = $1
RETURNING ` + tenantColumns

// sqlMemberships is a page of at most $3 tenants behind the id $1 that have a role, each
// with those of the gateways $2 that are members of it. It reads all memberships of the
// gateways: some milliseconds for each thousand tenants.
const sqlMemberships = `
SELECT t.id, EXISTS (SELECT FROM tenantwall.own_login o WHERE o.tenant_id = t.id),
       ARRAY(SELECT g.rolname::text
               FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
              WHERE m.roleid = r.oid AND g.rolname = ANY ($2::text[]))
  FROM tenantwall.tenant t JOIN pg_roles r ON r.rolname = 't_' || replace(t.id::text, '-', '')
 WHERE t.status <> 'provisioning' AND t.purged_at IS NULL AND ($1::uuid IS NULL OR t.id > $1)
 ORDER BY t.id LIMIT $3`

const sqlHasOwnLogin = `SELECT EXISTS (SELECT FROM tenantwall.own_login WHERE tenant_id = $1)`

const sqlOwnLogin = `INSERT INTO tenantwall.own_login (tenant_id, role, created_at) VALUES ($1, $2, $3)`

const sqlForgetOwnLogin = `DELETE FROM tenantwall.own_login WHERE tenant_id = $1 RETURNING role, current_database()`

// sqlOtherMembers are the members of the role $1 that can become it, besides the login $2
// and control itself.
const sqlOtherMembers = `
SELECT DISTINCT g.rolname::text
  FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles g ON g.oid = m.member
 WHERE r.rolname = $1 AND g.rolname NOT IN ($2, current_user)`

// sqlTouch raises the version of a tenant, whose row is locked, for a change that is kept
// elsewhere.
const sqlTouch = `
UPDATE tenantwall.tenant AS t SET version = version + 1, updated_at = $2 WHERE t.id = $1
RETURNING ` + tenantColumns
