package invite

// The package's statements. Every one that is about a tenant's thing carries the tenant.
// Unless a comment says something else, a statement finds its rows by an index, takes no
// lock that readers wait for, and runs in READ COMMITTED.

const tenantColumns = `t.id, t.slug, t.name, t.status, t.plan, t.version, t.created_at`

const memberColumns = `m.tenant_id, m.user_id, m.email, m.role, m.version, m.joined_at`

const invitationColumns = `i.id, i.tenant_id, i.email, i.role, i.invited_by, i.status, i.user_id, i.created_at, i.expires_at`

// sqlLockTenant makes all changes of one tenant's members and invitations take turns, and
// those of the tenant itself with them. NO KEY UPDATE lets others go on inserting rows that
// refer to the tenant, which FOR UPDATE would not. What is counted behind it must see what
// the one before has committed, and so needs the isolation level that it tells.
const sqlLockTenant = `
SELECT ` + tenantColumns + `, current_setting('transaction_isolation')
  FROM tenantwall.tenant t WHERE t.id = $1 FOR NO KEY UPDATE OF t`

const sqlMember = `
SELECT ` + memberColumns + ` FROM tenantwall.membership m WHERE m.tenant_id = $1 AND m.user_id = $2`

// sqlMembers is a page of at most $4 members of $1, behind the one who joined at $2 with
// the id $3. It sorts those that are left for each page.
const sqlMembers = `
SELECT ` + memberColumns + ` FROM tenantwall.membership m
 WHERE m.tenant_id = $1 AND ($2::timestamptz IS NULL OR (m.joined_at, m.user_id) > ($2, $3::text COLLATE "C"))
 ORDER BY m.joined_at, m.user_id LIMIT $4`

// sqlTenants is the first $2 tenants of the user $1.
const sqlTenants = `
SELECT ` + tenantColumns + `, m.role, m.version
  FROM tenantwall.membership m JOIN tenantwall.tenant t ON t.id = m.tenant_id
 WHERE m.user_id = $1 AND t.status <> 'deleted' ORDER BY t.slug LIMIT $2`

// sqlJoin adds a member of a tenant that is locked.
const sqlJoin = `
INSERT INTO tenantwall.membership AS m (tenant_id, user_id, email, role, joined_at) VALUES ($1, $2, $3, $4, $5)
RETURNING ` + memberColumns

const sqlEmailIsMember = `SELECT EXISTS (SELECT FROM tenantwall.membership WHERE tenant_id = $1 AND email = $2)`

// sqlLockUser makes the joins of one user to different tenants take turns, until the end of
// the transaction. It is taken behind the tenant's lock.
const sqlLockUser = `SELECT pg_catalog.pg_advisory_xact_lock(1952804472, pg_catalog.hashtext($1))`

// sqlInOtherTenant tells whether the user $1 belongs to a tenant other than $2.
const sqlInOtherTenant = `
SELECT EXISTS (
    SELECT FROM tenantwall.membership m JOIN tenantwall.tenant t ON t.id = m.tenant_id
     WHERE m.user_id = $1 AND m.tenant_id <> $2 AND t.status <> 'deleted')`

// sqlSetRole changes the role of a member of a tenant that is locked.
const sqlSetRole = `
UPDATE tenantwall.membership AS m SET role = $3, version = nextval('tenantwall.membership_version')
 WHERE m.tenant_id = $1 AND m.user_id = $2
RETURNING ` + memberColumns

const sqlRemove = `DELETE FROM tenantwall.membership WHERE tenant_id = $1 AND user_id = $2`

// sqlHasOtherOwner tells whether $1 has a member with the role $2 besides $3. It reads the
// members of one tenant until it finds one.
const sqlHasOtherOwner = `
SELECT EXISTS (SELECT FROM tenantwall.membership WHERE tenant_id = $1 AND role = $2 AND user_id <> $3)`

// sqlSeatsUsed counts the members of $1, and its invitations that are pending at $2 for
// other addresses than $3.
const sqlSeatsUsed = `
SELECT (SELECT count(*) FROM tenantwall.membership WHERE tenant_id = $1)
     + (SELECT count(*) FROM tenantwall.invitation
         WHERE tenant_id = $1 AND status = 'pending' AND expires_at > $2 AND email <> $3)`

const sqlInsertInvitation = `
INSERT INTO tenantwall.invitation AS i (id, tenant_id, email, role, invited_by, secret_hash, status, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8)
RETURNING ` + invitationColumns

const sqlInvitation = `
SELECT ` + invitationColumns + ` FROM tenantwall.invitation i WHERE i.tenant_id = $1 AND i.id = $2`

// sqlInvitations is a page of at most $5 invitations of $1, the newest first, behind the id
// $4: those that can be accepted at $2 when $3, and otherwise the rest.
const sqlInvitations = `
SELECT ` + invitationColumns + ` FROM tenantwall.invitation i
 WHERE i.tenant_id = $1 AND (i.status = 'pending' AND i.expires_at > $2) = $3 AND ($4 = '' OR i.id < $4)
 ORDER BY i.id DESC LIMIT $5`

// sqlPendingOf is the pending invitation of the address $2, expired or not.
const sqlPendingOf = `
SELECT ` + invitationColumns + ` FROM tenantwall.invitation i
 WHERE i.tenant_id = $1 AND i.email = $2 AND i.status = 'pending'`

// sqlBySecret finds an invitation by what is kept of its secret, and its tenant. It is the
// one statement without a tenant: who has a secret does not know whose it is.
const sqlBySecret = `
SELECT ` + invitationColumns + `, ` + tenantColumns + `
  FROM tenantwall.invitation i JOIN tenantwall.tenant t ON t.id = i.tenant_id
 WHERE i.secret_hash = $1`

// sqlAccept takes an invitation that can be accepted: with this secret, at this time.
const sqlAccept = `
UPDATE tenantwall.invitation AS i SET status = 'accepted', user_id = $5
 WHERE i.tenant_id = $1 AND i.id = $2 AND i.secret_hash = $3 AND i.status = 'pending' AND i.expires_at > $4
RETURNING ` + invitationColumns

// sqlRenew gives a pending invitation another secret and another time.
const sqlRenew = `
UPDATE tenantwall.invitation AS i SET secret_hash = $3, expires_at = $4, invited_by = $5
 WHERE i.tenant_id = $1 AND i.id = $2 AND i.status = 'pending'
RETURNING ` + invitationColumns

// sqlClose ends a pending invitation.
const sqlClose = `
UPDATE tenantwall.invitation SET status = $3 WHERE tenant_id = $1 AND id = $2 AND status = 'pending'`

// sqlForget removes the people of a tenant, in one trip. Requests go with their domain.
const sqlForget = `
WITH invitations AS (DELETE FROM tenantwall.invitation WHERE tenant_id = $1),
     domains AS (DELETE FROM tenantwall.mail_domain WHERE tenant_id = $1)
DELETE FROM tenantwall.membership WHERE tenant_id = $1`
