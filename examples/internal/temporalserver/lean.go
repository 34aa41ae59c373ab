//go:build notes_lean

package temporalserver

import "context"

// Server is a running server. This build has none.
type Server struct {
	cfg  Config
	addr string
}

// Start returns [ErrLeftOut].
func Start(context.Context, Config) (*Server, error) { return nil, ErrLeftOut }

// Restart returns [ErrLeftOut].
func (*Server) Restart(context.Context) error { return ErrLeftOut }

// Stop does nothing.
func (*Server) Stop(context.Context) error { return nil }

// Close does nothing.
func (*Server) Close() error { return nil }
