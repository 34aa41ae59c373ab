-- Exports of the tenant's notes, by jobs in the background.
CREATE TABLE export (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status     text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'failed')),
    notes      bigint NOT NULL DEFAULT 0,
    result     text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz
);
