package house_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documented is a package as go doc shows it.
func documented(t *testing.T, folder string) *doc.Package {
	t.Helper()
	paths, err := filepath.Glob("../../" + folder + "/*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	p, err := doc.NewFromFiles(set, parsed, module+"/"+folder)
	require.NoError(t, err)
	return p
}

// shown are the names that the examples of a package use.
func shown(p *doc.Package) map[string]bool {
	examples := append([]*doc.Example{}, p.Examples...)
	for _, f := range p.Funcs {
		examples = append(examples, f.Examples...)
	}
	for _, of := range p.Types {
		examples = append(examples, of.Examples...)
		for _, f := range append(append([]*doc.Func{}, of.Funcs...), of.Methods...) {
			examples = append(examples, f.Examples...)
		}
	}
	names := make(map[string]bool)
	for _, example := range examples {
		ast.Inspect(example.Code, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				names[id.Name] = true
			}
			return true
		})
		name, _, _ := strings.Cut(example.Name, "_")
		names[name] = true
	}
	return names
}

// Whoever reads a package's documentation alone finds its purpose and, for each type that a
// function of the package hands out, an example of how. Options, which are functions
// themselves, are explained by what takes them.
func TestEachPackageTeachesByItselfWithExamples(t *testing.T) {
	t.Parallel()
	for _, r := range table {
		if strings.HasPrefix(r.name, "internal/") {
			continue
		}
		p := documented(t, r.name)
		assert.Greater(t, strings.Count(p.Doc, "\n"), 8, "%s: its documentation is too short to begin from", r.name)
		names := shown(p)
		assert.NotEmpty(t, names, "%s has no example", r.name)
		for _, of := range p.Types {
			made := len(of.Funcs) == 0 || names[of.Name] || isFunction(of)
			for _, f := range of.Funcs {
				made = made || names[f.Name]
			}
			assert.True(t, made, "%s: no example shows how %s is made", r.name, of.Name)
		}
	}
}

func isFunction(of *doc.Type) bool {
	_, is := of.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.FuncType)
	return is
}
