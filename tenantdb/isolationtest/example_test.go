package isolationtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// A service that keeps whose a note is, and forgets to ask when one is read.
func ExampleCheck() {
	var mu sync.Mutex
	owners := map[string]string{}
	service := http.NewServeMux()
	service.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := fmt.Sprintf("note-%d", len(owners)+1)
		owners[id] = r.Header.Get("X-API-Key")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": id})
	})
	service.HandleFunc("GET /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if _, there := owners[r.PathValue("id")]; !there {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"id": r.PathValue("id")})
	})

	key := func(key string) isolationtest.Tenant {
		return isolationtest.Tenant{Credential: func(r *http.Request) { r.Header.Set("X-API-Key", key) }}
	}
	report, err := isolationtest.Check(context.Background(), isolationtest.Config{
		Handler: service,
		A:       key("acme's"),
		B:       key("beta's"),
		Routes: []isolationtest.Route{
			{Method: "POST", Path: "/notes", Body: `{"title":"{mark}"}`},
			{Method: "GET", Path: "/notes/{id}"},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range report.Findings {
		place, _, _ := strings.Cut(finding.Detail, ";")
		fmt.Println(finding.Kind, "|", finding.Route, "|", finding.Way, "|", place)
	}
	// Output:
	// data | GET /notes/{id} | A's id in the path | status is "200", and "404" otherwise
}

// In a test, with the service's own OpenAPI document, and tenants that are named by a header.
func ExampleRun() { //nolint:testableexamples // it needs a service
	var (
		t        *testing.T // the test's
		service  http.Handler
		document []byte
	)
	member := func(token, slug, colleague string) isolationtest.Tenant {
		return isolationtest.Tenant{
			Credential: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
			Names:      []isolationtest.Naming{isolationtest.ByHeader("X-Tenant-Slug", slug), isolationtest.ByHost(slug + ".example.com")},
			Called:     []string{slug},
			Params:     map[string]string{"user_id": colleague},
		}
	}
	test := func() {
		isolationtest.Run(t, isolationtest.Config{
			Handler: service,
			OpenAPI: document,
			A:       member("token of ada", "acme-corp", "cleo's id"),
			B:       member("token of ben", "beta-industries", "dora's id"),
			Skip:    map[string]string{"POST /v1/login": "it belongs to no tenant"},
		})
	}
	_ = test
}

// What the service does in its sessions, broken off at any time.
func ExampleSessions() { //nolint:testableexamples // it needs a database
	var (
		t          *testing.T // the test's
		acme, beta tenant.Tenant
	)
	test := func() {
		config, err := pgxpool.ParseConfig("postgres://tenantwall_gateway@127.0.0.1/notes")
		if err != nil {
			t.Fatal(err)
		}
		isolationtest.Sessions(t, isolationtest.SessionConfig{
			Pool:    config,
			Tenants: []tenant.Tenant{acme, beta},
			Mark:    `SELECT title FROM note ORDER BY id LIMIT 1`,
			Work: []func(context.Context, *tenantdb.DB) error{
				func(ctx context.Context, db *tenantdb.DB) error {
					_, err := db.Exec(ctx, `UPDATE note SET body = 'changed'`)
					return err
				},
			},
		})
	}
	_ = test
}

// The same for a program that is no test, such as a check in a pipeline.
func ExampleCheckSessions() { //nolint:testableexamples // it needs a database
	var (
		ctx     context.Context
		config  *pgxpool.Config // of the gateway's pool
		tenants []tenant.Tenant // two at least
	)
	check := func() error {
		report, err := isolationtest.CheckSessions(ctx, isolationtest.SessionConfig{
			Pool: config, Tenants: tenants, Mark: `SELECT title FROM note ORDER BY id LIMIT 1`, Rounds: 10_000,
		})
		if err != nil {
			return err // nothing can be said
		}
		if len(report.Findings) > 0 {
			return errors.New(report.String())
		}
		return nil
	}
	_ = check
}
