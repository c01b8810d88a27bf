package watchdog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// Every field of rules.Thresholds, and of what it holds, is read by this
// package: one that is not would be a limit that raises nothing.
func TestEveryThresholdIsRead(t *testing.T) {
	fset := token.NewFileSet()
	known := &lenientChecker{fset: fset, packages: map[string]*types.Package{}}
	rules, _ := known.check(t, "libra/pkg/rules", "../rules")
	known.packages["libra/pkg/rules"] = rules
	_, read := known.check(t, "libra/pkg/watchdog", ".")

	unread := func(string, *types.Var) {}
	unread = func(path string, field *types.Var) {
		if !read[field] {
			t.Errorf("no code of pkg/watchdog reads rules.Thresholds%s", path)
		}
		if s, ok := field.Type().Underlying().(*types.Struct); ok {
			for f := range s.Fields() {
				unread(path+"."+f.Name(), f)
			}
		}
	}
	all := rules.Scope().Lookup("Thresholds").Type().Underlying().(*types.Struct)
	if all.NumFields() < 10 {
		t.Fatalf("rules.Thresholds has only %d fields", all.NumFields())
	}
	for f := range all.Fields() {
		unread("."+f.Name(), f)
	}
}

// lenient type-checks a package without those that it imports, but for packages:
// what has their types stays unknown, and that is no fault.
type lenientChecker struct {
	fset     *token.FileSet
	packages map[string]*types.Package
}

// check returns the package in dir and the fields that its code selects.
func (l *lenientChecker) check(t *testing.T, path, dir string) (*types.Package, map[types.Object]bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(l.fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	cfg := types.Config{Importer: l, Error: func(error) {}}
	pkg, _ := cfg.Check(path, l.fset, parsed, info) // it is complete as far as we ask
	selected := map[types.Object]bool{}
	for _, s := range info.Selections {
		selected[s.Obj()] = true
	}
	return pkg, selected
}

// Import is types.Importer's.
func (l *lenientChecker) Import(path string) (*types.Package, error) {
	if pkg, ok := l.packages[path]; ok {
		return pkg, nil
	}
	pkg := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	pkg.MarkComplete()
	l.packages[path] = pkg
	return pkg, nil
}
