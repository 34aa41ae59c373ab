-- What the migrations of tenants leave outside of the tenants' schemas. tenantwall.migration,
-- the control plane's own ledger, is there before any migration.

-- The last failure of each schema that could not be migrated. The failed transaction has
-- left nothing behind, so this is written after it, and removed by the one that succeeds.
CREATE TABLE tenantwall.migration_failure (
    schema    name PRIMARY KEY,
    version   bigint,          -- of the migration that failed; NULL when none had begun
    error     text NOT NULL,
    attempts  int NOT NULL,    -- in the run that failed
    failed_at timestamptz NOT NULL
);

-- Each layout that a schema had when its migration was done, once, by its fingerprint:
-- what a schema that has drifted is compared with.
CREATE TABLE tenantwall.migration_layout (
    fingerprint varchar(80) PRIMARY KEY,
    layout      text NOT NULL
);
