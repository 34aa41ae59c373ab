-- Roles are the product's to name. One that its program does not know may do nothing.
ALTER TABLE tenantwall.membership DROP CONSTRAINT membership_role_check;
ALTER TABLE tenantwall.membership ADD CONSTRAINT membership_role_check CHECK (role <> '');

-- Each change of a membership takes the next version, and so does a user who comes back:
-- what was remembered of the earlier membership never passes for the new one.
CREATE SEQUENCE tenantwall.membership_version START 2 OWNED BY tenantwall.membership.version;
ALTER TABLE tenantwall.membership ALTER version SET DEFAULT nextval('tenantwall.membership_version');

-- Whether an address is a member's already.
CREATE INDEX membership_of_email ON tenantwall.membership (tenant_id, email);

-- Who was asked to join. The secret of an invitation is in its mail and nowhere else.
CREATE TABLE tenantwall.invitation (
    id          text COLLATE "C" PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenantwall.tenant (id),
    email       text COLLATE "C" NOT NULL, -- in canonical form
    role        text NOT NULL CHECK (role <> ''),
    invited_by  text COLLATE "C" NOT NULL, -- the member who vouches for it; empty for the program
    secret_hash bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    status      text NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'revoked', 'replaced')),
    user_id     text COLLATE "C" NOT NULL DEFAULT '', -- who accepted it
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CHECK ((status = 'accepted') = (user_id <> ''))
);

-- An address has one invitation of a tenant that can be accepted.
CREATE UNIQUE INDEX invitation_pending ON tenantwall.invitation (tenant_id, email) WHERE status = 'pending';

CREATE INDEX invitation_of_tenant ON tenantwall.invitation (tenant_id, id);
