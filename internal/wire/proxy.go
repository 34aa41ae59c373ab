// Package wire is a TCP proxy for tests and measurements. It stands between a client
// and a server of this machine, counts PostgreSQL round trips and bytes, adds latency,
// and cuts connections.
//
//	proxy := wire.NewProxy(t, url)           // a URL or host:port of the real server
//	conn, err := pgx.Connect(ctx, proxy.URL(url))
//	…
//	proxy.Reset()
//	… the work to be measured …
//	assert.Equal(t, 1, proxy.Stats().RoundTrips)
//
// # What a round trip is
//
// A round trip is a point at which the client has to wait for the server. On the wire of
// PostgreSQL these are exact, whatever way TCP cuts the stream: each ReadyForQuery (the
// end of a Query, a Sync or a FunctionCall), each CopyInResponse and CopyBothResponse
// (the server waits for the client's data), and each Flush that the client sends. Several
// in one burst, as a pipeline with several Syncs sends them, are counted one by one,
// although their waiting overlaps. What leads to a connection's first ReadyForQuery,
// start-up and sign-in, is not counted, nor is a cancel request.
//
// Other protocols pass through with only their bytes counted, and so does an encrypted
// connection (use sslmode=disable).
package wire

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// Stats is what passed since the start or the last [Proxy.Reset].
type Stats struct {
	RoundTrips int   // of PostgreSQL, see the package comment
	ToServer   int64 // bytes
	ToClient   int64 // bytes
}

// Proxy forwards connections to one server. Its methods may be called from several
// goroutines at once.
type Proxy struct {
	target   string
	listener net.Listener
	done     sync.WaitGroup // the accepting goroutine and all links

	mu      sync.Mutex
	cut     bool
	links   []*link // all that ever were, in the order they came
	delays  [2]time.Duration
	changed chan struct{} // closed when delays change
}

// New starts a proxy on a free port of the loopback interface. target is the server's
// host:port, or a URL that has it, such as a connection string. The caller must Close
// the proxy.
func New(target string) (*Proxy, error) {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		target = u.Host
	}
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("wire: the target must be host:port: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	p := &Proxy{target: target, listener: l, changed: make(chan struct{})}
	p.done.Go(p.accept)
	return p, nil
}

// NewProxy is [New] for a test, which closes the proxy when it ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := New(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Addr is the host:port that clients connect to in the server's place.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL is a connection string of the server that leads through the proxy. It panics when
// it is not a URL.
func (p *Proxy) URL(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(fmt.Sprintf("wire: %v", err))
	}
	u.Host = p.Addr()
	return u.String()
}

// Stats sums over all connections, also those that have ended.
func (p *Proxy) Stats() Stats {
	var sum Stats
	for _, s := range p.Connections() {
		sum.RoundTrips += s.RoundTrips
		sum.ToServer += s.ToServer
		sum.ToClient += s.ToClient
	}
	return sum
}

// Connections has the numbers of each connection since the proxy began, in the order
// they came, also those that have ended.
func (p *Proxy) Connections() []Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := make([]Stats, len(p.links))
	for i, l := range p.links {
		stats[i] = l.stats()
	}
	return stats
}

// Reset sets all numbers to 0 and leaves the connections alone.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		l.reset()
	}
}

// Delay makes all data arrive so much later, in each direction, from now on and for what
// is under way: a round trip takes toServer + toClient longer. It is latency, not
// bandwidth: what is sent at once arrives at once. A long delay makes a server that
// hangs; Delay(0, 0) wakes it.
func (p *Proxy) Delay(toServer, toClient time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delays = [2]time.Duration{toServer, toClient}
	close(p.changed)
	p.changed = make(chan struct{})
}

// delay is the delay in a direction, and what is closed when it changes.
func (p *Proxy) delay(d direction) (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delays[d], p.changed
}

// Cut breaks all connections at once, as a crash does, with a reset and without what was
// under way, and does the same to each new one until [Proxy.Restore].
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.cut = true
	links := slices.Clone(p.links)
	p.mu.Unlock()
	for _, l := range links {
		l.sever()
	}
	for _, l := range links {
		<-l.ended
	}
}

// Restore lets new connections through after [Proxy.Cut].
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Close cuts all connections and stops listening. It may be called again.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Cut()
	p.done.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed; nothing else stops a loopback listener
		}
		l := newLink(p, client.(*net.TCPConn))
		p.mu.Lock()
		cut := p.cut
		if !cut {
			p.links = append(p.links, l)
			p.done.Go(l.run)
		}
		p.mu.Unlock()
		if cut {
			l.sever()
		}
	}
}
