package isolationtest_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// leaky is a service of notes in memory, which is clean as long as no leak is chosen. Its
// credential is the tenant's name.
type leaky struct {
	leak string

	mu    sync.Mutex
	notes []*note
}

type note struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Written time.Time `json:"written"`

	tenant   string
	comments map[string]string
}

// leaks are what can be wrong with it, and what the check must find at least.
var leaks = map[string]string{
	"reads by id without the tenant":              "data: GET /v1/notes/{id}: A's id in the path",
	"lists all":                                   "data: GET /v1/notes: B's ordinary request",
	"says forbidden":                              "existence: GET /v1/notes/{id}: A's id in the path",
	"says whose it is":                            "existence: GET /v1/notes/{id}: A's id in the path",
	"gives an ETag away":                          "existence: GET /v1/notes/{id}: A's id in the path",
	"takes the tenant from the header":            "data: GET /v1/notes: the header X-Tenant-Slug of A beside B's",
	"takes the tenant from another header":        "data: GET /v1/notes: A in the header X-Org-ID",
	"takes the tenant from the query":             "data: GET /v1/notes: A in the query as tenant_id",
	"writes for the tenant in the body":           "write: POST /v1/notes: B's requests",
	"changes by id without the tenant":            "write: PATCH /v1/notes/{id}: A's id in the path",
	"changes, and says not found":                 "write: PATCH /v1/notes/{id}: B's requests",
	"deletes by id without the tenant":            "write: DELETE /v1/notes/{id}: A's id in the path",
	"deletes, and says not found":                 "write: DELETE /v1/notes/{id}: B's requests",
	"reads what is inside without the tenant":     "data: GET /v1/notes/{id}/comments/{comment_id}: A's ids everywhere",
	"looks for the inside alone":                  "data: GET /v1/notes/{id}/comments/{comment_id}: A's comment_id in the path",
	"checks a declared id without the tenant":     "existence: GET /v1/search: A's note_id",
	"checks an undeclared id without the tenant":  "existence: GET /v1/notes: A's ids in the query",
	"checks an id in the body without the tenant": "write: POST /v1/links: A's note_id",
	"suggests what others have":                   "data: GET /v1/notes/{id}: A's id in the path",
	"deletes for the tenant in a header":          "confusion: DELETE /v1/notes/{id}: A in the header X-Account-ID",
	"comments on notes of others":                 "write: POST /v1/notes/{id}/comments: A's id in the path",
}

func (l *leaky) is(leak string) bool { return l.leak == leak }

func (l *leaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("X-Request-ID", rand.Text())
	in, ok := l.tenantOf(w, r)
	if !ok {
		return
	}
	mux := http.NewServeMux()
	handle := func(pattern string, f func(in string, w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { f(in, w, r) })
	}
	handle("GET /v1/notes", l.list)
	handle("POST /v1/notes", l.create)
	handle("GET /v1/notes/{id}", l.read)
	handle("PATCH /v1/notes/{id}", l.change)
	handle("DELETE /v1/notes/{id}", l.remove)
	handle("POST /v1/notes/{id}/comments", l.comment)
	handle("GET /v1/notes/{id}/comments/{comment_id}", l.readComment)
	handle("GET /v1/search", l.search)
	handle("POST /v1/links", l.link)
	mux.ServeHTTP(w, r)
}

// tenantOf is the credential's tenant, if the request names no other.
func (l *leaky) tenantOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	in, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if in != "alpha" && in != "omega" {
		refuse(w, http.StatusUnauthorized, "sign in")
		return "", false
	}
	named := r.Header.Get("X-Tenant-Slug")
	switch other := r.Header.Get("X-Org-ID"); {
	case l.is("takes the tenant from the header") && named != "":
		return named, true
	case l.is("takes the tenant from another header") && other != "":
		return other, true
	case l.is("takes the tenant from the query") && r.URL.Query().Get("tenant_id") != "":
		return r.URL.Query().Get("tenant_id"), true
	case named != "" && named != in:
		refuse(w, http.StatusForbidden, "the credential is for another tenant")
		return "", false
	}
	return in, true
}

// find is a note, of any tenant if leaky says so, and the answer if there is none.
func (l *leaky) find(w http.ResponseWriter, in, id string, leaky bool) *note {
	at := slices.IndexFunc(l.notes, func(n *note) bool { return n.ID == id })
	if at >= 0 && (leaky || l.notes[at].tenant == in) {
		return l.notes[at]
	}
	if at >= 0 {
		switch l.leak {
		case "says forbidden":
			refuse(w, http.StatusForbidden, "not yours")
			return nil
		case "says whose it is":
			refuse(w, http.StatusNotFound, "no such note in this tenant; it belongs to another one")
			return nil
		case "gives an ETag away":
			w.Header().Set("ETag", `"1"`)
		}
	}
	detail := "no such note"
	if l.is("suggests what others have") {
		for _, n := range l.notes {
			detail += ", but " + n.Title
		}
	}
	refuse(w, http.StatusNotFound, detail)
	return nil
}

