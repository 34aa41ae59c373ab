package web

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenantwall/tenantwall/internal/lru"
)

// How often one address may sign in. Each new e-mail address makes a user, and each sign-in
// a token.
const (
	signInBurst = 60
	signInEvery = 2 * time.Second

	// maxThrottled bounds how many addresses are remembered, the last ones.
	maxThrottled = 10_000
)

// throttle counts by the address of the peer: behind a reverse proxy, all share one count.
type throttle struct {
	mu sync.Mutex
	of *lru.Cache[string, *rate.Limiter]
}

func newThrottle() *throttle {
	return &throttle{of: lru.New[string, *rate.Limiter](maxThrottled)}
}

// take takes one sign-in from what an address has left, or tells how long it is to wait.
func (t *throttle) take(r *http.Request, now time.Time) error {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	left, known := t.of.Get(peer)
	if !known {
		left = rate.NewLimiter(rate.Every(signInEvery), signInBurst)
		t.of.Put(peer, left)
	}
	if left.AllowN(now, 1) {
		return nil
	}
	told := refuse(http.StatusTooManyRequests, "too_many_sign_ins", "this address has signed in too often; wait a moment")
	told.RetryAfter = strconv.Itoa(int(signInEvery / time.Second))
	return told
}
