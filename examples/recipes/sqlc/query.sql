-- name: AddNote :one
INSERT INTO note (title) VALUES ($1) RETURNING id;

-- name: Titles :many
SELECT title FROM note ORDER BY id;

-- name: CountNotes :one
SELECT count(*) FROM note;
