package docs_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite THIRD_PARTY_NOTICES")

// module is a Go module that Libra is built from or tested with.
type module struct {
	path, dir string
	direct    bool     // go.mod requires it, not only another module
	programs  []string // that have a package of it linked in, sorted
}

// Every direct dependency in go.mod, and every module linked into a program,
// has one row in dependencies.md that names those programs; no row is stale.
func TestDependenciesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	modules, programs := modules(t)
	want := map[string]string{}
	for path, m := range modules {
		if m.direct || len(m.programs) > 0 {
			want[path] = linked(m, programs)
		}
	}
	got := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+\.\S+/\S+) \| ([^|]*) \|`).FindAllStringSubmatch(string(text), -1) {
		if _, twice := got[row[1]]; twice {
			t.Errorf("%s has two rows", row[1])
		}
		got[row[1]] = row[2]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dependencies.md: module and column \"linked into\" (-want +got):\n%s", diff)
	}
}

// linked is the cell of a module's column "linked into".
func linked(m module, programs []string) string {
	switch {
	case len(m.programs) == 0:
		return "none"
	case len(m.programs) == len(programs):
		return "all"
	}
	return strings.Join(m.programs, ", ")
}

// THIRD_PARTY_NOTICES holds the licence of every module linked into a program,
// as the module states it.
func TestNotices(t *testing.T) {
	const file = "../THIRD_PARTY_NOTICES"
	modules, _ := modules(t)
	want := notices(t, modules)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("THIRD_PARTY_NOTICES is not up to date, run go test ./docs -update (-want +got):\n%s", diff)
	}
}

// notices is the text of THIRD_PARTY_NOTICES: modules of one licence text stand
// together above it.
func notices(t *testing.T, modules map[string]module) string {
	t.Helper()
	apache, err := os.ReadFile("../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(run(t, "go", "env", "GOROOT"))
	owners := map[string][]string{} // by text
	add := func(name, file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := tidy(string(text))
		licence := terms(body)
		switch {
		case strings.HasPrefix(strings.ToLower(filepath.Base(file)), "notice"):
			licence = "notice"
		case licence == "":
			t.Errorf("%s: this test does not know the licence in %s: check that it permits redistribution", name, file)
		case slices.Equal(strings.Fields(body), strings.Fields(string(apache))):
			body = "See the file LICENSE."
		}
		owners[body] = append(owners[body], name+" ("+licence+")")
	}
	add("the Go standard library and runtime", filepath.Join(root, "LICENSE"))
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		if len(modules[path].programs) == 0 {
			continue
		}
		files := licences(t, modules[path].dir)
		if len(files) == 0 {
			t.Errorf("%s has no licence file in %s", path, modules[path].dir)
		}
		for _, file := range files {
			add(path, file)
		}
	}
	var b strings.Builder
	b.WriteString(head)
	for _, text := range slices.SortedFunc(maps.Keys(owners), func(x, y string) int {
		return strings.Compare(owners[x][0]+x, owners[y][0]+y)
	}) {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(owners[text], "\n"), text)
	}
	return b.String()
}

const head = `Libra's programs are linked with the modules named below, each under the licence
that stands beside its name and in full below it. go test ./docs -update writes
this file from the modules' own licence files.

SQLite (in github.com/mattn/go-sqlite3) is in the public domain. The public
suffix list (in golang.org/x/net/publicsuffix) is under the Mozilla Public
License 2.0, https://publicsuffix.org/list/.

Tests of the pages run axe-core (pkg/web/testdata/axe), which is in no program. It
is under the Mozilla Public License 2.0; its licences and the address of its source
are beside it.
`

// licences lists a module's files of terms that its users must pass on.
func licences(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && regexp.MustCompile(`^(?i)(licen[cs]e|copying|notice)(\.|$)`).MatchString(e.Name()) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files
}

// terms names the permissive licences that text consists of, or is empty.
func terms(text string) string {
	flat := strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == '>' || r == '/' // some are quoted or commented out
	}), " ")
	var found []string
	for _, licence := range []struct{ name, sentence string }{
		{"Apache-2.0", "Apache License Version 2.0, January 2004"},
		{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	} {
		if strings.Contains(flat, licence.sentence) {
			found = append(found, licence.name)
		}
	}
	return strings.Join(found, ", ")
}

// tidy takes away what differs between copies of one text.
func tidy(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// modules reads go.mod and the packages linked into the programs of cmd, whose
// names it returns as well.
func modules(t *testing.T) (map[string]module, []string) {
	t.Helper()
	found := map[string]module{}
	if _, err := os.ReadFile("../go.mod"); err != nil { // go test caches no result of another go.mod
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(run(t, "go", "mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		tool := slices.ContainsFunc(mod.Tool, func(tool struct{ Path string }) bool {
			return tool.Path == r.Path || strings.HasPrefix(tool.Path, r.Path+"/")
		})
		found[r.Path] = module{path: r.Path, direct: !r.Indirect || tool}
	}
	type listed struct {
		ImportPath, Name string
		Deps             []string
		Module           *struct {
			Path, Dir string
			Main      bool
		}
	}
	var programs []listed
	of := map[string]string{} // module of a package
	d := json.NewDecoder(strings.NewReader(run(t, "go", "list", "-deps", "-json=ImportPath,Name,Deps,Module", "libra/cmd/...")))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch {
		case p.Module == nil:
		case !p.Module.Main:
			of[p.ImportPath] = p.Module.Path
			m := found[p.Module.Path]
			m.path, m.dir = p.Module.Path, p.Module.Dir
			found[p.Module.Path] = m
		case p.Name == "main":
			programs = append(programs, p)
		}
	}
	var names []string
	for _, p := range programs {
		name := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]
		names = append(names, name)
		for _, dep := range p.Deps {
			m := found[of[dep]]
			if of[dep] != "" && !slices.Contains(m.programs, name) {
				m.programs = append(m.programs, name)
				slices.Sort(m.programs)
				found[of[dep]] = m
			}
		}
	}
	return found, names
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}
