package wire

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

type direction int

const (
	toServer direction = iota
	toClient
)

// link is one client's connection and the one to the server behind it.
type link struct {
	proxy   *Proxy
	ended   chan struct{}   // closed when run has returned
	severed chan struct{}   // closed by end
	passed  [2]atomic.Int64 // bytes

	mu     sync.Mutex
	counts counter
	conns  []*net.TCPConn // nil after end
}

func newLink(p *Proxy, client *net.TCPConn) *link {
	return &link{
		proxy:   p,
		ended:   make(chan struct{}),
		severed: make(chan struct{}),
		conns:   []*net.TCPConn{client},
	}
}

// run forwards until both sides have ended or the link is severed.
func (l *link) run() {
	defer close(l.ended)
	defer l.end(false) // what the kernel still has to send it sends
	l.mu.Lock()
	conns := l.conns
	l.mu.Unlock()
	if conns == nil {
		return
	}
	client := conns[0]
	conn, err := net.Dial("tcp", l.proxy.target)
	if err != nil {
		l.sever() // a reset is as much as a proxy can tell the client
		return
	}
	server := conn.(*net.TCPConn)
	if !l.adopt(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.forward(toServer, client, server) })
	both.Go(func() { l.forward(toClient, server, client) })
	both.Wait()
}

// adopt adds the server's side, unless the link has been severed by now.
func (l *link) adopt(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		_ = server.Close()
		return false
	}
	l.conns = append(l.conns, server)
	return true
}

// sever breaks both sides as a crash does: with a reset, and without what is under way.
func (l *link) sever() { l.end(true) }

// end closes both sides, once.
func (l *link) end(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		return
	}
	for _, c := range l.conns {
		// Errors mean that the other end was faster.
		if reset {
			_ = c.SetLinger(0)
		}
		_ = c.Close()
	}
	l.conns = nil
	close(l.severed)
}

// chunk is what one read brought, and when.
type chunk struct {
	data []byte
	read time.Time
}

// forward carries one direction. Reading goes on while chunks wait for their time, as
// they would on a long line. An end of the stream is passed on; an error severs the link.
func (l *link) forward(d direction, from, to *net.TCPConn) {
	line := make(chan chunk, 256) // at most 16 MiB under way
	var writing sync.WaitGroup
	writing.Go(func() {
		for c := range line {
			if !l.due(d, c.read) {
				break
			}
			if _, err := to.Write(c.data); err != nil {
				l.sever()
				break
			}
		}
		for range line { // so that the reader never waits for a writer that is gone
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			l.note(d, buf[:n]) // before the other side can see it: a test may look right after
			line <- chunk{data: bytes.Clone(buf[:n]), read: time.Now()}
		}
		if err == nil {
			continue
		}
		close(line)
		if err != io.EOF {
			l.sever()
		}
		writing.Wait()
		_ = to.CloseWrite() // fails when the link is severed, which says the same
		return
	}
}

// due waits until what was read at that time is to arrive, and reports false when the
// link is severed first.
func (l *link) due(d direction, read time.Time) bool {
	for {
		delay, changed := l.proxy.delay(d)
		wait := time.Until(read.Add(delay))
		if delay == 0 || wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			return true
		case <-changed:
			timer.Stop()
		case <-l.severed:
			timer.Stop()
			return false
		}
	}
}

// note counts what was read.
func (l *link) note(d direction, data []byte) {
	l.passed[d].Add(int64(len(data)))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.read(d, data)
}

func (l *link) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{
		RoundTrips: l.counts.trips,
		ToServer:   l.passed[toServer].Load(),
		ToClient:   l.passed[toClient].Load(),
	}
}

func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.trips = 0
	l.passed[toServer].Store(0)
	l.passed[toClient].Store(0)
}
