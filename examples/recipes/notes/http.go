package notes

import (
	"encoding/json"
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 4 << 10

// List answers GET /notes. It is a handler of net/http, as any router takes it.
func (s Store) List(w http.ResponseWriter, r *http.Request) {
	titles, err := s.Titles(r.Context())
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]string{"titles": titles}) // a client that has gone is told nothing
}

// Create answers POST /notes.
func (s Store) Create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title string `json:"title"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
		problem.Write(w, r, &tenant.Error{Code: tenant.CodeBadRequest, Detail: "the body is not the JSON of a note", Err: err})
		return
	}
	if err := s.Add(r.Context(), in.Title); err != nil {
		problem.Write(w, r, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}
