package temporalx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Key signs what is carried, by HMAC with SHA-256.
//
// To replace a key, put the new one behind it in the configuration of every process, then
// in front of it, and take the old one away when nothing that it has signed is left: no
// workflow runs that was started or sent a signal by then, no activity is still tried
// again, and each schedule and cron workflow was made or updated since. What a workflow has
// once accepted it reads again whenever a worker replays it; a workflow whose key is gone
// gets stuck until the key is put back.
//
// A key that others know is given an Until, and stays: what was accepted before is accepted
// in replays as well, and nothing new is. There is one gap, for signals: a workflow goes by
// its own clock, which stands still while it waits, so one that has slept since before
// Until still takes signals of the key with the first task that wakes it.
type Key struct {
	// ID names the key in the header: 1 to 32 bytes of printable ASCII. It is no secret.
	ID string

	// Secret is 32 to 256 random bytes, the same in every process of the namespace, and other
	// ones in every other namespace.
	Secret []byte

	// Until is when the key is no longer trusted; zero means never. A workflow compares it
	// with its start and with its own clock, so that a replay decides as the first time.
	Until time.Time
}

// The bounds of a key, in bytes.
const (
	maxKeyID  = 32
	minSecret = 32
	maxSecret = 256
)

// String names the key by its id.
func (k Key) String() string { return "key " + k.ID }

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue implements [slog.LogValuer] with what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// checkKeys says what is wrong with the keys of a configuration.
func checkKeys(keys []Key) error {
	var problems []error
	seen := make(map[string]bool)
	for i, k := range keys {
		switch {
		case !isKeyID(k.ID):
			problems = append(problems, fmt.Errorf("the ID of key %d must be 1 to %d bytes of printable ASCII", i+1, maxKeyID))
		case seen[k.ID]:
			problems = append(problems, fmt.Errorf("two keys have the ID %s", k.ID))
		case len(k.Secret) < minSecret || len(k.Secret) > maxSecret:
			problems = append(problems, fmt.Errorf("the Secret of key %s has %d bytes, and must have %d to %d random ones", k.ID, len(k.Secret), minSecret, maxSecret))
		}
		seen[k.ID] = true
	}
	if len(keys) > 0 && !keys[0].Until.IsZero() {
		problems = append(problems, errors.New("the first key signs, and must have no Until: put a new one in front of it"))
	}
	return errors.Join(problems...)
}

func isKeyID(s string) bool {
	if s == "" || len(s) > maxKeyID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// sign is the signature over what is carried to a workflow. The workflow's id is part of
// it, so that a header read in one history is worth nothing in another workflow.
func (k Key) sign(workflowID string, body []byte) []byte {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte("tenantwall/temporalx/1\x00"))
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(workflowID)))
	mac.Write(size[:])
	mac.Write([]byte(workflowID))
	mac.Write(body)
	return mac.Sum(nil)
}
