package problem

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
)

// response is a ResponseWriter that knows whether the response has begun.
type response struct {
	http.ResponseWriter
	logger *slog.Logger
	begun  bool // the status is sent, or the connection is not the server's any more
	cut    bool // what was sent must not be taken for a whole answer
}

// responseOf is the response that Recover put around the handler which got w, or nil.
func responseOf(w http.ResponseWriter) *response {
	for {
		switch inner := w.(type) {
		case *response:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begun = true // the other 1xx come before the response
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

func (w *response) WriteString(s string) (int, error) {
	w.begun = true
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom lets the server send a file without copying it through the process.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	before := w.begun
	w.begun = true // until it is known better: src may panic half way
	n, err := io.Copy(w.ResponseWriter, src)
	w.begun = before || n > 0
	return n, err
}

// Flush is for handlers that ask for an [http.Flusher].
func (w *response) Flush() { _ = w.FlushError() }

func (w *response) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.begun = true
	}
	return err
}

func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun = true
	}
	return conn, buffered, err
}
