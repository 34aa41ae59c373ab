package quota_test

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

// What a process decides by itself costs no trip. Beside redis_rate it is measured in
// examples/internal/quotabench.
func BenchmarkAdmitByLease(b *testing.B) {
	l := newLimiter(b, quota.NewMemory(nil), quota.Plan{Rates: []quota.Rate{{Name: "hot", Limit: 100_000, Per: time.Second, Burst: 100_000_000, Lease: true}}}, quota.Config{})
	acme, req := newTenant(), cost("hot", 1)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := l.Admit(b.Context(), acme, req); err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkRefuseFromMemory(b *testing.B) {
	l := newLimiter(b, quota.NewMemory(nil), quota.Plan{Rates: []quota.Rate{hourly("hot", 1)}}, quota.Config{RememberDenials: time.Minute})
	acme, req := newTenant(), cost("hot", 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Admit(b.Context(), acme, req); err != nil {
			b.Fatal(err)
		}
	}
}
