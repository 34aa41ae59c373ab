package tenantdb

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
)

// envBenchTenants is how many schemas BenchmarkMigrate migrates; 200 without it.
const envBenchTenants = "TENANTWALL_BENCH_TENANTS"

// BenchmarkMigrate migrates two sets of schemas on a durable server, one tenant after the
// other and several at once, in turns. An iteration adds a migration of two statements to
// both; the first has made four tables. It prints medians and their ratio:
//
//	TENANTWALL_BENCH_TENANTS=2000 go test ./tenantdb -run '^$' -bench Migrate -benchtime 4x
func BenchmarkMigrate(b *testing.B) {
	n := 200
	if s := os.Getenv(envBenchTenants); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	y := benchYard(b)
	sets := [2][]target{y.schemas(n), y.schemas(n)}
	content := map[string]string{"1_tables.sql": benchTables}
	migrate := func(workers int, targets []target) time.Duration {
		began := time.Now()
		report, err := y.migrate(parsed(b, content), MigrateOptions{Workers: workers}, targets)
		require.NoError(b, err)
		require.Equal(b, n, report.Count(OutcomeMigrated))
		return time.Since(began)
	}
	b.Logf("%d tenants, four tables each: serial %v, 8 workers %v", n, migrate(1, sets[0]), migrate(8, sets[1]))

	times := map[string][]time.Duration{}
	for i := 0; b.Loop(); i++ {
		content[fmt.Sprintf("%d_more.sql", i+2)] = fmt.Sprintf(`ALTER TABLE note ADD COLUMN c%d text NOT NULL DEFAULT ''; CREATE INDEX ON note (c%[1]d)`, i)
		turn := []func(){
			func() { times["serial"] = append(times["serial"], migrate(1, sets[i%2])) },
			func() { times["parallel"] = append(times["parallel"], migrate(8, sets[1-i%2])) },
		}
		for j := range turn {
			turn[(i/2+j)%2]()
		}
		began := time.Now()
		_, err := y.migrate(parsed(b, content), MigrateOptions{}, sets[0])
		require.NoError(b, err)
		times["noop"] = append(times["noop"], time.Since(began))
		began = time.Now()
		y.status(parsed(b, content), sets[0]...)
		times["status"] = append(times["status"], time.Since(began))
	}
	for name, measured := range times {
		b.ReportMetric(float64(median(measured).Microseconds())/1000/float64(n), name+"-ms/tenant")
	}
	b.ReportMetric(float64(median(times["parallel"]))/float64(median(times["serial"])), "parallel/serial")
	b.ReportMetric(0, "ns/op") // of an iteration, which means nothing
}

const benchTables = `
CREATE TABLE author (id uuid PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL DEFAULT '');
CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author uuid REFERENCES author, title text NOT NULL CHECK (title <> ''), body text NOT NULL);
CREATE INDEX ON note (author, id);
CREATE TABLE tag (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE note_tag (note bigint REFERENCES note ON DELETE CASCADE, tag int REFERENCES tag, PRIMARY KEY (note, tag));`

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// benchYard is a yard on a server of its own that forces what it commits to disk.
func benchYard(b *testing.B) *yard {
	b.Helper()
	server, err := localserver.StartPostgres(context.Background(), localserver.PostgresConfig{
		Settings: map[string]string{"max_locks_per_transaction": "256"},
	})
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Close() })
	conn, err := pgx.Connect(context.Background(), server.SuperuserURL("postgres"))
	require.NoError(b, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), `CREATE ROLE control LOGIN CREATEROLE PASSWORD 'control-secret'; GRANT CREATE, TEMPORARY ON DATABASE postgres TO control`)
	require.NoError(b, err)
	y := &yard{t: b, url: server.URL("control", "control-secret", "postgres")}
	y.pool = y.poolOn(y.url, 9)
	require.NoError(b, migrateLedger(context.Background(), y.pool))
	return y
}
