package localserver

import (
	"errors"
	"sync"
)

// server is what the three servers have in common. Its methods may be called from
// several goroutines at once.
type server struct {
	port    int
	run     *lockedFolder // sockets and configuration, removed at the end
	process *process      // nil until it is started
	close   func() error
}

// open makes the server's run folder, and sets what Close does: it sends the signals
// of steps until the server is gone.
func (s *server) open(name string, as *account, inMemory bool, steps ...step) (err error) {
	if s.run, err = newRunFolder(name, as, inMemory); err != nil {
		return err
	}
	s.close = sync.OnceValue(func() error {
		var err error
		if s.process != nil {
			err = s.process.stop(steps...)
		}
		return errors.Join(err, s.run.remove())
	})
	return nil
}

// Port is the port of 127.0.0.1 that the server listens on.
func (s *server) Port() int { return s.port }

// PID is the id of the server's process; for PostgreSQL of the first one, the postmaster.
func (s *server) PID() int { return s.process.cmd.Process.Pid }

// Log is the last of what the server wrote, up to 16 KiB.
func (s *server) Log() string { return s.process.log.String() }

// Close stops the server, waits for its end and removes its temporary files. It takes
// up to 2 s, for a PostgreSQL with data to keep up to 7 s; a server that has not
// stopped by then is killed, which is an error. Close may be called again, with the
// same result.
func (s *server) Close() error { return s.close() }
