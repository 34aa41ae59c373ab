// Package responsewriter is the one way in which middleware sees what a handler answers,
// without taking from the handler what the server's ResponseWriter can do.
package responsewriter

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// Writer is a ResponseWriter that knows whether the response has begun, and with which
// status. It knows Flush, Hijack and ReadFrom as far as the one beneath it does, and the
// rest by [http.ResponseController].
type Writer struct {
	http.ResponseWriter

	// Status is the one that is sent, and 0 until the response has begun. It is 101 for a
	// connection that is not the server's any more: what is said there is another protocol.
	Status int
}

// begin notes the status, unless there is one already: only the first is sent.
func (w *Writer) begin(status int) {
	if w.Status == 0 {
		w.Status = status
	}
}

// Unwrap is for [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *Writer) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begin(status) // the other 1xx come before the response
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *Writer) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// WriteString implements [io.StringWriter].
func (w *Writer) WriteString(s string) (int, error) {
	w.begin(http.StatusOK)
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements [io.ReaderFrom], with which a server sends a file without copying it
// through the process.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	before := w.Status
	w.begin(http.StatusOK) // until it is known better: src may panic half way
	n, err := io.Copy(w.ResponseWriter, src)
	if n == 0 {
		w.Status = before
	}
	return n, err
}

// Flush implements [http.Flusher].
func (w *Writer) Flush() { _ = w.FlushError() } // which has no way to tell

// FlushError is for [http.ResponseController].
func (w *Writer) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.begin(http.StatusOK)
	}
	return err
}

// Hijack implements [http.Hijacker].
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begin(http.StatusSwitchingProtocols)
	}
	return conn, buffered, err
}
