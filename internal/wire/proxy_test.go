package wire_test

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/internal/wire"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestRoundTripsOfPostgreSQL(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	proxy := wire.NewProxy(t, url)
	conn := connect(t, proxy.URL(url))
	assert.Equal(t, 0, proxy.Stats().RoundTrips, "start-up and sign-in")
	_, err := conn.Exec(t.Context(), `CREATE TABLE copied (n int)`)
	require.NoError(t, err)

	one := func(mode pgx.QueryExecMode) func(*testing.T) {
		return func(t *testing.T) {
			var n int
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT $1::int`, mode, 7).Scan(&n))
		}
	}
	for _, step := range []struct {
		name string
		want int
		do   func(t *testing.T)
	}{
		{"the simple protocol", 1, one(pgx.QueryExecModeSimpleProtocol)},
		{"the extended protocol unprepared", 1, one(pgx.QueryExecModeExec)},
		{"a statement that is prepared first", 2, one(pgx.QueryExecModeCacheStatement)},
		{"a statement that is prepared already", 1, one(pgx.QueryExecModeCacheStatement)},
		{"a long answer", 1, func(t *testing.T) {
			rows, err := conn.Query(t.Context(), `SELECT repeat('x', 1000) FROM generate_series(1, 1000)`, pgx.QueryExecModeExec)
			require.NoError(t, err)
			rows.Close()
			require.NoError(t, rows.Err())
		}},
		{"an error", 1, func(t *testing.T) {
			_, err := conn.Exec(t.Context(), `SELECT 1/0`)
			require.Error(t, err)
		}},
		{"a transaction of one statement", 3, func(t *testing.T) {
			require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `SELECT 1`)
				return err
			}))
		}},
		{"COPY: the layout, the start, the data", 3, func(t *testing.T) {
			_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"copied"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}}))
			require.NoError(t, err)
		}},
		{"a pipeline with a Flush before its Sync", 2, func(t *testing.T) {
			pipeline := conn.PgConn().StartPipeline(t.Context())
			pipeline.SendQueryParams(`SELECT 1`, nil, nil, nil, nil)
			pipeline.SendFlushRequest()
			require.NoError(t, pipeline.Flush())
			_, err := pipeline.GetResults()
			require.NoError(t, err)
			require.NoError(t, pipeline.Sync())
			require.NoError(t, pipeline.Close())
		}},
	} {
		proxy.Reset()
		step.do(t)
		assert.Equal(t, step.want, proxy.Stats().RoundTrips, step.name)
	}
}

func TestConnectionsAreCountedApart(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	proxy := wire.NewProxy(t, url)
	first, second := connect(t, proxy.URL(url)), connect(t, proxy.URL(url))
	for range 3 {
		require.NoError(t, first.Ping(t.Context()))
	}
	require.NoError(t, second.Ping(t.Context()))

	connections := proxy.Connections()
	require.Len(t, connections, 2)
	assert.Equal(t, 3, connections[0].RoundTrips)
	assert.Equal(t, 1, connections[1].RoundTrips)
	assert.Equal(t, 4, proxy.Stats().RoundTrips)
	proxy.Reset()
	assert.Equal(t, []wire.Stats{{}, {}}, proxy.Connections())
}

func TestCutBreaksWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	proxy := wire.NewProxy(t, url)
	conn := connect(t, proxy.URL(url))

	failed := make(chan error)
	go func() {
		_, err := conn.Exec(t.Context(), `SELECT pg_sleep(60)`)
		failed <- err
	}()
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	proxy.Cut()
	require.Error(t, <-failed)
	assert.Less(t, time.Since(began), 10*time.Second)

	_, err := pgx.Connect(t.Context(), proxy.URL(url))
	require.Error(t, err)
	proxy.Restore()
	require.NoError(t, connect(t, proxy.URL(url)).Ping(t.Context()))
}

func TestServerThatIsAway(t *testing.T) {
	t.Parallel()
	proxy := wire.NewProxy(t, "127.0.0.1:1") // nobody listens there, and nobody is given that port meanwhile
	_, err := pgx.Connect(t.Context(), "postgres://"+proxy.Addr()+"/?sslmode=disable")
	require.Error(t, err)
}

func TestDelayIsLatency(t *testing.T) {
	t.Parallel()
	proxy := wire.NewProxy(t, echo(t))
	client := dial(t, proxy)
	const delay = time.Second
	proxy.Delay(delay, delay)

	began := time.Now()
	for range 8 { // chunks that do not wait for each other
		_, err := client.Write([]byte("x"))
		require.NoError(t, err)
		time.Sleep(5 * time.Millisecond)
	}
	_, err := io.ReadFull(client, make([]byte, 8))
	require.NoError(t, err)
	took := time.Since(began)
	assert.GreaterOrEqual(t, took, 2*delay)
	assert.Less(t, took, 8*delay, "and the delays don't add up to 16")
}

func TestLongDelayEndsAtOnce(t *testing.T) {
	t.Parallel()
	proxy := wire.NewProxy(t, echo(t))
	client := dial(t, proxy)
	proxy.Delay(time.Hour, 0)
	_, err := client.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, client.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)

	require.NoError(t, client.SetReadDeadline(time.Now().Add(10*time.Second)))
	proxy.Delay(0, 0)
	_, err = client.Read(make([]byte, 1))
	require.NoError(t, err)

	proxy.Delay(time.Hour, time.Hour)
	_, err = client.Write([]byte("x"))
	require.NoError(t, err)
	proxy.Close() // does not wait for the hour
}

func TestBytesAndTheEndOfAStreamPass(t *testing.T) {
	t.Parallel()
	proxy := wire.NewProxy(t, echo(t))
	client := dial(t, proxy)
	sent := strings.Repeat("all of it, in order. ", 100_000)
	go func() {
		_, err := io.WriteString(client, sent)
		assert.NoError(t, err)
		assert.NoError(t, client.CloseWrite())
	}()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.True(t, sent == string(got), "%d bytes of %d", len(got), len(sent))
	assert.Equal(t, wire.Stats{ToServer: int64(len(sent)), ToClient: int64(len(sent))}, proxy.Stats())
}

func TestTargetMustHaveAPort(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", "localhost", "postgres://localhost/db"} {
		_, err := wire.New(target)
		require.Error(t, err, target)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // it may be cut
	return conn
}

func dial(t *testing.T, proxy *wire.Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", proxy.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // it may be cut
	return conn.(*net.TCPConn)
}

// echo is a server that sends back what it gets, until the client's stream ends.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				_, _ = io.Copy(conn, conn) // a cut connection is one of the tests
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, l.Close())
		all.Wait()
	})
	return l.Addr().String()
}
