package accesstoken

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// MaxKeys bounds the keys of a [KeySet], all together.
const MaxKeys = 16

// KeySet says which key signs, and which other keys' tokens are accepted.
type KeySet struct {
	// Signing signs new tokens. It is zero in a service that verifies alone.
	Signing Key

	// Next will sign after the next rotation. It is published and accepted before it signs,
	// so that every verifier knows it when its first token comes. Zero means none yet.
	Next PublicKey

	// Accepted are further keys: those that signed before, and in a service that verifies
	// alone, all.
	Accepted []AcceptedKey
}

// AcceptedKey is a key that does not sign here, and whose tokens are accepted.
type AcceptedKey struct {
	Key      PublicKey
	NotAfter time.Time // the last moment at which they are; zero means for as long as the key is in the set
}

// Rotate returns the set in which next signs. The key that signed before is accepted until
// overlap has passed from now, or no longer at all if overlap is 0, as it should be after
// a leak. Keys that s accepts no more at now are left out, and no next key is announced.
//
// No request is lost when the overlap is not shorter than a token's lifetime and the
// leeway of the verifiers ([MaxLifetime] + [MaxLeeway] always is enough), and when next
// has been s.Next for as long as a published set is cached (see [JWKSConfig]). That it was
// Next at all is checked. To sign at once with a key that nobody knows, make the set by
// hand.
func (s KeySet) Rotate(next Key, now time.Time, overlap time.Duration) (KeySet, error) {
	switch {
	case next.IsZero():
		return KeySet{}, errors.New("accesstoken: rotate keys: there is no next key")
	case next.ID() != s.Next.ID():
		return KeySet{}, fmt.Errorf("accesstoken: rotate keys: verifiers don't know the key %s yet: let it be Next first", next.ID())
	case overlap < 0:
		return KeySet{}, errors.New("accesstoken: rotate keys: the overlap is negative")
	}
	rotated := KeySet{Signing: next}
	if overlap > 0 && !s.Signing.IsZero() {
		rotated.Accepted = append(rotated.Accepted, AcceptedKey{Key: s.Signing.Public(), NotAfter: now.Add(overlap)})
	}
	for _, accepted := range s.Accepted {
		if accepted.at(now) {
			rotated.Accepted = append(rotated.Accepted, accepted)
		}
	}
	return rotated, nil
}

// Keys is a [KeySet] that can be replaced while issuers, verifiers and the handler of
// [NewJWKS] work with it. Make one with [NewKeys]. It may be used by several goroutines at
// once, and must not be copied.
type Keys struct{ current atomic.Pointer[ring] }

// ring is a checked KeySet.
type ring struct {
	signing Key
	keys    []AcceptedKey // all, in the order of the fields of KeySet
}

// NewKeys returns Keys that hold set. It fails as [Keys.Replace] does.
func NewKeys(set KeySet) (*Keys, error) {
	keys := new(Keys)
	if err := keys.Replace(set); err != nil {
		return nil, err
	}
	return keys, nil
}

// Replace puts set in the place of what k holds, for all who work with k and in one step:
// whatever is signed or verified afterwards is so by set. A token of a key that is not in
// it is refused from then on, though it was seen before.
//
// The error is about a set without any key, with one key twice, with a zero key among the
// accepted, or with more than [MaxKeys]. k stays as it was then.
func (k *Keys) Replace(set KeySet) error {
	next := &ring{signing: set.Signing}
	if !set.Signing.IsZero() {
		next.keys = append(next.keys, AcceptedKey{Key: set.Signing.Public()})
	}
	if !set.Next.IsZero() {
		next.keys = append(next.keys, AcceptedKey{Key: set.Next})
	}
	next.keys = append(next.keys, set.Accepted...)
	if err := next.check(); err != nil {
		return fmt.Errorf("accesstoken: %w", err)
	}
	k.current.Store(next)
	return nil
}

func (r *ring) check() error {
	if len(r.keys) == 0 {
		return errors.New("the key set is empty: it needs a key that signs, or one whose tokens are accepted")
	}
	if len(r.keys) > MaxKeys {
		return fmt.Errorf("the key set has %d keys, more than %d: leave those out that are not accepted any more", len(r.keys), MaxKeys)
	}
	for i, accepted := range r.keys {
		if accepted.Key.IsZero() {
			return errors.New("the key set accepts a key that is zero")
		}
		if slices.ContainsFunc(r.keys[:i], accepted.sameKey) {
			return fmt.Errorf("the key set has the key %s twice", accepted.Key.ID())
		}
	}
	return nil
}

func (k *Keys) signing() Key { return k.current.Load().signing }

// accepted are the keys whose tokens are accepted at a moment.
func (k *Keys) accepted(now time.Time) []PublicKey {
	var keys []PublicKey
	for _, accepted := range k.current.Load().keys {
		if accepted.at(now) {
			keys = append(keys, accepted.Key)
		}
	}
	return keys
}

// find is the key of an id, if its tokens are accepted at that moment.
func (k *Keys) find(id string, now time.Time) (PublicKey, bool) {
	for _, accepted := range k.current.Load().keys { // few enough to look at each
		if accepted.Key.id == id {
			return accepted.Key, accepted.at(now)
		}
	}
	return PublicKey{}, false
}

func (a AcceptedKey) at(now time.Time) bool { return a.NotAfter.IsZero() || !now.After(a.NotAfter) }

func (a AcceptedKey) sameKey(other AcceptedKey) bool { return a.Key.id == other.Key.id }
