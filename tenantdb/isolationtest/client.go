package isolationtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is how much of an answer is read.
const maxBody = 4 << 20

// answer is what the service said.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

func (a answer) refused() bool { return a.status >= http.StatusBadRequest }

// errLimited says that a tenant was refused for its rate, so that nothing can be told apart.
var errLimited = errors.New("the service goes on answering 429: give both tenants a plan without a limit of requests")

// maxWait is how long a check waits altogether for a service that limits the rate.
const maxWait = time.Minute

// client sends requests to the service.
type client struct {
	http   *http.Client
	base   string
	sent   int
	waited time.Duration
}

// send makes a call for a party, with its cookies; the options sign it and name the tenant. A call that is refused for its
// rate is made again when that is over.
func (cl *client) send(ctx context.Context, by *party, c call, options ...func(*http.Request)) (answer, error) {
	for {
		got, err := cl.sendOnce(ctx, by, c, options)
		if err != nil || got.status != http.StatusTooManyRequests {
			return got, err
		}
		seconds, _ := strconv.Atoi(got.header.Get("Retry-After")) // a date is as good as nothing
		pause := time.Duration(max(seconds, 1)) * time.Second
		if cl.waited += pause; cl.waited > maxWait {
			return got, fmt.Errorf("%s %s: %w", c.method, c.target, errLimited)
		}
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (cl *client) sendOnce(ctx context.Context, by *party, c call, options []func(*http.Request)) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, c.method, cl.base+c.target, strings.NewReader(c.body))
	if err != nil {
		return answer{}, fmt.Errorf("make the request %s %s: %w", c.method, c.target, err)
	}
	maps.Copy(r.Header, c.header)
	for _, option := range options {
		option(r)
	}
	begun := time.Now()
	own := *cl.http
	own.Jar = by.jar
	res, err := own.Do(r)
	if err != nil {
		return answer{}, fmt.Errorf("call the service: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or is given up
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer to %s %s: %w", c.method, c.target, err)
	}
	cl.sent++
	return answer{status: res.StatusCode, header: res.Header, body: body, took: time.Since(begun)}, nil
}
