// Package house_test holds the packages of the module to the table of who may import whom.
package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/tenantwall/tenantwall"

const (
	pgx         = "github.com/jackc/pgx/v5"
	jwt         = "github.com/golang-jwt/jwt/v5"
	otter       = "github.com/maypok86/otter/v2"
	netx        = "golang.org/x/net"
	syncx       = "golang.org/x/sync"
	goRedis     = "github.com/redis/go-redis/v9"
	temporal    = "go.temporal.io/sdk"
	temporalAPI = "go.temporal.io/api"
	nexus       = "github.com/nexus-rpc/sdk-go"
	grpc        = "google.golang.org/grpc"
	protobuf    = "google.golang.org/protobuf"
	otel        = "go.opentelemetry.io/otel"
	otelTrace   = "go.opentelemetry.io/otel/trace"
	otelMetric  = "go.opentelemetry.io/otel/metric"
	otelSDK     = "go.opentelemetry.io/otel/sdk"
)

// room is a package, and what its code (not its tests) may import: packages of this module,
// and modules of others.
type room struct {
	name   string
	ours   []string
	others []string
}

// table is the whole house, from the foundations up: a room imports only from those above
// it in this list. A room that is not built yet has its place already. Of internal/ it has
// what users link; the rest is for tests and examples, and may import what it likes.
var table = []room{
	{"internal/lru", nil, nil},
	{"internal/setting", nil, nil},
	{"internal/responsewriter", nil, nil},
	{"internal/dnsname", nil, []string{netx}},
	{"tenant", nil, nil},
	{"tenant/problem", []string{"internal/responsewriter", "tenant"}, nil},
	{"tenant/accesstoken", []string{"tenant", "tenant/problem", "internal/lru"}, []string{jwt}},
	{"tenant/tenanttest", []string{"tenant"}, nil},
	{"tenantdb", []string{"internal/dnsname", "internal/lru", "tenant"}, []string{pgx, syncx}},
	{"tenantdb/tenantsql", []string{"tenant", "tenantdb"}, []string{pgx}},
	{"tenantdb/isolationtest", []string{"tenant", "tenantdb"}, []string{pgx}},
	{"resolve", []string{"internal/dnsname", "tenant", "tenant/problem"}, []string{otter, syncx}},
	{"resolve/rediscache", []string{"internal/setting", "tenant", "resolve"}, []string{goRedis, syncx}},
	{"invite", []string{"internal/dnsname", "internal/lru", "internal/setting", "tenant", "tenant/problem", "tenantdb"}, []string{pgx}},
	{"apikey", []string{"internal/lru", "internal/setting", "tenant", "tenant/problem", "tenantdb"}, []string{pgx}},
	{"quota", []string{"internal/setting", "tenant", "tenant/problem"}, []string{goRedis}},
	{"quota/quotatest", []string{"tenant", "quota"}, nil},
	{"quota/ledger", []string{"internal/setting", "tenant", "tenantdb", "quota"}, []string{pgx}},
	{"temporalx", []string{"tenant", "tenantdb"}, []string{pgx, temporal, temporalAPI, nexus, grpc, protobuf}},
	{"temporalx/temporalxtest", nil, []string{temporal, temporalAPI}},
	{"otelx", []string{"internal/responsewriter", "tenant"}, []string{otel, otelTrace, otelMetric, otelSDK}},
}

// links are promises about the finished program, through whatever is imported: what may be
// linked at all, when only is set, or what may not.
var links = []struct {
	name   string
	only   []string // modules; not nil means no others
	never  []string // modules
	reason string
}{
	{"tenant", []string{module}, nil, "the words cost nothing"},
	{"tenant/problem", []string{module}, nil, "a problem is net/http and JSON"},
	{"tenant/tenanttest", []string{module}, nil, "it would bring a testing library into the tests of others"},
	{"resolve", nil, []string{goRedis, temporal, temporalAPI, pgx}, "a service may keep its tenants elsewhere"},
	{"tenantdb", nil, []string{goRedis, temporal, temporalAPI, otter}, "sessions need PostgreSQL alone"},
}

