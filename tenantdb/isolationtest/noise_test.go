package isolationtest_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// service is a handler that handles one request at a time, for whom the credential names.
func service(handle func(me string, w http.ResponseWriter, r *http.Request)) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		handle(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), w, r)
	})
}

// check walks a service whose tenants have nothing but their credentials.
func check(t *testing.T, handler http.Handler, routes ...isolationtest.Route) *isolationtest.Report {
	t.Helper()
	report, err := isolationtest.Check(t.Context(), isolationtest.Config{
		Handler: handler, Routes: routes,
		A: isolationtest.Tenant{Credential: bearer("alpha"), Params: map[string]string{"name": "name-of-alpha"}},
		B: isolationtest.Tenant{Credential: bearer("omega"), Params: map[string]string{"name": "name-of-omega"}},
	})
	require.NoError(t, err)
	return report
}

// The time in every second answer is another.
func TestTimesAreNoDifference(t *testing.T) {
	t.Parallel()
	absent := 0
	report := check(t, service(func(me string, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/things/name-of-"+me {
			respond(w, http.StatusOK, map[string]string{})
			return
		}
		absent++
		at := time.Date(2026, 1, 2, 3, 4, absent%2, 0, time.UTC)
		w.Header().Set("Last-Modified", at.Format(http.TimeFormat))
		refuse(w, http.StatusNotFound, "not found at "+at.Format(time.RFC3339))
	}), isolationtest.Route{Method: "GET", Path: "/things/{name}"})
	assert.True(t, report.Clean(), "%s", report)
}

// What is inside is called alike in all tenants: what it is inside of tells them apart.
func TestThingsThatAreCalledAlikeInBoth(t *testing.T) {
	t.Parallel()
	report := check(t, service(func(me string, w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/things/name-of-"+me+"/"):
			refuse(w, http.StatusNotFound, "no such thing")
		case r.Method == http.MethodPost:
			respond(w, http.StatusCreated, map[string]string{"id": "head"})
		case strings.HasSuffix(r.URL.Path, "/head"):
			respond(w, http.StatusOK, map[string]string{"size": "large"})
		default:
			refuse(w, http.StatusNotFound, "no such part")
		}
	}), isolationtest.Route{Method: "POST", Path: "/things/{name}/parts"}, isolationtest.Route{Method: "GET", Path: "/things/{name}/parts/{part}"})
	assert.True(t, report.Clean(), "%s", report)
}

// What A sees there changes all the time, and yet may never be B's.
func TestTextOfBInWhatChangesAllTheTimeIsFound(t *testing.T) {
	t.Parallel()
	latest := ""
	report := check(t, service(func(me string, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			latest = string(body)
			respond(w, http.StatusCreated, map[string]string{})
			return
		}
		respond(w, http.StatusOK, map[string]string{"news": fmt.Sprint(rand.Text(), latest)})
	}), isolationtest.Route{Method: "GET", Path: "/feed"}, isolationtest.Route{Method: "POST", Path: "/news", Body: `{"text":"{mark}"}`})
	assert.Contains(t, report.String(), "\nwrite: POST /news: B's requests: A's GET /feed has changed")
}

func TestTimingIsToldWhenItIsFarBeyondChance(t *testing.T) {
	t.Parallel()
	samples := func(n int, base, step time.Duration) []time.Duration {
		all := make([]time.Duration, n)
		for i := range all {
			all[i] = base + time.Duration(i)*step
		}
		return all
	}
	const ms, us = time.Millisecond, time.Microsecond
	for name, test := range map[string]struct {
		theirs, never []time.Duration
		told          bool
	}{
		"twice as long":                   {samples(40, 4*ms, us), samples(40, 2*ms, us), true},
		"half as long":                    {samples(40, 2*ms, us), samples(40, 4*ms, us), true},
		"alike":                           {samples(40, 2*ms, us), samples(40, 2*ms, us), false},
		"too little to be measured":       {samples(40, 150*us, 0), samples(40, 50*us, 0), false},
		"a small part of the whole":       {samples(40, 22*ms, us), samples(40, 20*ms, us), false},
		"too few samples":                 {samples(5, 4*ms, us), samples(5, 2*ms, us), false},
		"wide apart, and all intermingle": {samples(40, 1*ms, ms), samples(40, 7*ms, ms), false},
	} {
		told := isolationtest.TimingDifference(test.theirs, test.never)
		assert.Equal(t, test.told, told != "", "%s: %s", name, told)
	}
}

// An id may be one digit, and a title end in two of them.
func TestAnIDIsReplacedOnlyWhereItIsAWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2": "{id}", "/2/2/": "/{id}/{id}/", "22": "22", "222": "222", "a22": "a22", "a2 2": "a2 {id}", "2 22,2": "{id} 22,{id}", "2a": "2a", "": "",
	} {
		assert.Equal(t, want, isolationtest.ReplaceWord(text, "2", "{id}"), text)
	}
}
