-- What tenants may use, and what they have used.

-- The states that plans have had. The one that is in force is that with the highest version.
CREATE TABLE tenantwall.quota_plan (
    name    text COLLATE "C" NOT NULL CHECK (name <> ''),
    version bigint NOT NULL CHECK (version > 0),
    plan    jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);

-- In what a tenant's plan differs from that of others who have it.
CREATE TABLE tenantwall.quota_override (
    tenant_id  uuid PRIMARY KEY REFERENCES tenantwall.tenant (id),
    override   jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);

-- One row, whose number grows with each change of a plan or of what a tenant's differs in.
-- While it stays, whatever a process remembers of plans is as good as new.
CREATE TABLE tenantwall.quota_revision (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    number bigint NOT NULL
);

INSERT INTO tenantwall.quota_revision (number) VALUES (1);

-- The units that tenants have used, for the bill.
CREATE TABLE tenantwall.quota_used (
    tenant_id    uuid NOT NULL REFERENCES tenantwall.tenant (id),
    name         text COLLATE "C" NOT NULL,
    period_start timestamptz NOT NULL,
    period_end   timestamptz NOT NULL CHECK (period_end > period_start),
    used         bigint NOT NULL,
    PRIMARY KEY (tenant_id, period_end, period_start, name)
);

-- What is billed: periods that have ended.
CREATE INDEX quota_used_ended ON tenantwall.quota_used (period_end, tenant_id, period_start, name);

-- Which batches of uses were added, by the process that wrote them: each numbers its own,
-- and writes one after the other, so the last number tells of all.
CREATE TABLE tenantwall.quota_writer (
    id         uuid PRIMARY KEY,
    batch      bigint NOT NULL CHECK (batch > 0),
    written_at timestamptz NOT NULL
);

CREATE INDEX quota_writer_written ON tenantwall.quota_writer (written_at);
