package isolationtest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// planted are leaks of the kinds that reviews overlook, and what is found of them at least.
var planted = map[string]string{
	"":                                    "",
	"counts the items of all":             "existence: GET /items: A's creating: $.total is",
	"numbers the items of all":            "existence: GET /items: A's creating: $.next is",
	"has an ETag of all":                  "existence: GET /items: A's creating: header Etag is",
	"leads to the owner":                  "existence: GET /items/{id}: A's id in the path: header Location is",
	"names the owner in the error":        "existence: GET /items/{id}: A's id in the path: $.detail is",
	"goes on behind a cursor of others":   "data: GET /items/after: A's item_id: ",
	"exports all":                         "data: GET /export: B's ordinary request",
	"searches all":                        "data: GET /search: B's ordinary request",
	"caches without asking whose":         "data: GET /export: B's ordinary request",
	"changes a foreign one among its own": "write: POST /items/bulk: B's requests: A's GET /export has changed",
	"only logs it in the other's feed":    "write: DELETE /items/{id}: B's requests: A's GET /feed has changed",
}

// shop is a service of items in memory with one of these leaks.
func shop(leak string) http.Handler {
	type item struct{ ID, Title, Of string }
	items, feeds, cached := []*item{}, map[string][]string{}, ""
	return service(func(me string, w http.ResponseWriter, r *http.Request) {
		mine := func(all bool) (found []string) {
			for _, i := range items {
				if all || i.Of == me {
					found = append(found, i.ID+" "+i.Title)
				}
			}
			return found
		}
		find := func(id string) *item {
			if at := slices.IndexFunc(items, func(i *item) bool { return i.ID == id }); at >= 0 {
				return items[at]
			}
			return nil
		}
		rest, inItem := strings.CutPrefix(r.URL.Path, "/items/")
		switch {
		case r.URL.Path == "/items" && r.Method == http.MethodPost:
			var in item
			_ = json.NewDecoder(r.Body).Decode(&in)
			in.ID, in.Of = fmt.Sprintf("item-%s-%04d", me, len(items)*7), me
			items = append(items, &in)
			respond(w, http.StatusCreated, map[string]string{"id": in.ID})
		case r.URL.Path == "/items":
			answer := map[string]any{"items": mine(false)}
			switch leak {
			case "counts the items of all":
				answer["total"] = len(items)
			case "numbers the items of all":
				answer["next"] = fmt.Sprint("item-", len(items))
			case "has an ETag of all":
				w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(items)))
			}
			respond(w, http.StatusOK, answer)
		case r.URL.Path == "/items/after":
			i := find(r.URL.Query().Get("cursor"))
			if i == nil || i.Of != me && leak != "goes on behind a cursor of others" {
				refuse(w, http.StatusBadRequest, "no such cursor")
				return
			}
			respond(w, http.StatusOK, map[string]string{"behind": base64.StdEncoding.EncodeToString([]byte("one more: " + i.Title))})
		case r.URL.Path == "/items/bulk":
			var in struct{ IDs []string }
			_ = json.NewDecoder(r.Body).Decode(&in)
			for _, id := range in.IDs {
				if i := find(id); i != nil && (i.Of == me || leak == "changes a foreign one among its own") {
					i.Title += "!"
				}
			}
			respond(w, http.StatusOK, map[string]string{})
		case inItem:
			i := find(rest)
			if i != nil && i.Of == me {
				if r.Method == http.MethodDelete {
					items = slices.DeleteFunc(items, func(other *item) bool { return other == i })
				}
				respond(w, http.StatusOK, i)
				return
			}
			detail := "no such item"
			if i != nil {
				switch leak {
				case "leads to the owner":
					w.Header().Set("Location", "https://another.example.com/")
				case "names the owner in the error":
					detail = "it is another's"
				case "only logs it in the other's feed":
					if r.Method == http.MethodDelete {
						feeds[i.Of] = append(feeds[i.Of], "somebody wanted to delete an item")
					}
				}
			}
			refuse(w, http.StatusNotFound, detail)
		case r.URL.Path == "/feed":
			respond(w, http.StatusOK, map[string]any{"feed": feeds[me]})
		case r.URL.Path == "/search":
			respond(w, http.StatusOK, map[string]any{"found": mine(leak == "searches all")})
		case r.URL.Path == "/export":
			text := strings.Join(mine(leak == "exports all"), "\n")
			if leak == "caches without asking whose" {
				if cached == "" || me == "alpha" {
					cached = text
				}
				text = cached
			}
			w.Header().Set("Content-Disposition", `attachment; filename="items.csv"`)
			_, _ = fmt.Fprint(w, text)
		}
	})
}

func TestLeaksThatReviewsOverlookAreFound(t *testing.T) {
	t.Parallel()
	for _, leak := range slices.Sorted(maps.Keys(planted)) {
		report, err := isolationtest.Check(t.Context(), isolationtest.Config{
			Handler: shop(leak),
			A:       isolationtest.Tenant{Credential: bearer("alpha")}, B: isolationtest.Tenant{Credential: bearer("omega")},
			Routes: []isolationtest.Route{
				{Method: "GET", Path: "/export"},
				{Method: "POST", Path: "/items", Body: `{"Title":"{mark}"}`},
				{Method: "GET", Path: "/items"},
				{Method: "GET", Path: "/items/{id}"},
				{Method: "DELETE", Path: "/items/{id}"},
				{Method: "GET", Path: "/items/after", Query: map[string]string{"cursor": "{item_id}"}},
				{Method: "POST", Path: "/items/bulk", Body: `{"IDs":["{item_id}"]}`},
				{Method: "GET", Path: "/search", Query: map[string]string{"q": "i"}},
				{Method: "GET", Path: "/feed"},
			},
		})
		require.NoError(t, err)
		if leak == "" {
			assert.True(t, report.Clean(), "%s", report)
			continue
		}
		assert.Contains(t, report.String(), "\n"+planted[leak], leak)
	}
}
