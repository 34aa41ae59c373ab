-- The keys with which services act for a tenant. What a key is known by is in its id, and
-- of its secret only a hash is kept.
CREATE TABLE tenantwall.api_key (
    id           text COLLATE "C" PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenantwall.tenant (id),
    name         text NOT NULL CHECK (name <> ''),
    scopes       text[] NOT NULL,
    allowed      text[] NOT NULL, -- networks that it may be used from; empty for all
    metadata     jsonb NOT NULL,
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    pepper       integer NOT NULL CHECK (pepper >= 0), -- of an HMAC; 0 for a plain SHA-256
    created_by   text NOT NULL, -- empty for the program
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    replaced_by  text COLLATE "C", -- the key that it was rotated to
    last_used_at timestamptz -- as of the last time that a process wrote its uses down
);

-- A tenant's list. last_used_at is in no index, so that writing it touches none.
CREATE INDEX api_key_of_tenant ON tenantwall.api_key (tenant_id, created_at, id);
