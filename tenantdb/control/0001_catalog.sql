-- The catalog: which tenants there are, the names they have and had, and what was done.

CREATE TABLE tenantwall.tenant (
    id         uuid PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    status     text NOT NULL CHECK (status IN ('provisioning', 'active', 'suspended', 'deleted')),
    plan       text NOT NULL,
    version    bigint NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    purged_at  timestamptz, -- its schema and role are gone; the row and its slugs stay
    CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CHECK (purged_at IS NULL OR deleted_at IS NOT NULL)
);

-- What Purge looks for.
CREATE INDEX tenant_to_purge ON tenantwall.tenant (deleted_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

-- Every slug that a tenant has or once had. One that is not its tenant's present slug is
-- a tombstone: it keeps others from the name.
CREATE TABLE tenantwall.slug (
    slug       text COLLATE "C" PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenantwall.tenant,
    claimed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, slug)
);

-- No tenant has a slug that it has not claimed, and so no two have the same.
ALTER TABLE tenantwall.tenant ADD CONSTRAINT tenant_slug_claimed
    FOREIGN KEY (id, slug) REFERENCES tenantwall.slug (tenant_id, slug) DEFERRABLE INITIALLY DEFERRED;

-- A tenant that has a login of its own, which no shared gateway can become.
CREATE TABLE tenantwall.own_login (
    tenant_id  uuid PRIMARY KEY REFERENCES tenantwall.tenant,
    role       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);

-- What was done, in the order in which it was committed. tenant_id is no foreign key: the
-- history outlives a tenant that was given up before it was finished.
CREATE TABLE tenantwall.event (
    id        bigint PRIMARY KEY,
    tenant_id uuid NOT NULL,
    kind      text NOT NULL,
    version   bigint NOT NULL, -- of the tenant, after the change
    data      jsonb NOT NULL,
    at        timestamptz NOT NULL
);

CREATE INDEX event_of_tenant ON tenantwall.event (tenant_id, id);

CREATE SEQUENCE tenantwall.event_id OWNED BY tenantwall.event.id;

-- Ids are given out under a lock that lasts until the transaction is over. So whoever has
-- read up to an id has missed none below it, which a plain sequence can't promise: there a
-- lower id may be committed after a higher one. The lock is one for all tenants; write
-- the event as the last thing before the commit.
CREATE FUNCTION tenantwall.number_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(1952804471, 1);
    NEW.id := pg_catalog.nextval('tenantwall.event_id');
    RETURN NEW;
END $$;

CREATE TRIGGER number_event BEFORE INSERT ON tenantwall.event
    FOR EACH ROW EXECUTE FUNCTION tenantwall.number_event();
