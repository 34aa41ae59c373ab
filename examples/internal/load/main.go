// Command load shows that a tenant who asks too much takes nothing from its neighbour. It
// signs in to a Notes service in demo mode, and asks for the notes of a tenant on the plan
// free and of one on the plan pro, side by side, at a rate for each:
//
//	go run ./examples/notes            # in one terminal
//	go run ./examples/internal/load    # in another
//
// It prints how many requests of each were answered and refused, and how long the answered
// ones took.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// stream is the requests of one tenant.
type stream struct {
	tenant, email string
	rate          int // requests a second

	mu       sync.Mutex
	answered []time.Duration // of 200
	refused  int             // 429
	failed   map[string]int  // all else
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	url := flags.String("url", "http://127.0.0.1:8080", "`address` of the service")
	lasts := flags.Duration("for", 10*time.Second, "how long to ask")
	free := flags.Int("free", 20, "requests a second of beta-industries, on the plan free")
	pro := flags.Int("pro", 50, "requests a second of acme-corp, on the plan pro")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *free < 1 || *pro < 1 || *free > 1000 || *pro > 1000 {
		return errors.New("rates are from 1 to 1000 a second")
	}
	streams := []*stream{
		{tenant: "beta-industries", email: "ben@beta.example", rate: *free, failed: map[string]int{}},
		{tenant: "acme-corp", email: "ada@acme.example", rate: *pro, failed: map[string]int{}},
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	var group sync.WaitGroup
	for _, s := range streams {
		token, err := signIn(ctx, client, *url, s.email)
		if err != nil {
			return err
		}
		group.Go(func() { s.ask(ctx, client, *url, token, *lasts) })
	}
	group.Wait()
	return report(out, *lasts, streams)
}

// signIn is a token of a user, for no tenant.
func signIn(ctx context.Context, client *http.Client, url, email string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/login", strings.NewReader(fmt.Sprintf(`{"email":%q}`, email)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("sign in as %s: %s: is the service in demo mode?", email, res.Status)
	}
	var answer struct {
		Token string `json:"token"`
	}
	err = json.NewDecoder(res.Body).Decode(&answer)
	return answer.Token, err
}

// ask sends requests at the rate, whether or not the earlier ones are answered.
func (s *stream) ask(ctx context.Context, client *http.Client, url, token string, lasts time.Duration) {
	every := time.NewTicker(time.Second / time.Duration(s.rate))
	defer every.Stop()
	var group sync.WaitGroup
	defer group.Wait()
	for range int(lasts.Seconds() * float64(s.rate)) {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			group.Go(func() { s.once(ctx, client, url, token) })
		}
	}
}

func (s *stream) once(ctx context.Context, client *http.Client, url, token string) {
	begun := time.Now()
	status, err := list(ctx, client, url, token, s.tenant)
	took := time.Since(begun)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.failed[err.Error()]++
	case status == http.StatusOK:
		s.answered = append(s.answered, took)
	case status == http.StatusTooManyRequests:
		s.refused++
	default:
		s.failed[http.StatusText(status)]++
	}
}

// list asks for the notes of a tenant.
func list(ctx context.Context, client *http.Client, url, token, in string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/notes", http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Tenant-Slug", in)
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func report(out io.Writer, lasts time.Duration, streams []*stream) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "tenant\tasked\tanswered\trefused (429)\tfailed\thalf within\t99 % within")
	for _, s := range streams {
		failed := 0
		for _, n := range s.failed {
			failed += n
		}
		slices.Sort(s.answered)
		fmt.Fprintf(w, "%s\t%d in %s\t%d\t%d\t%d\t%s\t%s\n", s.tenant, len(s.answered)+s.refused+failed, lasts,
			len(s.answered), s.refused, failed, quantile(s.answered, 50), quantile(s.answered, 99))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range streams {
		for what, n := range s.failed {
			fmt.Fprintf(out, "%s: %d × %s\n", s.tenant, n, what)
		}
	}
	return nil
}

// quantile is the time within which so many in a hundred were answered.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100].Round(10 * time.Microsecond)
}
