-- Who belongs to a tenant. A user is whoever the application's identity provider says,
-- known by an opaque id; the address is the verified one that the user joined with.
CREATE TABLE tenantwall.membership (
    tenant_id uuid NOT NULL REFERENCES tenantwall.tenant (id),
    user_id   text COLLATE "C" NOT NULL CHECK (user_id <> ''),
    email     text NOT NULL,
    role      text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    version   bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);

CREATE INDEX membership_of_user ON tenantwall.membership (user_id);
