package apikey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
)

// BenchmarkKeyID is what it costs to tell what is no key from what may be one.
func BenchmarkKeyID(b *testing.B) {
	f, key := newFormat(b), forged(b)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = f.KeyID(key)
	}
}

// BenchmarkVerify is what a key costs that was verified before.
func BenchmarkVerify(b *testing.B) {
	s := setUp(b)
	s.keys = s.open(b, func(cfg *apikey.Config) {
		cfg.Now = nil
		cfg.Connected = func() bool { return true } // or the key is read again each second
	})
	acme := s.create(b, "acme-corp")
	_, secret := s.mint(b, acme)
	ctx := b.Context()
	_, err := s.keys.Verify(ctx, secret, home)
	require.NoError(b, err)
	b.Run("from memory", func(b *testing.B) {
		b.ReportAllocs()
		s.proxy.Reset()
		for b.Loop() {
			_, _ = s.keys.Verify(ctx, secret, home)
		}
		require.Zero(b, s.proxy.Stats().RoundTrips)
	})
	b.Run("by all cores", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = s.keys.Verify(ctx, secret, home)
			}
		})
	})
	b.Run("from the database", func(b *testing.B) {
		for b.Loop() {
			s.keys.ForgetAll()
			_, _ = s.keys.Verify(ctx, secret, home)
		}
	})
}
