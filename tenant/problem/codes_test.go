package problem_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

// declared are the codes of package tenant, with the status that the comment behind each
// says, as its source has them.
func declared(t *testing.T) map[tenant.Code]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, parser.ParseComments)
	require.NoError(t, err)
	codes := make(map[tenant.Code]int)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		status, err := strconv.Atoi(spec.Comment.Text()[:3])
		require.NoError(t, err, "the comment behind %s begins with its status", code)
		codes[tenant.Code(code)] = status
		return true
	})
	require.Greater(t, len(codes), 20)
	return codes
}

func TestEachCodeHasTheStatusThatItsDeclarationSays(t *testing.T) {
	t.Parallel()
	titles := make(map[string]tenant.Code)
	for code, status := range declared(t) {
		d := write(t, request(), &tenant.Error{Code: code}).document(t)
		assert.Equal(t, status, d.Status, "%s", code)
		assert.Equal(t, code, d.Code)
		assert.True(t, strings.HasSuffix(d.Type, "#"+string(code)), "the type of %s is %s: is the code missing in codes.go?", code, d.Type)
		assert.NotEmpty(t, d.Detail, "%s", code)
		assert.NotEqual(t, d.Title, d.Detail, "%s", code)
		assert.NotEmpty(t, http.StatusText(d.Status), "%s", code)
		assert.Empty(t, titles[d.Title], "%s has the title %q too", code, d.Title)
		titles[d.Title] = code
	}
}

func TestPackageCommentListsEachCode(t *testing.T) {
	t.Parallel()
	comment, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	listed := make(map[tenant.Code]int)
	for _, line := range regexp.MustCompile(`(?m)^//\t(\d{3})  ([a-z_]+) +\S`).FindAllStringSubmatch(string(comment), -1) {
		status, err := strconv.Atoi(line[1])
		require.NoError(t, err)
		listed[tenant.Code(line[2])] = status
	}
	assert.Equal(t, declared(t), listed)
}
