package temporalserver

import (
	"errors"
	"log/slog"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

const (
	// DefaultNamespace is the namespace of a server whose [Config] names none.
	DefaultNamespace = "default"

	// TenantID is the name of the search attribute, a keyword, that the namespace has.
	TenantID = "TenantID"
)

// ErrNotStopped says that the server did not stop in time, as on a busy machine; what is left
// of it goes on stopping, and ends with the process at the latest.
var ErrNotStopped = errors.New("not stopped in time; what is left of it ends with this process")

// ErrLeftOut says that the program was built with the tag notes_lean, without a server.
var ErrLeftOut = errors.New("temporalserver: built without the embedded Temporal server (build tag notes_lean); name a real one, or build without the tag")

// Config says how a server is started. The zero value is one in memory on a free port.
type Config struct {
	// Dir is the folder in which the server keeps its data, in the file temporal.db, and
	// finds them again; it is made where it is missing. One process at a time has it, until
	// that process ends; others get ErrInUse of package localserver. Empty, the data are
	// in memory, and last until Close.
	Dir string

	// Port is the port that clients connect to; 0 is a free one.
	Port int

	// Namespace is registered, and that of [Server.ClientOptions]. Empty is
	// [DefaultNamespace].
	Namespace string

	// WithoutFairness leaves fairness off, as servers up to version 1.32 have it by
	// default: they then ignore the fairness keys of tasks, without a word.
	WithoutFairness bool

	// Partitions is into how many parts each task queue is cut, 0 means 1. Each part is fair
	// by itself alone; a server's own default is 4.
	Partitions int

	// Log gets what the server gives up with as an error, and all else that it says, errors
	// included, at debug level. Nil discards it.
	Log *slog.Logger
}

// Addr is the host:port that clients connect to. It is the same after a Restart.
func (s *Server) Addr() string { return s.addr }

// Namespace is the namespace that was registered.
func (s *Server) Namespace() string { return s.cfg.Namespace }

// ClientOptions are what a client needs to connect. The SDK's log is discarded; whoever
// wants it sets Logger.
func (s *Server) ClientOptions() client.Options {
	return client.Options{
		HostPort:  s.addr,
		Namespace: s.cfg.Namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}
