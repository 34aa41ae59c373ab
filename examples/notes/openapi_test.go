package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

// documentedRoutes are the document's operations, such as GET /v1/notes.
func documentedRoutes(t *testing.T) []string {
	t.Helper()
	var routes []string
	for path, item := range document(t)["paths"].(map[string]any) {
		for key := range item.(map[string]any) {
			if key != "parameters" && key != "servers" {
				routes = append(routes, strings.ToUpper(key)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	return routes
}

func TestTheOpenAPIDocumentHasEachRouteAndNoOther(t *testing.T) {
	t.Parallel()
	var routes []string
	for _, r := range startAPI(t).server.routes() {
		routes = append(routes, r.method+" "+strings.TrimSuffix(r.path, "{$}"))
	}
	slices.Sort(routes)
	assert.Equal(t, routes, documentedRoutes(t))
}

// apiTables are the rows of the tables in API.md, without their heads.
func apiTables(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile("API.md")
	require.NoError(t, err)
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			row = append(row, strings.TrimSpace(cell))
		}
		rows = append(rows, row)
	}
	return rows
}

var (
	routeCell  = regexp.MustCompile("^`(GET|POST|PUT|PATCH|DELETE) (/[^?`]*)(\\?[^`]*)?`$")
	statusCell = regexp.MustCompile(`\b([2-5]\d\d)\b`)
	codeCell   = regexp.MustCompile("^`([a-z_]+)`$")
)

func TestTheOpenAPIDocumentHasWhatTheContractHas(t *testing.T) {
	t.Parallel()
	d := document(t)
	var routes []string
	for _, row := range apiTables(t) {
		route := routeCell.FindStringSubmatch(row[0])
		if route == nil {
			continue
		}
		routes = append(routes, route[1]+" "+route[2])
		op, ok := d.at(d["paths"], route[2], strings.ToLower(route[1]))
		if !assert.True(t, ok, "%s is not in the document", row[0]) {
			continue
		}
		responses := d.object(op, "responses")
		for _, status := range statusCell.FindAllString(row[len(row)-1], -1) {
			assert.Contains(t, responses, status, "%s", row[0])
		}
		_, takesBody := op["requestBody"]
		assert.Equal(t, len(row) > 2 && strings.Contains(row[len(row)-2], "{"), takesBody, "%s: a body", row[0])
	}
	slices.Sort(routes)
	assert.Equal(t, routes, documentedRoutes(t))
}

func TestTheOpenAPIDocumentHasTheCodesOfTheContract(t *testing.T) {
	t.Parallel()
	var told []any
	for _, row := range apiTables(t) {
		if code := codeCell.FindStringSubmatch(row[min(1, len(row)-1)]); code != nil && statusCell.MatchString(row[0]) {
			told = append(told, code[1])
		}
	}
	code, ok := document(t).at(nil, "components", "schemas", "Problem", "properties", "code")
	require.True(t, ok)
	assert.ElementsMatch(t, told, code["enum"])
}

func TestTheOpenAPIDocumentHasTheRuleForSlugs(t *testing.T) {
	t.Parallel()
	slug, ok := document(t).at(nil, "components", "schemas", "NewTenant", "properties", "slug")
	require.True(t, ok)
	assert.Equal(t, tenant.SlugPattern, slug["pattern"])
	assert.InEpsilon(t, tenant.MinSlugLen, slug["minLength"], 0)
	assert.InEpsilon(t, tenant.MaxSlugLen, slug["maxLength"], 0)
}

func TestEveryReferenceInTheOpenAPIDocumentLeadsSomewhere(t *testing.T) {
	t.Parallel()
	d := document(t)
	var walk func(part any)
	walk = func(part any) {
		switch part := part.(type) {
		case map[string]any:
			if ref, ok := part["$ref"]; ok {
				assert.NotNil(t, d.deref(part), ref)
			}
			for _, next := range part {
				walk(next)
			}
		case []any:
			for _, next := range part {
				walk(next)
			}
		}
	}
	walk(map[string]any(d))
}

func TestWhatTheOpenAPIDocumentSecuresAsksForACredential(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	for _, route := range documentedRoutes(t) {
		method, path, _ := strings.Cut(route, " ")
		op, _ := document(t).at(document(t)["paths"], path, strings.ToLower(method))
		req := request{method: method, path: strings.NewReplacer("{slug}", "acme-corp", "{id}", tenant.NewID().String(), "{user_id}", tenant.NewID().String()).Replace(path)}
		got := a.do(t, req)
		if len(op["security"].([]any)) > 0 {
			requireProblem(t, got, 401, tenant.CodeUnauthenticated)
			if !strings.HasPrefix(path, "/admin/") {
				assert.Contains(t, op["responses"], "429", "%s: for those who try made-up API keys", route)
			}
		} else {
			assert.NotEqual(t, 401, got.status, route)
		}
	}
}

func TestTheServiceHandsOutItsOpenAPIDocument(t *testing.T) {
	t.Parallel()
	got := startAPI(t).do(t, request{method: "GET", path: "/openapi.json"})
	require.Equal(t, 200, got.status)
	assert.JSONEq(t, string(openAPIDocument), string(got.body))
}
