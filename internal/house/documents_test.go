package house_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// block is a piece of code that a document shows, between fences.
type block struct {
	document string
	info     string // what stands behind the opening fence: a language, and perhaps a name
	code     string
}

var fenced = regexp.MustCompile("(?ms)^```([^\n]*)\n(|.*?\n)```$")

// files are those of the repository with one of the endings, by their paths from its root.
func files(t *testing.T, endings ...string) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	require.NoError(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "bin" || strings.HasPrefix(name, ".") && name != "..") {
			return filepath.SkipDir
		}
		if slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(name, ending) }) {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			texts[strings.TrimPrefix(path, "../../")] = string(text)
		}
		return nil
	}))
	require.NotEmpty(t, texts)
	return texts
}

// documents are the texts of all documents without their blocks of code, and the blocks.
func documents(t *testing.T) (prose map[string]string, blocks []block) {
	t.Helper()
	prose = files(t, ".md")
	for _, name := range slices.Sorted(maps.Keys(prose)) {
		for _, found := range fenced.FindAllStringSubmatch(prose[name], -1) {
			blocks = append(blocks, block{name, found[1], found[2]})
		}
		prose[name] = fenced.ReplaceAllString(prose[name], "")
		require.NotContains(t, prose[name], "\n```", "%s: a fence without its other end", name)
	}
	return prose, blocks
}

var declared = regexp.MustCompile(`(?m)^func (Test\w+|Benchmark\w+|Fuzz\w+)\(`)

// tests are the names of all tests, with the folders that they are in.
func tests(t *testing.T) map[string][]string {
	t.Helper()
	names := make(map[string][]string)
	for path, text := range files(t, "_test.go") {
		for _, found := range declared.FindAllStringSubmatch(text, -1) {
			names[found[1]] = append(names[found[1]], filepath.Dir(path))
		}
	}
	return names
}

// named is a test, or many by what their names begin with: `TestRow9_…`.
var named = regexp.MustCompile("`(Test[A-Z]\\w*)(…?)`")

func TestEachTestThatADocumentNamesIsThere(t *testing.T) {
	t.Parallel()
	all := tests(t)
	prose, _ := documents(t)
	count := 0
	for document, text := range prose {
		for _, found := range named.FindAllStringSubmatch(text, -1) {
			count++
			there := len(all[found[1]]) > 0
			if found[2] != "" {
				there = slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(name string) bool { return strings.HasPrefix(name, found[1]) })
			}
			assert.True(t, there, "%s names %s, which is no test", document, found[1])
		}
	}
	assert.Greater(t, count, 50, "or this test looks for the wrong thing")
}

func TestEachGuaranteeAndEachAttackHasATest(t *testing.T) {
	t.Parallel()
	prose, _ := documents(t)
	for document, heading := range map[string]string{"README.md": "## Guarantees", "SECURITY.md": "## What is blocked, and by what"} {
		_, section, found := strings.Cut(prose[document], heading+"\n")
		require.True(t, found, heading)
		section, _, _ = strings.Cut(section, "\n## ")
		rows := 0
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") {
				continue
			}
			if rows++; rows > 1 { // behind the heads of the columns
				assert.Regexp(t, named, line, "%s: this names no test", document)
			}
		}
		assert.Greater(t, rows, 10, document)
	}
}

// once are the blocks of a shell that no test runs as they stand, and what runs them instead.
var once = map[string]string{
	"make run    # the Notes example, at http://127.0.0.1:8080\nmake test   # all tests, with the race detector\n": "CI runs the one; the other builds ./examples/notes, which its tests start",
	"go get github.com/tenantwall/tenantwall\n":         "it is for another module",
	"TENANTWALL_PG_BIN=/opt/postgresql/bin make test\n": "the folder is an example; localserver's tests are about the variable",
	"go run ./examples/notes\n":                         "its tests build and start it",
	"go run ./examples/internal/load\n":                 "TestTheREADMEsLoadCutsOneOffAndLeavesTheOtherAlone, with a service of its own",
}

// Every block of Go is compiled, because it stands in a file of Go to the letter. Every named
// script and every SQL is run by the test of its document.
func TestEachBlockOfCodeIsExecuted(t *testing.T) {
	t.Parallel()
	_, blocks := documents(t)
	var compiled, scripts strings.Builder
	for _, text := range files(t, ".go") {
		compiled.WriteString(text)
	}
	for _, text := range files(t, "_test.go") {
		scripts.WriteString(text)
	}
	scripted := map[string]bool{"docs/moving-in.md": true, "docs/operating.md": true} // their tests run each block of SQL
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		switch language, name, _ := strings.Cut(b.info, " "); {
		case language == "go":
			if !strings.Contains(compiled.String(), b.code) {
				t.Errorf("%s: this stands in no file of Go:\n%s", b.document, b.code)
			}
		case language == "sql":
			assert.True(t, scripted[b.document], "%s: no test runs this:\n%s", b.document, b.code)
		case language == "sh" && name != "":
			if !strings.Contains(scripts.String(), `"`+name+`"`) {
				t.Errorf("%s: no test runs the script %s", b.document, name)
			}
		case language == "sh":
			assert.NotEmpty(t, once[b.code], "%s: no test runs this:\n%s", b.document, b.code)
		default: // what is answered, or a drawing
			assert.Contains(t, []string{"", "text", "json"}, language, "%s: a block of this language is not known here", b.document)
		}
	}
}

var (
	target     = regexp.MustCompile("(?:`|^)(?:[A-Z_]+=\\S+ )?make ([a-z-]+)")
	goCommand  = regexp.MustCompile("`(?:cd examples && )?(?:[A-Z_]+=\\S+ )?go (?:test|run|build|vet)([^`]*)`")
	pattern    = regexp.MustCompile(`-(?:run|bench|list) ['"]?([\w|^$/]+)`)
	folderName = regexp.MustCompile(`(?:^|\s)(\./[\w./-]*)`)
)

// A command in the prose has a target of make, a folder and a pattern of names that are there.
func TestCommandsInDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	prose, _ := documents(t)
	all := slices.Collect(maps.Keys(tests(t)))
	for document, text := range prose {
		for _, found := range target.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+found[1]+":") {
				t.Errorf("%s: make %s", document, found[1])
			}
		}
		for _, found := range goCommand.FindAllStringSubmatch(text, -1) {
			base := "../.."
			if strings.HasPrefix(found[0], "`cd examples && ") {
				base = "../../examples"
			}
			for _, folder := range folderName.FindAllStringSubmatch(found[1], -1) {
				_, err := os.Stat(filepath.Join(base, strings.TrimSuffix(folder[1], "...")))
				assert.NoError(t, err, "%s: %s", document, found[0])
			}
			for _, names := range pattern.FindAllStringSubmatch(found[1], -1) {
				match := regexp.MustCompile(names[1])
				assert.True(t, names[1] == "^$" || slices.ContainsFunc(all, match.MatchString), "%s: %s: there is no such test", document, found[0])
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // from a heading, for its anchor
)

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	prose, _ := documents(t)
	anchors := make(map[string][]string)
	for document, text := range prose {
		for _, found := range heading.FindAllStringSubmatch(text, -1) {
			anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-")
			anchors[document] = append(anchors[document], anchor)
		}
	}
	for document, text := range prose {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(found[1], "#")
			to := document
			if path != "" {
				to = filepath.Join(filepath.Dir(document), path)
			}
			_, err := os.Stat("../../" + to)
			assert.NoError(t, err, "%s links to %s", document, found[1])
			if anchor != "" {
				assert.Contains(t, anchors[to], anchor, "%s links to %s", document, found[1])
			}
		}
	}
}
