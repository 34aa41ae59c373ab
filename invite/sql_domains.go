package invite

// The statements about domains, as those of sql.go.

const domainColumns = `d.tenant_id, d.name, d.role, d.on_request, d.challenge, d.verified_at, d.created_at`

// sqlAddDomain adds a domain of a tenant that is locked, or changes the rule of one that it
// has, unless it would have more than $7.
const sqlAddDomain = `
INSERT INTO tenantwall.mail_domain AS d (tenant_id, name, role, on_request, challenge, created_at)
SELECT $1, $2, $3, $4, $5, $6
 WHERE (SELECT count(*) FROM tenantwall.mail_domain WHERE tenant_id = $1 AND name <> $2) < $7
ON CONFLICT (tenant_id, name) DO UPDATE SET role = $3, on_request = $4
RETURNING ` + domainColumns

const sqlDomain = `SELECT ` + domainColumns + ` FROM tenantwall.mail_domain d WHERE d.tenant_id = $1 AND d.name = $2`

const sqlDomains = `SELECT ` + domainColumns + ` FROM tenantwall.mail_domain d WHERE d.tenant_id = $1 ORDER BY d.name`

// sqlProveDomain notes whether the record with the value $3 was found at $5.
const sqlProveDomain = `
UPDATE tenantwall.mail_domain AS d SET verified_at = CASE WHEN $4 THEN $5::timestamptz END
 WHERE d.tenant_id = $1 AND d.name = $2 AND d.challenge = $3
RETURNING ` + domainColumns

const sqlRemoveDomain = `
DELETE FROM tenantwall.mail_domain AS d WHERE d.tenant_id = $1 AND d.name = $2
RETURNING ` + domainColumns

// sqlJoinable is the first $4 tenants that the user $3 can join by the domain $1, which was
// proved after $2.
const sqlJoinable = `
SELECT ` + tenantColumns + `, d.role, d.on_request
  FROM tenantwall.mail_domain d JOIN tenantwall.tenant t ON t.id = d.tenant_id
 WHERE d.name = $1 AND d.verified_at > $2 AND t.status = 'active'
   AND NOT EXISTS (SELECT FROM tenantwall.membership m WHERE m.tenant_id = t.id AND m.user_id = $3)
 ORDER BY t.slug LIMIT $4`

const sqlRequest = `
INSERT INTO tenantwall.join_request (tenant_id, user_id, email, domain, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, user_id) DO NOTHING`

const requestColumns = `r.user_id, r.email, r.domain, r.created_at`

const sqlRequestOf = `SELECT ` + requestColumns + ` FROM tenantwall.join_request r WHERE r.tenant_id = $1 AND r.user_id = $2`

// sqlRequests is the first $2 requests. It sorts all of the tenant's.
const sqlRequests = `
SELECT ` + requestColumns + ` FROM tenantwall.join_request r WHERE r.tenant_id = $1 ORDER BY r.created_at, r.user_id LIMIT $2`

const sqlEndRequest = `DELETE FROM tenantwall.join_request WHERE tenant_id = $1 AND user_id = $2`
