package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Verify is the key that a client has presented, when it is good and may be used from the
// client's address, which is the zero Addr where nobody knows it. The checks stand in the
// order of what they cost, so that what anybody can make up costs next to nothing: the form
// and the checksum; what is remembered, of good keys and of refused ones; how many keys
// from this address were none; the database; whether the key has ended; its tenant; the
// address. What the key may do is asked by [RequireScope].
//
// A key that was verified is believed for [Config.TTL] or [Config.ConnectedTTL], never
// longer: when the database can't be reached then, it is refused.
//
// The error is a [tenant.Error]: unauthenticated or forbidden around one of the errors of this
// package; quota_exceeded around [ErrTooManyFailures]; those of [tenant.Tenant.Usable];
// and unavailable, when nobody could tell.
func (k *Keys) Verify(ctx context.Context, key string, from netip.Addr) (Key, error) {
	now := k.cfg.Now()
	v, err := k.find(ctx, key, from, now)
	if err != nil {
		return Key{}, err
	}
	if err := k.checkUsable(ctx, v, now); err != nil {
		return Key{}, err
	}
	if !v.key.allows(from) {
		k.counts.refused.Add(1)
		return Key{}, errAddress
	}
	k.uses.note(v.use, now)
	return v.key, nil
}

// CheckKey finds out whether a key of a tenant is still good, by its id alone: what the token
// that it was exchanged for is held against, see [Exchange]. It answers as Verify does, and
// as quickly. Whoever calls it has verified that the token was made for the key. The address
// is not looked at.
func (k *Keys) CheckKey(ctx context.Context, in tenant.ID, id string) error {
	now := k.cfg.Now()
	v := k.remembered(id, now)
	if v != nil {
		k.counts.hits.Add(1)
	} else {
		var err error
		if v, err = k.load(ctx, id, nil, func(*verdict) error { return nil }); err != nil {
			return err
		}
	}
	if v.key.TenantID != in {
		return errUnknown
	}
	return k.checkUsable(ctx, v, now)
}

// checkUsable is nil for a key that has not ended and whose tenant is active.
func (k *Keys) checkUsable(ctx context.Context, v *verdict, now time.Time) error {
	switch {
	case !v.key.RevokedAt.IsZero():
		k.counts.refused.Add(1)
		return errRevoked
	case v.key.expired(now):
		k.counts.refused.Add(1)
		return errExpired
	}
	t := tenant.Tenant{ID: v.key.TenantID, Status: v.status}
	if k.cfg.Tenants != nil {
		var err error
		if t, err = k.cfg.Tenants.Lookup(ctx, tenant.ByID(v.key.TenantID)); err != nil {
			return orUnavailable(fmt.Errorf("apikey: look up the tenant of a key: %w", err))
		}
	}
	return t.Usable()
}

// find is the key of which this is the secret, ended or not.
func (k *Keys) find(ctx context.Context, key string, from netip.Addr, now time.Time) (*verdict, error) {
	id, err := k.format.KeyID(key)
	if err != nil {
		k.counts.malformed.Add(1)
		if errors.Is(err, ErrEnvironment) {
			return nil, errEnvironment
		}
		return nil, errMalformed
	}
	d := digestOf(key)
	if v := k.remembered(id, now); v != nil && v.proven {
		if !v.digest.equal(d) {
			k.counts.refused.Add(1)
			return nil, errUnknown
		}
		k.counts.hits.Add(1)
		return v, nil
	}
	if err := k.refused.get(d); err != nil {
		k.counts.refusedAgain.Add(1)
		return nil, err
	}
	v, err := k.load(ctx, id, &from, func(v *verdict) error { return k.prove(ctx, v, d) })
	if isFailure(err) {
		k.counts.refused.Add(1)
		k.refused.put(d, err)
	}
	return v, err
}

// isFailure reports whether an error says that a key is none, for good.
func isFailure(err error) bool { return errors.Is(err, ErrUnknown) || errors.Is(err, ErrRevoked) }

// prove finds out whether a key is the secret of what was read.
func (k *Keys) prove(ctx context.Context, v *verdict, d digest) error {
	hash, err := k.hashes.hash(d, v.pepper)
	switch {
	case err != nil:
		k.cfg.Logger.ErrorContext(ctx, "apikey: a key can't be verified", "key", v.key.ID, "pepper", v.pepper, "error", err)
		return orUnavailable(fmt.Errorf("apikey: %w", err))
	case !hash.equal(v.hash):
		return errUnknown
	case !v.key.RevokedAt.IsZero():
		return errRevoked
	}
	v.digest, v.proven = d, true
	if v.pepper != k.hashes.current {
		k.rehash(ctx, v)
	}
	return nil
}

// rehash stores the hash of a key by the present pepper. When that fails, the next one who
// reads the key tries again.
func (k *Keys) rehash(ctx context.Context, v *verdict) {
	hash, err := k.hashes.hash(v.digest, k.hashes.current)
	if err == nil {
		_, err = k.pool.Exec(ctx, sqlRehash, v.key.TenantID, v.key.ID, hash[:], k.hashes.current, v.pepper)
	}
	if err != nil {
		k.cfg.Logger.WarnContext(ctx, "apikey: a key keeps the hash of a former pepper", "key", v.key.ID, "error", err)
		return
	}
	v.hash, v.pepper = hash, k.hashes.current
}

// remembered is what is known of a key, if it may be believed still.
func (k *Keys) remembered(id string, now time.Time) *verdict {
	v := k.verdicts.get(id)
	if v == nil || now.Sub(v.readAt) >= k.bound(v.connected) {
		return nil
	}
	return v
}

// bound is how long what was read is believed. What was read while the bus was away stays
// under the shorter bound when it is back, for nobody has told what happened meanwhile.
func (k *Keys) bound(readConnected bool) time.Duration {
	if readConnected && k.connected() {
		return k.cfg.ConnectedTTL
	}
	return k.cfg.TTL
}

func (k *Keys) connected() bool { return k.cfg.Connected != nil && k.cfg.Connected() }
