package ledger

// The package's statements. Every one that is about a tenant's thing carries the tenant.
// Unless a comment says something else, a statement finds its rows by an index, takes no
// lock that readers wait for, and runs in READ COMMITTED.

// sqlPlan is the plan $1 as it is in force, in what that of the tenant $2 differs, and the
// revision of both. It is one snapshot, and always one row.
const sqlPlan = `
SELECT r.number, coalesce(p.version, 0), p.plan, o.override
  FROM tenantwall.quota_revision r
  LEFT JOIN LATERAL (SELECT version, plan FROM tenantwall.quota_plan WHERE name = $1 ORDER BY version DESC LIMIT 1) p ON true
  LEFT JOIN tenantwall.quota_override o ON o.tenant_id = $2`

// sqlRevise makes all changes of plans take turns, until the end of the transaction, and
// has every process read plans anew that were changed behind it.
const sqlRevise = `UPDATE tenantwall.quota_revision SET number = number + 1`

const sqlLatest = `
SELECT version, plan FROM tenantwall.quota_plan WHERE name = $1 ORDER BY version DESC LIMIT 1`

const sqlPutPlan = `INSERT INTO tenantwall.quota_plan (name, version, plan, made_at) VALUES ($1, $2, $3, $4)`

// sqlVersion is one state of a plan, the one in force when $2 is 0.
const sqlVersion = `
SELECT name, version, plan, made_at FROM tenantwall.quota_plan
 WHERE name = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1`

// sqlPlans is the plans in force. It reads all their states: there are few.
const sqlPlans = `
SELECT DISTINCT ON (name) name, version, plan, made_at FROM tenantwall.quota_plan ORDER BY name, version DESC`

// sqlLockTenant makes the changes of a tenant take turns, as the catalog and package invite
// do, so that a seat is given by the limit from before a change of it or from after.
const sqlLockTenant = `SELECT status, version FROM tenantwall.tenant WHERE id = $1 FOR NO KEY UPDATE`

const sqlOverride = `SELECT override FROM tenantwall.quota_override WHERE tenant_id = $1`

const sqlSetOverride = `
INSERT INTO tenantwall.quota_override (tenant_id, override, changed_at) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id) DO UPDATE SET override = excluded.override, changed_at = excluded.changed_at`

const sqlClearOverride = `DELETE FROM tenantwall.quota_override WHERE tenant_id = $1`

// sqlAdd adds $1 to $5 to what was used. Uses of a tenant whose data are gone are nobody's to
// pay. Rows are taken in one order, so that writers wait for each other but never in a
// circle. A sum may be below 0 while what was given back is written before what was taken, by
// another process; and for good, when that has crashed.
const (
	sqlAdd = addUses + addOrder

	addUses = `
    INSERT INTO tenantwall.quota_used AS u (tenant_id, name, period_start, period_end, used)
    SELECT n.tenant_id, n.name, n.period_start, n.period_end, n.used
      FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[]) n (tenant_id, name, period_start, period_end, used)
      JOIN tenantwall.tenant t ON t.id = n.tenant_id AND t.purged_at IS NULL`
	addOrder = `
     ORDER BY n.tenant_id, n.period_end, n.period_start, n.name
    ON CONFLICT (tenant_id, period_end, period_start, name) DO UPDATE SET used = least(greatest(u.used::numeric + excluded.used, -9e18), 9e18)`
)

// sqlWrite does that once for the batch $7 of the writer $6, and not again: it tells how many
// batches are added by it, 0 or 1. With nothing to add it only says that the batch is there.
const sqlWrite = `
WITH batch AS (
    INSERT INTO tenantwall.quota_writer AS w (id, batch, written_at) VALUES ($6, $7, $8)
    ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, written_at = excluded.written_at WHERE w.batch < excluded.batch
    RETURNING 1
), added AS (` + addUses + `
     WHERE EXISTS (SELECT FROM batch)` + addOrder + `
)
SELECT count(*) FROM batch`

// sqlUsed is what a tenant has used by the batches that are added, and the number of the
// last one of the writer $5, as one snapshot.
const sqlUsed = `
SELECT coalesce((SELECT used FROM tenantwall.quota_used
                  WHERE tenant_id = $1 AND name = $2 AND period_start = $3 AND period_end = $4), 0),
       coalesce((SELECT batch FROM tenantwall.quota_writer WHERE id = $5), 0)`

// sqlForgetWriters forgets those who have written nothing since $1.
const sqlForgetWriters = `DELETE FROM tenantwall.quota_writer WHERE written_at < $1`

// sqlUsage is a page of at most $8 uses of $1, or of all tenants when it is NULL, in periods
// that end after $2 and up to $3, behind the row ($4, $5, $6, $7).
const sqlUsage = `
SELECT tenant_id, name, period_start, period_end, greatest(used, 0) FROM tenantwall.quota_used
 WHERE ($1::uuid IS NULL OR tenant_id = $1)
   AND ($2::timestamptz IS NULL OR period_end > $2) AND ($3::timestamptz IS NULL OR period_end <= $3)
   AND ($4::timestamptz IS NULL OR (period_end, tenant_id, period_start, name) > ($4, $5::uuid, $6::timestamptz, $7::text COLLATE "C"))
 ORDER BY period_end, tenant_id, period_start, name LIMIT $8`

// sqlForget removes what is kept of a tenant, in one trip.
const sqlForget = `
WITH override AS (DELETE FROM tenantwall.quota_override WHERE tenant_id = $1)
DELETE FROM tenantwall.quota_used WHERE tenant_id = $1`
