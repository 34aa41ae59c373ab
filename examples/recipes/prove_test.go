package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenant"
)

// Notes is what each recipe makes: notes of the tenant that the context is for.
type Notes interface {
	Add(ctx context.Context, title string) error
	Titles(ctx context.Context) ([]string, error)
}

const (
	callers = 6 // of each tenant
	rounds  = 8 // of each caller
)

// prove has two tenants work at once, on fewer connections than there are callers. Every
// third call is cancelled midway, at another moment each time, because that is when others
// leak. All that a tenant reads must be its own, and all that it wrote must be there.
func prove(t *testing.T, s site, n Notes) {
	t.Helper()
	for _, problem := range problems(t.Context(), s, n) {
		t.Error(problem)
	}
	_, err := n.Titles(t.Context())
	assert.ErrorIs(t, err, tenant.ErrRequired, "a call without a tenant")
	suspended := s.acme
	suspended.ID, suspended.Slug = tenant.NewID(), "never-was"
	assert.Error(t, n.Add(tenant.NewContext(t.Context(), suspended), "x"), "a tenant that never was")
}

// problems is what is wrong with n.
func problems(ctx context.Context, s site, n Notes) (found []string) {
	var mu sync.Mutex
	report := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, fmt.Sprintf(format, args...))
	}
	var all sync.WaitGroup
	for _, of := range []tenant.Tenant{s.acme, s.beta} {
		for caller := range callers {
			all.Go(func() {
				w := worker{tenant: of, notes: n, name: fmt.Sprintf("%s/%d", of.Slug, caller), report: report}
				w.work(tenant.NewContext(ctx, of))
			})
		}
	}
	all.Wait()
	return found
}

// worker is one caller of a tenant's.
type worker struct {
	tenant tenant.Tenant
	notes  Notes
	name   string
	report func(format string, args ...any)
}

func (w worker) work(ctx context.Context) {
	for round := range rounds {
		if round%3 == 2 {
			w.cancelled(ctx, time.Duration(round)*200*time.Microsecond)
			continue
		}
		title := fmt.Sprintf("%s: %d", w.name, round)
		if err := w.notes.Add(ctx, title); err != nil {
			w.report("%s: add: %v", w.name, err)
			return
		}
		titles, err := w.notes.Titles(ctx)
		if err != nil {
			w.report("%s: list: %v", w.name, err)
			return
		}
		w.look(titles, title)
	}
}

// cancelled makes calls that may end anywhere.
func (w worker) cancelled(ctx context.Context, after time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	if titles, err := w.notes.Titles(ctx); err == nil {
		w.look(titles, "")
	}
	if err := w.notes.Add(ctx, w.name+": perhaps"); errors.Is(err, tenant.ErrRequired) {
		w.report("%s: a cancelled call has lost its tenant: %v", w.name, err)
	}
}

// look reports titles of another tenant, and a title of one's own that is missing.
func (w worker) look(titles []string, own string) {
	seen := own == ""
	for _, title := range titles {
		if !strings.HasPrefix(title, string(w.tenant.Slug)+"/") {
			w.report("%s reads %q", w.name, title)
		}
		seen = seen || title == own
	}
	if !seen {
		w.report("%s doesn't read %q, which it has written", w.name, own)
	}
}

// shared are notes of all tenants in one place.
type shared struct {
	mu     sync.Mutex
	titles []string
}

func (s *shared) Add(_ context.Context, title string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.titles = append(s.titles, title)
	return nil
}

func (s *shared) Titles(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.titles...), nil
}
