-- +goose Up
CREATE TABLE note (
    id    bigserial PRIMARY KEY,
    title text NOT NULL
);

-- +goose Down
DROP TABLE note;
