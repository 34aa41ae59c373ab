-- The key that access tokens are signed with, PKCS #8 in PEM: one row.
CREATE TABLE tenantwall.notes_token_key (
    id  integer PRIMARY KEY CHECK (id = 1),
    key text NOT NULL
);
