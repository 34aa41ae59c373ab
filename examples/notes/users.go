package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// user is someone who can sign in. The library knows users by what it is told of them.
type user struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// userOf is the user who acts.
func userOf(p tenant.Principal) user { return user{ID: p.ID, Email: p.Email} }

// userStore stands in for an identity provider: it knows who there is, and believes them.
type userStore struct{ control *pgxpool.Pool }

// get is the user with an id. One that is no more makes a request or a job fail for good.
func (s userStore) get(ctx context.Context, id string) (user, error) {
	u := user{ID: id}
	err := s.control.QueryRow(ctx, `SELECT email FROM tenantwall.notes_user WHERE id = $1`, id).Scan(&u.Email)
	if errors.Is(err, pgx.ErrNoRows) {
		return user{}, &tenant.Error{Code: tenant.CodeNotFound, Detail: "there is no such user"}
	}
	return u, err
}

// ensure is the user with an e-mail address in canonical form, made if need be.
func (s userStore) ensure(ctx context.Context, email string) (user, error) {
	// The update changes nothing; it makes the row that is there already be returned.
	const sql = `
		INSERT INTO tenantwall.notes_user (id, email) VALUES (gen_random_uuid()::text, $1)
		ON CONFLICT (email) DO UPDATE SET email = excluded.email RETURNING id`
	u := user{Email: email}
	if err := s.control.QueryRow(ctx, sql, email).Scan(&u.ID); err != nil {
		return user{}, fmt.Errorf("make the user %s: %w", email, err)
	}
	return u, nil
}