// listed is what the go command knows of a package.
type listed struct {
	ImportPath string
	Standard   bool
	GoFiles    []string // none in a folder of tests alone, which nobody links
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

// list is every package of the module and every one that is linked with them, by path.
func list(t *testing.T) map[string]listed {
	t.Helper()
	seeSources(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,GoFiles,Imports,Deps,Module", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	require.NoError(t, err, "go list: %s", complaint.String())
	packages := make(map[string]listed)
	for reader := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := reader.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages[p.ImportPath] = p
	}
}

// seeSources looks at what go list is going to read. The go command repeats the result of a
// test from its cache until a file changes that the test itself has looked at; what a child
// process reads it doesn't know.
func seeSources(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" && filepath.Base(path) != "go.mod" {
			return err
		}
		_, err = os.Stat(path)
		return err
	}))
}

// moduleOf is the module that a package is of, empty for the standard library.
func moduleOf(packages map[string]listed, path string) string {
	p := packages[path]
	if p.Standard || p.Module == nil {
		return ""
	}
	return p.Module.Path
}

func TestEachPackageImportsWhatTheTableAllows(t *testing.T) {
	t.Parallel()
	packages := list(t)
	rooms := make(map[string]room)
	for _, r := range table {
		rooms[module+"/"+r.name] = r
	}
	for _, path := range slices.Sorted(maps.Keys(packages)) {
		name := strings.TrimPrefix(path, module+"/")
		r, known := rooms[path]
		if moduleOf(packages, path) != module || len(packages[path].GoFiles) == 0 || strings.HasPrefix(name, "internal/") && !known {
			continue
		}
		if !assert.True(t, known, "%s has no place in the table", name) {
			continue
		}
		for _, imported := range packages[path].Imports {
			switch of := moduleOf(packages, imported); of {
			case "":
			case module:
				assert.Contains(t, r.ours, strings.TrimPrefix(imported, module+"/"), "what %s imports of ours", name)
			default:
				assert.Contains(t, r.others, of, "what %s imports of others, here %s", name, imported)
			}
		}
	}
}

func TestProgramsLinkWhatIsPromised(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for _, promise := range links {
		for _, dep := range packages[module+"/"+promise.name].Deps { // none of a package that is not built yet
			of := moduleOf(packages, dep)
			if of == "" {
				continue
			}
			if promise.only != nil {
				assert.Contains(t, promise.only, of, "%s links %s, but %s", promise.name, dep, promise.reason)
			}
			assert.NotContains(t, promise.never, of, "%s links %s, but %s", promise.name, dep, promise.reason)
		}
	}
}

func TestTableHasArrowsInItsOwnOrderOnly(t *testing.T) {
	t.Parallel()
	var above []string
	for _, r := range table {
		for _, imported := range r.ours {
			assert.Contains(t, above, imported, "%s imports what stands below it", r.name)
		}
		above = append(above, r.name)
	}
	peers := []string{"invite", "apikey", "quota", "temporalx", "otelx"}
	for _, r := range table {
		if group, _, _ := strings.Cut(r.name, "/"); slices.Contains(peers, group) {
			for _, imported := range r.ours {
				other, _, _ := strings.Cut(imported, "/")
				assert.False(t, other != group && slices.Contains(peers, other), "%s and %s are to know nothing of each other", r.name, imported)
			}
		}
	}
}

func TestArchitectureHasTheSameTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	require.NoError(t, err)
	rows := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			rows[strings.Trim(cells[1], " `/")] = cells[3]
		}
	}
	names := make(map[string]bool)
	for _, r := range table {
		names[r.name] = true
	}
	for _, r := range table {
		told, there := rows[r.name]
		if !assert.True(t, there, "ARCHITECTURE.md has no row for %s", r.name) {
			continue
		}
		ours, _, _ := strings.Cut(told, "·")
		var imported []string
		for name := range strings.SplitSeq(ours, ",") {
			if name = strings.TrimSpace(name); names[name] {
				imported = append(imported, name)
			}
		}
		assert.ElementsMatch(t, r.ours, imported, "what %s may import, as ARCHITECTURE.md tells it", r.name)
	}
}
