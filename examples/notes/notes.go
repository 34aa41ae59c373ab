package main

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// What a note may hold. The body is bounded in bytes, which is what it costs to keep.
var (
	titleLimit = textLimit{min: 1, max: 200}
	bodyLimit  = textLimit{min: 0, max: 64 << 10, bytes: true}
)

const (
	defaultPage = 20
	maxPage     = 100
)

func (s *server) listNotes(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	limit, cursor, err := page(r.URL.RawQuery)
	if err != nil {
		return err
	}
	var after position
	if cursor != "" {
		if after, err = s.cursors.open(t.ID, cursor); err != nil {
			return err
		}
	}
	notes, err := s.notes.list(r.Context(), after, limit+1) // one more tells whether there is a next page
	if err != nil {
		return err
	}
	var next *string
	if len(notes) > limit {
		notes = notes[:limit]
		last := notes[limit-1]
		sealed := s.cursors.seal(t.ID, position{createdAt: last.CreatedAt, id: last.ID})
		next = &sealed
	}
	return writeJSON(w, http.StatusOK, map[string]any{"notes": notes, "next_cursor": next})
}

// page reads the parameters of a list. An empty one counts as not given.
func page(query string) (limit int, cursor string, err error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return 0, "", badRequest("the query string is malformed")
	}
	if len(params["limit"]) > 1 || len(params["cursor"]) > 1 {
		return 0, "", badRequest("limit and cursor may be given once")
	}
	limit = defaultPage
	if text := params.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			var bad invalid
			bad.add("limit", "must be a number from 1 to "+strconv.Itoa(maxPage))
			return 0, "", bad.err()
		}
	}
	return limit, params.Get("cursor"), nil
}

func (s *server) createNote(w http.ResponseWriter, r *http.Request) error {
	var title, body string
	if err := decode(r, fields{"title": &title, "body": &body}); err != nil {
		return err
	}
	var bad invalid
	bad.text("title", &title, titleLimit)
	bad.text("body", &body, bodyLimit)
	if err := bad.err(); err != nil {
		return err
	}
	n, err := s.notes.create(r.Context(), title, body, authorOf(r.Context()))
	if err != nil {
		return err
	}
	w.Header().Set("Location", resolve.PathPrefix(r.Context())+"/v1/notes/"+n.ID.String())
	return writeNote(w, http.StatusCreated, n)
}

func (s *server) getNote(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, errNoteNotFound)
	if err != nil {
		return err
	}
	n, err := s.notes.get(r.Context(), id)
	if err != nil {
		return err
	}
	if unchanged(r.Header, n.Version) {
		w.Header().Set("ETag", etag(n.Version))
		w.Header().Set("Cache-Control", ofOneTenant) // as with the whole note (RFC 9110, 15.4.5)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeNote(w, http.StatusOK, n)
}

func (s *server) updateNote(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, errNoteNotFound)
	if err != nil {
		return err
	}
	var title, body *string
	if err := decode(r, fields{"title": &title, "body": &body}); err != nil {
		return err
	}
	var bad invalid
	bad.text("title", title, titleLimit)
	bad.text("body", body, bodyLimit)
	if err := bad.err(); err != nil {
		return err
	}
	n, err := s.notes.update(r.Context(), id, title, body, ifMatch(r.Header))
	if err != nil {
		return err
	}
	return writeNote(w, http.StatusOK, n)
}

func (s *server) deleteNote(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, errNoteNotFound)
	if err != nil {
		return err
	}
	if err := s.notes.delete(r.Context(), id, ifMatch(r.Header)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeNote answers with a note and the tag that If-Match takes.
func writeNote(w http.ResponseWriter, status int, n note) error {
	w.Header().Set("ETag", etag(n.Version))
	return writeJSON(w, status, n)
}
