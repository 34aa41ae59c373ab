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

// errNoUser says that nobody has the e-mail address.
var errNoUser = errors.New("no user has the e-mail address")

// userStore stands in for an identity provider: it knows who there is, and believes them.
type userStore struct{ control *pgxpool.Pool }

// byEmail is the user with an e-mail address in lower case, or errNoUser.
func (s userStore) byEmail(ctx context.Context, email string) (user, error) {
	u := user{Email: email}
	err := s.control.QueryRow(ctx, `SELECT id FROM tenantwall.notes_user WHERE email = $1`, email).Scan(&u.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return user{}, errNoUser
	}
	if err != nil {
		return user{}, fmt.Errorf("look up a user: %w", err)
	}
	return u, nil
}

// ensure is the user with an e-mail address in lower case, made if need be.
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
