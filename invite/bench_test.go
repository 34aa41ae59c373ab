package invite_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// Users accept invitations, all of one tenant, which take turns, or of several.
func BenchmarkAccept(b *testing.B) {
	for _, tenants := range []int{1, 16} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			s := setUp(b, seats(invite.NoSeatLimit))
			in := make([]tenant.Tenant, tenants)
			for i := range in {
				in[i] = s.create(b, tenant.Slug(fmt.Sprintf("tenant-%d", i)), "owner")
			}
			secrets := make([]invite.Secret, b.N)
			for i := range secrets {
				_, secrets[i] = s.invited(b, in[i%tenants], "owner", emailOf(fmt.Sprintf("u%d", i)), invite.RoleMember)
			}
			var next atomic.Int64
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := next.Add(1) - 1
					_, err := s.members.Accept(b.Context(), secrets[i], userOf(fmt.Sprintf("u%d", i)))
					require.NoError(b, err)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
		})
	}
}
