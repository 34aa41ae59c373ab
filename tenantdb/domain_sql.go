package tenantdb

// The statements about domains, as those of catalog_sql.go.

// domainColumns is what scanDomain reads.
const domainColumns = `d.tenant_id, d.name, d.challenge, d.verified_at, d.missing_since, d.created_at`

// sqlTenantByDomain finds a tenant by a domain that is in force.
const sqlTenantByDomain = `
SELECT ` + tenantColumns + `
  FROM tenantwall.domain d JOIN tenantwall.tenant t ON t.id = d.tenant_id
 WHERE d.name = $1 AND d.verified_at IS NOT NULL`

const sqlDomain = `SELECT ` + domainColumns + ` FROM tenantwall.domain d WHERE d.tenant_id = $1 AND d.name = $2`

const sqlDomains = `SELECT ` + domainColumns + ` FROM tenantwall.domain d WHERE d.tenant_id = $1 ORDER BY d.name`

// sqlAddDomain claims a domain for a tenant, whose row is locked, unless it would have more
// than $5; one that it claims already stays as it is.
const sqlAddDomain = `
INSERT INTO tenantwall.domain AS d (tenant_id, name, challenge, created_at)
SELECT $1, $2, $3, $4
 WHERE (SELECT count(*) FROM tenantwall.domain WHERE tenant_id = $1 AND name <> $2) < $5
ON CONFLICT (tenant_id, name) DO UPDATE SET challenge = d.challenge
RETURNING ` + domainColumns

// sqlSetDomain writes what was found of a domain, whose tenant's row is locked. It waits for
// a transaction that has just verified the same domain for another tenant, and fails with a
// unique violation of domain_in_force when that one has it.
const sqlSetDomain = `
UPDATE tenantwall.domain AS d SET verified_at = $3, missing_since = $4, looked_at = $5
 WHERE d.tenant_id = $1 AND d.name = $2
RETURNING ` + domainColumns

// constraintDomain is the index that keeps a domain to one tenant.
const constraintDomain = "domain_in_force"

// sqlDomainLookedAt puts a domain behind the others that are to be looked for.
const sqlDomainLookedAt = `UPDATE tenantwall.domain SET looked_at = $3 WHERE tenant_id = $1 AND name = $2`

const sqlRemoveDomain = `
DELETE FROM tenantwall.domain AS d WHERE d.tenant_id = $1 AND d.name = $2
RETURNING ` + domainColumns

const sqlReleaseDomains = `DELETE FROM tenantwall.domain WHERE tenant_id = $1`

// sqlDomainsToRecheck is the $1 verified domains that were looked for the longest ago, of
// tenants that are not deleted.
const sqlDomainsToRecheck = `
SELECT ` + domainColumns + `
  FROM tenantwall.domain d JOIN tenantwall.tenant t ON t.id = d.tenant_id
 WHERE d.verified_at IS NOT NULL AND t.status IN ('active', 'suspended')
 ORDER BY d.looked_at, d.name LIMIT $1`
