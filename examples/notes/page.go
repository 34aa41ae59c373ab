package main

import (
	_ "embed"
	"net/http"
)

//go:embed page.html
var pageHTML []byte

// page tells people who come with a browser where they are.
func (s *server) page(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(pageHTML) // a client that has gone is told nothing
	return nil
}