func (l *leaky) list(in string, w http.ResponseWriter, r *http.Request) {
	if id := r.URL.Query().Get("note_id"); id != "" && l.is("checks an undeclared id without the tenant") && l.find(w, in, id, true) == nil {
		return
	}
	notes := []*note{}
	for _, n := range l.notes {
		if n.tenant == in || l.is("lists all") {
			notes = append(notes, n)
		}
	}
	respond(w, http.StatusOK, map[string]any{"notes": notes, "served": time.Now()})
}

func (l *leaky) create(in string, w http.ResponseWriter, r *http.Request) {
	var body struct {
		Title    string `json:"title"`
		TenantID string `json:"tenant_id"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Title == "" {
		refuse(w, http.StatusUnprocessableEntity, "a title")
		return
	}
	if l.is("writes for the tenant in the body") && body.TenantID != "" {
		in = body.TenantID
	}
	n := &note{ID: rand.Text(), Title: body.Title, Written: time.Now(), tenant: in, comments: map[string]string{}}
	l.notes = append(l.notes, n)
	w.Header().Set("Location", "/v1/notes/"+n.ID)
	respond(w, http.StatusCreated, n)
}

func (l *leaky) read(in string, w http.ResponseWriter, r *http.Request) {
	if n := l.find(w, in, r.PathValue("id"), l.is("reads by id without the tenant")); n != nil {
		respond(w, http.StatusOK, n)
	}
}

func (l *leaky) change(in string, w http.ResponseWriter, r *http.Request) {
	silently := l.is("changes, and says not found")
	n := l.find(w, in, r.PathValue("id"), l.is("changes by id without the tenant"))
	if n == nil && silently {
		for _, other := range l.notes {
			if other.ID == r.PathValue("id") {
				other.Title = "changed"
			}
		}
	}
	if n != nil {
		n.Title = "changed"
		respond(w, http.StatusOK, n)
	}
}

func (l *leaky) remove(in string, w http.ResponseWriter, r *http.Request) {
	if other := r.Header.Get("X-Account-ID"); other != "" && l.is("deletes for the tenant in a header") {
		in = other
	}
	n := l.find(w, in, r.PathValue("id"), l.is("deletes by id without the tenant"))
	if n != nil || l.is("deletes, and says not found") {
		l.notes = slices.DeleteFunc(l.notes, func(other *note) bool { return other.ID == r.PathValue("id") })
	}
	if n != nil {
		w.WriteHeader(http.StatusNoContent)
	}
}

func (l *leaky) comment(in string, w http.ResponseWriter, r *http.Request) {
	if n := l.find(w, in, r.PathValue("id"), l.is("comments on notes of others")); n != nil {
		var id any = len(n.comments) + 1 // as short as they come
		if l.is("looks for the inside alone") {
			id = rand.Text()
		}
		n.comments[fmt.Sprint(id)] = n.Title
		respond(w, http.StatusCreated, map[string]any{"comment_id": id})
	}
}

func (l *leaky) readComment(in string, w http.ResponseWriter, r *http.Request) {
	if l.is("looks for the inside alone") {
		for _, n := range l.notes {
			if text, ok := n.comments[r.PathValue("comment_id")]; ok {
				respond(w, http.StatusOK, map[string]string{"text": text})
				return
			}
		}
	}
	n := l.find(w, in, r.PathValue("id"), l.is("reads what is inside without the tenant"))
	if n == nil {
		return
	}
	text, ok := n.comments[r.PathValue("comment_id")]
	if !ok {
		refuse(w, http.StatusNotFound, "no such comment")
		return
	}
	respond(w, http.StatusOK, map[string]string{"text": text})
}

func (l *leaky) search(in string, w http.ResponseWriter, r *http.Request) {
	n := l.find(w, in, r.URL.Query().Get("note_id"), l.is("checks a declared id without the tenant"))
	if n != nil && n.tenant == in {
		respond(w, http.StatusOK, map[string]any{"found": n})
	} else if n != nil {
		refuse(w, http.StatusForbidden, "not yours")
	}
}

func (l *leaky) link(in string, w http.ResponseWriter, r *http.Request) {
	var body struct {
		NoteID string `json:"note_id"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		refuse(w, http.StatusBadRequest, "JSON")
		return
	}
	if n := l.find(w, in, body.NoteID, l.is("checks an id in the body without the tenant")); n != nil {
		respond(w, http.StatusOK, map[string]string{"link": "/n/" + rand.Text()})
	}
}

func refuse(w http.ResponseWriter, status int, detail string) {
	respond(w, status, map[string]any{"detail": detail, "status": status, "request_id": rand.Text()})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
