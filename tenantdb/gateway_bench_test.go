package tenantdb_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
)

// BenchmarkFirstTenantOfAConnection tells how long a connection's first SET ROLE takes, by
// the number of tenants that its login may become; the guides' figures are of
//
//	go test ./tenantdb -run '^$' -bench FirstTenant -benchtime 20x
//
// and of the same with another PostgreSQL in TENANTWALL_PG_BIN.
func BenchmarkFirstTenantOfAConnection(b *testing.B) {
	server, err := localserver.StartPostgres(b.Context(), localserver.PostgresConfig{NoSync: true})
	require.NoError(b, err)
	defer server.Close()
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(b.Context(), server.SuperuserURL("postgres"))
		require.NoError(b, err)
		return conn
	}
	for _, memberships := range []int{500, 2000, 5000} {
		b.Run(fmt.Sprint(memberships), func(b *testing.B) {
			owner := connect()
			defer owner.Close(b.Context())
			_, err := owner.Exec(b.Context(), fmt.Sprintf(`DO $$ BEGIN
				CREATE ROLE gateway_%[1]d NOINHERIT;
				FOR i IN 1..%[1]d LOOP EXECUTE format('CREATE ROLE t_%[1]d_%%s ROLE gateway_%[1]d', i); END LOOP;
			END $$`, memberships))
			require.NoError(b, err)
			_, err = owner.Exec(b.Context(), `VACUUM ANALYZE`)
			require.NoError(b, err)

			var took []time.Duration
			for b.Loop() {
				conn := connect()
				_, err := conn.Exec(b.Context(), fmt.Sprintf(`SET SESSION AUTHORIZATION gateway_%d`, memberships))
				require.NoError(b, err)
				began := time.Now()
				_, err = conn.Exec(b.Context(), fmt.Sprintf(`SET ROLE t_%d_1`, memberships))
				took = append(took, time.Since(began))
				require.NoError(b, err)
				require.NoError(b, conn.Close(b.Context()))
			}
			slices.Sort(took)
			for name, at := range map[string]int{"ms-least": 0, "ms-median": len(took) / 2} {
				b.ReportMetric(float64(took[at].Microseconds())/1000, name)
			}
		})
	}
}
