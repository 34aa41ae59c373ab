package devstack

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
)

// TemporalConfig says which Temporal to use. The zero value is an embedded one whose data
// are thrown away.
type TemporalConfig struct {
	// Address is the host:port of a server that exists, and Namespace one of its namespaces,
	// empty for "default". Without an address, a server is started.
	Address   string
	Namespace string

	// Dir is the folder in which a server that is started keeps its data, and finds them
	// again; empty, they are thrown away. It does not matter with an address.
	Dir string

	// Log is told of the SDK's and the server's complaints. Nil discards them.
	Log *slog.Logger
}

// Temporal is a server to make clients for. Its methods may be called from several
// goroutines at once.
type Temporal struct {
	options  client.Options
	embedded *temporalserver.Server // nil with an address
	where    string
}

// StartTemporal starts the server, unless it is told of one: whether that is there, the
// clients will find out. ctx bounds the start alone. The caller must Close what is
// returned. A program that was built without the embedded server gets
// [temporalserver.ErrLeftOut].
func StartTemporal(ctx context.Context, cfg TemporalConfig) (*Temporal, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Temporal{options: client.Options{HostPort: cfg.Address, Namespace: cmp.Or(cfg.Namespace, client.DefaultNamespace)}}
	if cfg.Address != "" {
		t.where = fmt.Sprintf("namespace %q at %s", t.options.Namespace, cfg.Address)
	} else {
		server := temporalserver.Config{Log: cfg.Log}
		data := "thrown away at exit"
		if cfg.Dir != "" {
			server.Dir = filepath.Join(cfg.Dir, "temporal")
			data = "kept in " + server.Dir
		}
		var err error
		if t.embedded, err = temporalserver.Start(ctx, server); err != nil {
			return nil, err
		}
		t.options = t.embedded.ClientOptions()
		t.where = fmt.Sprintf("embedded, at %s, data %s", t.embedded.Addr(), data)
	}
	t.options.Logger = sdklog.NewStructuredLogger(cfg.Log)
	return t, nil
}

// ClientOptions are what a client needs to connect.
func (t *Temporal) ClientOptions() client.Options { return t.options }

// String says where the server runs, and what becomes of its data.
func (t *Temporal) String() string { return t.where }

// Close stops the server if it was started. It takes up to 3 s.
func (t *Temporal) Close() error {
	if t.embedded == nil {
		return nil
	}
	return t.embedded.Close()
}
