package temporalx

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tenantwall/tenantwall/tenant"
)

// PayloadKeySize is the length of a key's secret, in bytes: AES-256.
const PayloadKeySize = 32

// MaxPayloadKeyID bounds the length of a key's id, in bytes.
const MaxPayloadKeyID = 64

// PayloadKey is one key of one tenant. It prints as its id alone.
type PayloadKey struct {
	ID     string // 1 to MaxPayloadKeyID bytes, unique among the keys of its tenant; stored in clear beside what it sealed
	Secret []byte // PayloadKeySize bytes, from a good source of randomness; not to be changed afterwards
}

// String names the key by its id.
func (k PayloadKey) String() string { return "payload key " + k.ID }

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (k PayloadKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (k PayloadKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k PayloadKey) check() error {
	switch {
	case k.ID == "" || len(k.ID) > MaxPayloadKeyID:
		return fmt.Errorf("a payload key's ID must have 1 to %d bytes", MaxPayloadKeyID)
	case len(k.Secret) != PayloadKeySize:
		return fmt.Errorf("a payload key's Secret must have %d bytes", PayloadKeySize)
	}
	return nil
}

// PayloadKeys is where the keys of tenants' payloads come from: [DerivedKeys] from a few
// master keys, or a product's own from a key server.
//
// Both methods are called in the middle of workflow tasks, for every payload, by many
// goroutines at once, and have no context: answer from memory, and load beforehand. The
// zero ID asks for the key of jobs that are done for no tenant (see [System]).
//
// Current returns the key with which a tenant's payloads are sealed now. Find returns the
// one that sealed an earlier payload; it fails with [ErrNoPayloadKey] when the tenant has
// no key of that id (any more).
type PayloadKeys interface {
	Current(in tenant.ID) (PayloadKey, error)
	Find(in tenant.ID, keyID string) (PayloadKey, error)
}

// ErrNoPayloadKey is in the error of reading or writing a payload for which there is no
// key: the tenant was forgotten, or the key was retired too early.
var ErrNoPayloadKey = errors.New("no payload key")

// DerivedKeys makes a key for each tenant out of master keys, so that nothing has to be
// stored per tenant: HKDF with SHA-256 (RFC 5869) of the master's secret, with the
// tenant's id as info.
//
// The first master is the one that seals. To rotate, put the new one behind it in every
// worker and client, then in front of it: who does not know a key can't read what it has
// sealed. Keep the older ones for as long as the histories that they sealed are kept. A
// tenant can't be made unreadable alone in this way: that needs PayloadKeys of
// one's own, with a stored key per tenant.
func DerivedKeys(masters ...PayloadKey) (PayloadKeys, error) {
	if len(masters) == 0 {
		return nil, errors.New("temporalx: DerivedKeys needs a master key at least")
	}
	d := derivedKeys{current: masters[0].ID, masters: make(map[string][]byte, len(masters))}
	for _, m := range masters {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("temporalx: DerivedKeys: %w", err)
		}
		if _, twice := d.masters[m.ID]; twice {
			return nil, fmt.Errorf("temporalx: DerivedKeys: two master keys have the id %q", m.ID)
		}
		d.masters[m.ID] = append([]byte(nil), m.Secret...)
	}
	return d, nil
}

type derivedKeys struct {
	current string
	masters map[string][]byte // by key id
}

func (d derivedKeys) Current(in tenant.ID) (PayloadKey, error) { return d.Find(in, d.current) }

func (d derivedKeys) Find(in tenant.ID, keyID string) (PayloadKey, error) {
	master, ok := d.masters[keyID]
	if !ok {
		return PayloadKey{}, fmt.Errorf("%w: no master key of that id", ErrNoPayloadKey)
	}
	secret, err := hkdf.Key(sha256.New, master, nil, "tenantwall payload key for "+in.String(), PayloadKeySize)
	if err != nil {
		return PayloadKey{}, fmt.Errorf("derive payload key: %w", err)
	}
	return PayloadKey{ID: keyID, Secret: secret}, nil
}
