-- The mail domains whose users may join a tenant without being invited, once it is proved
-- that the domain is the tenant's.
CREATE TABLE tenantwall.mail_domain (
    tenant_id   uuid NOT NULL REFERENCES tenantwall.tenant (id),
    name        text COLLATE "C" NOT NULL,
    role        text NOT NULL CHECK (role <> ''),
    on_request  boolean NOT NULL,
    challenge   text NOT NULL, -- what the domain's TXT record is to say; no secret
    verified_at timestamptz,   -- NULL until it was found there
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

-- Which tenants a user can join.
CREATE INDEX mail_domain_of_name ON tenantwall.mail_domain (name);

-- Users who wait for someone to let them in.
CREATE TABLE tenantwall.join_request (
    tenant_id  uuid NOT NULL REFERENCES tenantwall.tenant (id),
    user_id    text COLLATE "C" NOT NULL CHECK (user_id <> ''),
    email      text COLLATE "C" NOT NULL,
    domain     text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, domain) REFERENCES tenantwall.mail_domain (tenant_id, name) ON DELETE CASCADE
);
