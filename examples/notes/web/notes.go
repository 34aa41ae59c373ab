package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type note struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Body      string    `json:"body"`
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// maxSearched is how many pages of notes one look of a search reads, of 100 each.
const maxSearched = 10

// noteFields are those of the forms of notes.
var noteFields = []string{"title", "body"}

// notes lists the notes of the tenant, or those in which a text is found.
func (p *page) notes(v *visit) error { return v.showNotes() }

func (v *visit) showNotes() error {
	if v.session.Tenant == "" {
		return v.show(http.StatusOK, "welcome", "Welcome", "", nil)
	}
	query := v.query()
	wanted := strings.TrimSpace(query.Get("q"))
	found, next, err := v.search(wanted, query.Get("cursor"))
	if err != nil {
		return err
	}
	links := pager{Name: "notes"}
	if next != "" {
		links.Older = notesAt(wanted, next)
	}
	if query.Get("cursor") != "" {
		links.Newer = notesAt(wanted, "")
	}
	return v.show(http.StatusOK, "notes", "Notes", "notes", map[string]any{"Notes": found, "Query": wanted, "Pager": links})
}

// notesAt is the address of a list of notes.
func notesAt(wanted, cursor string) string {
	query := url.Values{}
	if wanted != "" {
		query.Set("q", wanted)
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if len(query) == 0 {
		return "/web/notes"
	}
	return "/web/notes?" + query.Encode()
}

// search reads notes on from a cursor. Without a text it is one page; with one it goes on
// until enough are found, or many were looked at. What is returned last is the cursor of
// those that were not looked at; empty for none.
func (v *visit) search(wanted, cursor string) (found []note, next string, err error) {
	limit, pages := "20", 1
	if wanted != "" {
		limit, pages = "100", maxSearched
	}
	for range pages {
		query := url.Values{"limit": {limit}, "cursor": {cursor}}
		var got struct {
			Notes      []note  `json:"notes"`
			NextCursor *string `json:"next_cursor"`
		}
		if err := v.get("/v1/notes?"+query.Encode(), v.session.Tenant, &got); err != nil {
			return nil, "", err
		}
		for _, n := range got.Notes {
			if has(n.Title, wanted) || has(n.Body, wanted) {
				found = append(found, n)
			}
		}
		if got.NextCursor == nil {
			return found, "", nil
		}
		if cursor = *got.NextCursor; len(found) >= partSize {
			break
		}
	}
	return found, cursor, nil
}

// has reports whether a text is found in another, in upper or lower case.
func has(text, wanted string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(wanted))
}

func (p *page) createNote(v *visit) error {
	if err := v.send(http.MethodPost, "/v1/notes", map[string]string{"title": v.field("title"), "body": v.text("body")}); err != nil {
		return v.again(err, noteFields, v.showNotes)
	}
	return v.done("Written.", "/web/notes")
}

// note shows one note, to be edited.
func (p *page) note(v *visit) error { return v.showNote() }

func (v *visit) showNote() error {
	got, err := v.call(http.MethodGet, "/v1/notes/"+v.id(), v.session.Tenant, nil, nil)
	if err != nil {
		return err
	}
	var n note
	if err := got.into(&n); err != nil {
		return err
	}
	overtaken := v.refusal != nil && v.refusal.Status == http.StatusPreconditionFailed
	return v.show(http.StatusOK, "note", n.Title, "notes",
		map[string]any{"Note": n, "ETag": got.Header.Get("ETag"), "Overtaken": overtaken})
}

// updateNote changes a note, unless somebody else has in the meantime. Then both are shown:
// saved again, it overwrites what was seen.
func (p *page) updateNote(v *visit) error {
	change := map[string]string{"title": v.field("title"), "body": v.text("body")}
	header := http.Header{}
	if etag := v.field("etag"); etag != "" {
		header.Set("If-Match", etag)
	}
	if _, err := v.call(http.MethodPatch, "/v1/notes/"+v.id(), v.session.Tenant, change, header); err != nil {
		return v.again(overtaken(err), append([]string{"etag"}, noteFields...), v.showNote)
	}
	return v.done("Saved.", "/web/notes")
}

// overtaken says for people what If-Match says for programs.
func overtaken(err error) error {
	told, isRefused := errors.AsType[refused](err)
	if !isRefused || told.Status != http.StatusPreconditionFailed {
		return err
	}
	told.Title, told.Detail = "Not saved", "somebody else has changed the note since you opened it"
	return told
}

func (p *page) deleteNote(v *visit) error {
	if err := v.send(http.MethodDelete, "/v1/notes/"+v.id(), nil); err != nil {
		return v.again(err, nil, v.showNote)
	}
	return v.done("Deleted.", "/web/notes")
}
