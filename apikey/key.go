package apikey

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Bounds of what a key says of itself.
const (
	MaxNameLen       = 100 // characters
	MaxScopes        = 100
	MaxNetworks      = 50
	MaxMetadata      = 20  // entries
	MaxMetadataName  = 64  // bytes
	MaxMetadataValue = 500 // bytes
	MaxCreatorLen    = 255 // bytes, of the id of whoever makes a key
)

// Key is what is known of a key, without its secret. It is not to be changed: others may
// have the same slices and map.
type Key struct {
	ID       string // public, and part of the key itself
	TenantID tenant.ID
	Name     string // for people

	// Scopes are what it may do, sorted.
	Scopes []string

	// Networks are those that it may be used from; none means all.
	Networks []netip.Prefix

	Metadata  map[string]string // the product's own
	CreatedBy string            // who made it; empty for the program
	CreatedAt time.Time         // all times are in UTC

	// ExpiresAt is when it ends, zero for never. That of a key which was rotated is the end
	// of the overlap.
	ExpiresAt time.Time

	RevokedAt  time.Time // zero unless it was revoked
	ReplacedBy string    // the id of the key that it was rotated to, or empty

	// LastUsedAt is zero until it is used. Uses are written down together, each
	// [Config.FlushEvery], so it may be that much behind.
	LastUsedAt time.Time
}

// NewKey is a key to be made.
type NewKey struct {
	Name   string   // 1 to MaxNameLen characters
	Scopes []string // one or more of [Config.Scopes], and of those of the Minter

	// ExpiresAt is when the key ends, to the microsecond; zero for never.
	ExpiresAt time.Time

	// Networks are those that it may be used from, up to MaxNetworks; none means all. Make
	// them with [ParseNetwork].
	Networks []netip.Prefix

	// Metadata is kept for the product: up to MaxMetadata names, each with a value. It is no
	// place for secrets.
	Metadata map[string]string
}

// Minter is who makes, rotates or revokes a key. The zero Minter may give no scope.
type Minter struct {
	ID     string   // of the user or key, for the event; empty for the program
	Scopes []string // that it may give to keys
}

// Principal is the key as who acts in a request.
func (k Key) Principal() tenant.Principal {
	return tenant.Principal{Kind: tenant.Key, ID: k.ID, Tenant: k.TenantID, Scopes: k.Scopes}
}

// Usable reports whether the key is good at a time: not revoked, and not expired.
func (k Key) Usable(at time.Time) bool { return k.RevokedAt.IsZero() && !k.expired(at) }

func (k Key) expired(at time.Time) bool { return !k.ExpiresAt.IsZero() && !at.Before(k.ExpiresAt) }

// allows reports whether the key may be used from an address. One that nobody knows is in no
// network.
func (k Key) allows(from netip.Addr) bool {
	if len(k.Networks) == 0 {
		return true
	}
	from = from.Unmap().WithZone("")
	return from.IsValid() && slices.ContainsFunc(k.Networks, func(p netip.Prefix) bool { return p.Contains(from) })
}

// check finds what is wrong with a key to be made, all of it at once, and puts it into the
// form in which it is kept. The error is of the code validation_failed.
func (n NewKey) check(declared []string, now time.Time) (NewKey, error) {
	bad := &tenant.Error{Code: tenant.CodeValidationFailed, Detail: "the API key can't be made"}
	add := func(broken bool, field, message string) {
		if broken {
			bad.Fields = append(bad.Fields, tenant.FieldError{Field: field, Message: message})
		}
	}
	add(!isText(n.Name, MaxNameLen*utf8.UTFMax) || n.Name == "" || utf8.RuneCountInString(n.Name) > MaxNameLen,
		"name", fmt.Sprintf("must have 1 to %d characters, and no control characters", MaxNameLen))

	n.Scopes = slices.Compact(slices.Sorted(slices.Values(n.Scopes)))
	add(len(n.Scopes) == 0, "scopes", "must name at least one scope")
	for _, scope := range n.Scopes {
		if !slices.Contains(declared, scope) {
			add(true, "scopes", fmt.Sprintf("must be among %v", declared))
			break
		}
	}

	n.ExpiresAt = n.ExpiresAt.UTC().Truncate(time.Microsecond)
	add(!n.ExpiresAt.IsZero() && (!n.ExpiresAt.After(now) || n.ExpiresAt.Year() > 9999), "expires_at", "must be in the future")

	n.Networks = slices.Clone(n.Networks)
	add(len(n.Networks) > MaxNetworks, "allowed_cidrs", fmt.Sprintf("must have at most %d networks", MaxNetworks))
	for i, network := range n.Networks {
		canonical, err := canonicalNetwork(network)
		if err != nil {
			add(true, "allowed_cidrs", err.Error())
			break
		}
		n.Networks[i] = canonical
	}
	add(!isMetadata(n.Metadata), "metadata", fmt.Sprintf("must have at most %d entries, names of 1 to %d bytes, values of up to %d, and no control characters", MaxMetadata, MaxMetadataName, MaxMetadataValue))
	n.Metadata = maps.Clone(n.Metadata)
	if len(bad.Fields) > 0 {
		return NewKey{}, bad
	}
	return n, nil
}

func isMetadata(m map[string]string) bool {
	if len(m) > MaxMetadata {
		return false
	}
	for name, value := range m {
		if name == "" || !isText(name, MaxMetadataName) || !isText(value, MaxMetadataValue) {
			return false
		}
	}
	return true
}

// isText reports whether s is UTF-8 of up to so many bytes without control characters.
func isText(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// record is a row: a key, and what is kept of its secret.
type record struct {
	key    Key
	hash   digest
	pepper int
	status tenant.Status // of the tenant, when the row was read
}

// scanRecord reads the columns of keyColumns, and those behind them.
func scanRecord(row pgx.Row, more ...any) (record, error) {
	var r record
	var hash []byte
	var networks []string
	var metadata []byte
	var expires, revoked, used *time.Time
	var replaced *string
	k := &r.key
	err := row.Scan(append([]any{
		&k.ID, &k.TenantID, &k.Name, &k.Scopes, &networks, &metadata, &hash, &r.pepper,
		&k.CreatedBy, &k.CreatedAt, &expires, &revoked, &replaced, &used,
	}, more...)...)
	if err != nil {
		return record{}, err
	}
	if len(hash) != len(r.hash) {
		return record{}, fmt.Errorf("the hash of key %s has %d bytes", k.ID, len(hash))
	}
	copy(r.hash[:], hash)
	for _, text := range networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return record{}, fmt.Errorf("a network of key %s: %w", k.ID, err)
		}
		k.Networks = append(k.Networks, network)
	}
	if err := json.Unmarshal(metadata, &k.Metadata); err != nil {
		return record{}, fmt.Errorf("the metadata of key %s: %w", k.ID, err)
	}
	k.CreatedAt = k.CreatedAt.UTC()
	k.ExpiresAt, k.RevokedAt, k.LastUsedAt = orZero(expires), orZero(revoked), orZero(used)
	if replaced != nil {
		k.ReplacedBy = *replaced
	}
	return r, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// orNull is a time for a column in which there may be none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
