package main

import (
	_ "embed"
	"net/http"
)

// openAPIDocument describes the routes of demo mode, in which there are the most. Tests
// hold it to the routes, to API.md, and to what the service answers.
//
//go:embed openapi.json
var openAPIDocument []byte

func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(openAPIDocument) // a client that has gone is told nothing
	return nil
}
