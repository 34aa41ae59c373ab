package quotabench_test

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// BenchmarkCost tells where the time goes, which other work of the machine changes less than
// how long a call takes: microseconds of the server by call of a script, as it counts them
// itself, and microseconds of processor time of this process. Both are medians.
func BenchmarkCost(b *testing.B) {
	client := startRedis(b)
	contenders := newContenders(b, client)
	server, process := make(map[string][]float64), make(map[string][]float64)
	ask := func(c contender, calls int) {
		for range calls {
			if err := c.call(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		for _, c := range contenders {
			ask(c, 3)
			require.NoError(b, client.ConfigResetStat(b.Context()).Err())
			before := processorTime(b)
			ask(c, c.calls)
			took := processorTime(b) - before
			process[c.name] = append(process[c.name], float64(took.Microseconds())/float64(c.calls))
			if us, ok := scriptTime(b, client); ok {
				server[c.name] = append(server[c.name], us)
			}
			c.after(b.Context())
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, c := range contenders {
		if times := server[c.name]; len(times) > b.N/2 {
			b.ReportMetric(median(times), "server-us:"+c.name)
		}
		b.ReportMetric(median(process[c.name]), "process-us:"+c.name)
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

var evalsha = regexp.MustCompile(`cmdstat_evalsha:.*usec_per_call=([0-9.]+)`)

// scriptTime is how many microseconds a script took since the numbers were reset, if any ran.
func scriptTime(b *testing.B, client *redis.Client) (float64, bool) {
	b.Helper()
	info, err := client.Info(context.WithoutCancel(b.Context()), "commandstats").Result()
	require.NoError(b, err)
	m := evalsha.FindStringSubmatch(info)
	if m == nil {
		return 0, false
	}
	us, err := strconv.ParseFloat(m[1], 64)
	require.NoError(b, err)
	return us, true
}
