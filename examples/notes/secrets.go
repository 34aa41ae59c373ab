package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// controlMigrations make the service's own tables beside the library's, where no
// tenant's session reaches.
//
//go:embed control
var controlMigrations embed.FS

// secret is what the service makes keys of that nobody else needs to know. Each use has a
// key of its own derived from it, so that what is signed for one is worth nothing for
// another.
type secret []byte

// loadSecret is the secret kept in the database, made by whoever asks first: processes
// on one database take each other's cursors, and those outlive a restart just as the data
// do. A service with a vault keeps it there.
func loadSecret(ctx context.Context, control *pgxpool.Pool) (secret, error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	// The update changes nothing; it makes the row that is there already be returned.
	const keep = `
		INSERT INTO tenantwall.notes_secret (id, secret) VALUES (1, $1)
		ON CONFLICT (id) DO UPDATE SET id = 1 RETURNING secret`
	var kept []byte
	if err := control.QueryRow(ctx, keep, fresh).Scan(&kept); err != nil {
		return nil, fmt.Errorf("load the signing secret: %w", err)
	}
	return kept, nil
}

// loadTokenKey is the key that access tokens are signed with, kept and made in the same
// way. Other services verify the tokens with its public part alone.
func loadTokenKey(ctx context.Context, control *pgxpool.Pool) (accesstoken.Key, error) {
	fresh, err := accesstoken.GenerateKey(accesstoken.EdDSA)
	if err != nil {
		return accesstoken.Key{}, err
	}
	pem, err := fresh.MarshalPEM()
	if err != nil {
		return accesstoken.Key{}, err
	}
	const keep = `
		INSERT INTO tenantwall.notes_token_key (id, key) VALUES (1, $1)
		ON CONFLICT (id) DO UPDATE SET id = 1 RETURNING key`
	var kept string
	if err := control.QueryRow(ctx, keep, string(pem)).Scan(&kept); err != nil {
		return accesstoken.Key{}, fmt.Errorf("load the key of access tokens: %w", err)
	}
	key, err := accesstoken.ParseKey([]byte(kept))
	if err != nil {
		return accesstoken.Key{}, fmt.Errorf("load the key of access tokens: %w", err)
	}
	return key, nil
}

// key is the key for one use.
func (s secret) key(use string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, s, nil, "tenantwall notes: "+use, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", use, err)
	}
	return key, nil
}
