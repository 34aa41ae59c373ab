package problem_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// A handler hands its error to Write, whatever it is.
func ExampleWrite() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		t, err := tenant.Require(r.Context())
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		fmt.Fprintln(w, "the notes of", t.Name)
	}

	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodGet, "/v1/notes", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Print(w.Body)
	// Output:
	// 400 application/problem+json
	// {"type":"https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant/problem#tenant_required","title":"Tenant required","status":400,"detail":"nothing names a tenant","instance":"/v1/notes","code":"tenant_required"}
}

// The three middlewares, in the order in which they belong.
func ExampleRouter() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/notes", func(http.ResponseWriter, *http.Request) { panic("a bug") })
	logger := slog.New(slog.DiscardHandler)
	handler := problem.RequestID(problem.Recover(logger)(problem.Router(mux)))

	for _, target := range []string{"GET /v1/notes", "PUT /v1/notes", "GET /v2"} {
		var method, path string
		_, _ = fmt.Sscan(target, &method, &path)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Header()["Allow"])
	}
	// Output:
	// 500 application/problem+json []
	// 405 application/problem+json [GET, HEAD]
	// 404 application/problem+json []
}

// A form that is not valid is answered with a reason for each field.
func ExampleWrite_validation() {
	err := &tenant.Error{Code: tenant.CodeValidationFailed, Fields: []tenant.FieldError{{Field: "title", Message: "is empty"}}}

	w := httptest.NewRecorder()
	problem.Write(w, httptest.NewRequest(http.MethodPost, "/v1/notes", nil), err)
	fmt.Println(w.Code)
	fmt.Print(w.Body)
	// Output:
	// 422
	// {"type":"https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant/problem#validation_failed","title":"Validation failed","status":422,"detail":"fields of the request are not valid","instance":"/v1/notes","code":"validation_failed","errors":[{"field":"title","message":"is empty"}]}
}

// A framework that writes responses itself, or a test that reads one, has the document.
func ExampleOf() {
	r := httptest.NewRequest(http.MethodGet, "/v1/notes", nil)
	document := problem.Of(r, fmt.Errorf("list notes: %w", tenant.ErrSuspended))
	fmt.Println(document.Status, document.Code)
	fmt.Println(document.Detail)

	document = problem.Of(r, errors.New(`relation "note" does not exist`)) // for the log, not for a client
	fmt.Println(document.Status, document.Code)
	fmt.Println(document.Detail)
	// Output:
	// 403 tenant_suspended
	// the tenant is suspended
	// 500 internal
	// the service failed to answer; its log knows more under the request id
}
