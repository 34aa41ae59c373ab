package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoadTellsWhatWasAnsweredAndWhatWasRefused(t *testing.T) {
	t.Parallel()
	var beta atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/login":
			_, _ = w.Write([]byte(`{"token":"t"}`))
		case r.Header.Get("Authorization") != "Bearer t":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("X-Tenant-Slug") == "acme-corp":
		case beta.Add(1) > 3:
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-url", server.URL, "-for", "100ms", "-free", "100", "-pro", "200"}, &out))
	assert.Regexp(t, `(?m)^beta-industries +10 in 100ms +3 +7 +0 `, out.String())
	assert.Regexp(t, `(?m)^acme-corp +20 in 100ms +20 +0 +0 `, out.String())
}

func TestLoadTellsWhatHasFailed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/login" {
			_, _ = w.Write([]byte(`{"token":"t"}`))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-url", server.URL, "-for", "50ms", "-free", "100", "-pro", "100"}, &out))
	assert.Contains(t, out.String(), "acme-corp: 5 × Service Unavailable")

	require.ErrorContains(t, run(t.Context(), []string{"-free", "0"}, &out), "rates are")
	closed := httptest.NewServer(http.NotFoundHandler())
	require.ErrorContains(t, run(t.Context(), []string{"-url", closed.URL}, &out), "demo mode")
	closed.Close()
	require.Error(t, run(t.Context(), []string{"-url", closed.URL}, &out))
}
