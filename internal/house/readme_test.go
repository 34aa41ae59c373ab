package house_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README's first snippet is code that is compiled and run, to the letter.
func TestReadmeShowsTheExampleOfAService(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("../../tenantdb/example_service_test.go")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found, "a snippet of Go")
	snippet, _, found := strings.Cut(rest, "```\n")
	require.True(t, found, "its end")
	assert.Contains(t, string(example), snippet)
	assert.Less(t, strings.Index(string(readme), snippet), 1500, "it is on the first screen")
}
