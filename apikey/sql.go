package apikey

// The package's statements. Every one that is about a tenant's key carries the tenant, but
// for sqlLoad. Unless a comment says something else, a statement finds its rows by an index,
// takes no lock that readers wait for, and runs in READ COMMITTED.

const keyColumns = `k.id, k.tenant_id, k.name, k.scopes, k.allowed, k.metadata, k.secret_hash, k.pepper,
       k.created_by, k.created_at, k.expires_at, k.revoked_at, k.replaced_by, k.last_used_at`

// usable tells whether the key k is good at a time, which is to follow with a closing
// parenthesis.
const usable = `k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > `

// sqlLockTenant makes all changes of one tenant's keys take turns, and those of the tenant
// itself with them. NO KEY UPDATE lets others go on inserting rows that refer to the
// tenant. What is counted behind it must see what the one before has committed, and so needs
// READ COMMITTED, which the transaction asks for.
const sqlLockTenant = `
SELECT t.status, t.version FROM tenantwall.tenant t WHERE t.id = $1 FOR NO KEY UPDATE`

// sqlLoad finds a key by its id, and whether its tenant is active. It is the one statement
// without a tenant: who has a key does not say whose it is.
const sqlLoad = `
SELECT ` + keyColumns + `, t.status
  FROM tenantwall.api_key k JOIN tenantwall.tenant t ON t.id = k.tenant_id WHERE k.id = $1`

const sqlKey = `SELECT ` + keyColumns + ` FROM tenantwall.api_key k WHERE k.tenant_id = $1 AND k.id = $2`

// sqlKeys are all keys of $1. There are few, see sqlTrim.
const sqlKeys = `SELECT ` + keyColumns + ` FROM tenantwall.api_key k WHERE k.tenant_id = $1 ORDER BY k.created_at, k.id`

// sqlCount counts the keys of $1 that are good at $2: those that were not rotated, and those that were.
const sqlCount = `
SELECT count(*) FILTER (WHERE k.replaced_by IS NULL), count(*) FILTER (WHERE k.replaced_by IS NOT NULL)
  FROM tenantwall.api_key k WHERE k.tenant_id = $1 AND ` + usable + `$2)`

// sqlTrim forgets the keys of $1 that had ended by $2, all but the $3 newest of those that are
// no good.
const sqlTrim = `
DELETE FROM tenantwall.api_key d USING (
    SELECT k.id, row_number() OVER (ORDER BY k.created_at DESC, k.id DESC) AS place,
           least(k.revoked_at, k.expires_at) AS ended
      FROM tenantwall.api_key k WHERE k.tenant_id = $1 AND NOT (` + usable + `$4))) gone
 WHERE d.tenant_id = $1 AND d.id = gone.id AND (gone.ended < $2 OR gone.place > $3)`

const sqlInsert = `
INSERT INTO tenantwall.api_key AS k (id, tenant_id, name, scopes, allowed, metadata, secret_hash, pepper, created_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING ` + keyColumns

// sqlReplace ends a key at $4, or sooner if it ends sooner, in favour of $3; at once when it
// is revoked at $5.
const sqlReplace = `
UPDATE tenantwall.api_key SET replaced_by = $3, expires_at = least(expires_at, $4), revoked_at = $5
 WHERE tenant_id = $1 AND id = $2`

const sqlRevoke = `
UPDATE tenantwall.api_key SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`

// sqlRehash stores another hash of the same secret.
const sqlRehash = `
UPDATE tenantwall.api_key SET secret_hash = $3, pepper = $4 WHERE tenant_id = $1 AND id = $2 AND pepper = $5`

// sqlUsed writes down when keys were used, many at once. Rows are locked in one order, so
// that two processes do not wait for each other in a circle.
const sqlUsed = `
UPDATE tenantwall.api_key d SET last_used_at = s.at
  FROM (SELECT k.tenant_id, k.id, u.at
          FROM unnest($1::text[], $2::text[], $3::timestamptz[]) u (tenant_id, id, at)
          JOIN tenantwall.api_key k ON k.tenant_id = u.tenant_id::uuid AND k.id = u.id
         WHERE k.last_used_at IS NULL OR k.last_used_at < u.at
         ORDER BY k.id FOR NO KEY UPDATE OF k) s
 WHERE d.tenant_id = s.tenant_id AND d.id = s.id`

const sqlForget = `DELETE FROM tenantwall.api_key WHERE tenant_id = $1`
