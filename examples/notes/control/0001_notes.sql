-- Who can sign in: the demonstration's stand-in for an identity provider.
CREATE TABLE tenantwall.notes_user (
    id    text PRIMARY KEY,
    email text NOT NULL UNIQUE
);

-- The secret that tokens and cursors are signed with: one row.
CREATE TABLE tenantwall.notes_secret (
    id     integer PRIMARY KEY CHECK (id = 1),
    secret bytea NOT NULL
);
