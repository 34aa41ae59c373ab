-- The domains that tenants claim as their own, such as notes.acme.example.

CREATE TABLE tenantwall.domain (
    tenant_id     uuid NOT NULL REFERENCES tenantwall.tenant,
    name          text COLLATE "C" NOT NULL, -- A-labels in lower case, without a dot at its end
    challenge     text NOT NULL,             -- what the TXT record says; no secret
    verified_at   timestamptz,               -- since when it leads to the tenant
    missing_since timestamptz,               -- since when the record has been looked for and not found
    looked_at     timestamptz,               -- when it was last looked for
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name),
    CHECK (verified_at IS NULL OR looked_at IS NOT NULL),
    CHECK (missing_since IS NULL OR verified_at IS NOT NULL)
);

-- Many may claim a domain, and one has it. This is also how it is looked up.
CREATE UNIQUE INDEX domain_in_force ON tenantwall.domain (name) WHERE verified_at IS NOT NULL;

-- What RecheckDomains looks for.
CREATE INDEX domain_to_recheck ON tenantwall.domain (looked_at, name) WHERE verified_at IS NOT NULL;
