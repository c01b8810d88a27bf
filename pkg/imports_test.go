// Package pkg_test holds the rules of who may import whom.
package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rules says which of our packages each may import, by the first element
// below pkg. What is not listed here is a test failure, and so is what is listed
// and not imported.
var rules = map[string][]string{
	"libra":     {},
	"weburl":    {"libra"},
	"event":     {"libra"},
	"inspect":   {"libra", "weburl"},
	"statefile": {},
	"notes":     {"libra"},
	"component": {},
	"release":   {"component", "statefile"},
	"upgrade":   {"libra", "component", "release"},
	"fault":     {"weburl"},
	"meter":     {},
	"pressure":  {},
	"trace":     {"libra", "event", "component"},
	"bus":       {"libra", "event", "meter", "trace"},
	"store":     {"libra", "event", "statefile"},
	"daemon":    {"libra", "event", "configs", "component"},
	"broker":    {"libra", "event", "statefile", "component"},
	"cli":       {"libra", "weburl", "inspect", "store", "configs", "component", "rules", "release", "upgrade", "labapi"},
	"rules":     {"libra", "statefile"},
	"web":       {"libra", "weburl", "event", "inspect", "bus", "store", "docs", "notes", "component", "meter", "trace", "labapi"},
	"inspector": {"libra", "weburl", "event", "inspect", "bus", "meter", "pressure", "trace"},
	"recorder":  {"libra", "event", "bus", "store", "meter", "trace"},
	"watchdog":  {"libra", "event", "bus", "rules", "statefile", "component", "meter", "pressure", "release", "trace"},
	"notifier":  {"libra", "event", "bus", "rules", "statefile", "notes", "meter", "trace"},
	"labapi":    {},
	"lab":       {"libra", "component", "labapi"},
}

// engine says which packages of the engine each package of it may import, by
// their paths below pkg/inspect; "" is pkg/inspect itself. No package imports
// one that stands above it.
var engine = map[string][]string{
	"address":        {},
	"fetch":          {"address"},
	"budget":         {},
	"har":            {},
	"score":          {},
	"css/syntax":     {},
	"css/media":      {"css/syntax"},
	"markup":         {"css/media", "css/syntax"},
	"css/selector":   {"css/syntax", "markup"},
	"css/property":   {"css/media", "css/syntax", "markup"},
	"css/font":       {"css/property", "css/syntax", "markup"},
	"css/stylesheet": {"css/font", "css/media", "css/property", "css/selector", "css/syntax", "markup"},
	"css/cascade":    {"css/font", "css/media", "css/property", "css/selector", "css/stylesheet", "css/syntax", "markup"},
	"css/layout":     {"css/cascade", "css/media", "css/property", "css/selector", "css/stylesheet", "css/syntax", "markup"},
	"css":            {"css/cascade", "css/font", "css/layout", "css/media", "css/property", "css/selector", "css/stylesheet", "css/syntax", "markup"},
	"":               {"css", "css/media", "css/stylesheet", "fetch", "markup"},
}

// web says the same of libra-web, by the paths below pkg/web.
var web = map[string][]string{
	"admission": {},
	"capacity":  {},
	"live":      {},
	"state":     {"admission", "capacity", "live"},
	"api":       {"admission", "live", "state"},
	"runbook":   {},
	"pages":     {"capacity", "state", "api", "runbook"},
	"":          {"admission", "capacity", "state", "api", "pages"},
}

// technologies have one importer each.
var technologies = map[string]string{
	"github.com/nats-io/nats.go":         "bus",
	"github.com/nats-io/nats-server/v2":  "broker",
	"github.com/mattn/go-sqlite3":        "store",
	"github.com/slack-go/slack":          "notifier",
	"github.com/wneessen/go-mail":        "notifier",
	"github.com/nicholas-fedor/shoutrrr": "notifier",
	"github.com/pelletier/go-toml/v2":    "rules",
	"github.com/urfave/cli/v2":           "cli",
	"github.com/prometheus":              "web",
	"github.com/yuin/goldmark":           "web",
	"github.com/coreos/go-systemd/v22":   "daemon",
	"github.com/nlnwa/whatwg-url":        "weburl",
	"github.com/godbus/dbus/v5":          "watchdog",
	"github.com/google/pprof":            "inspector",
	"go.opentelemetry.io":                "trace",
}

func TestImports(t *testing.T) {
	used := map[[2]string]bool{} // from, to
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		from := strings.Split(path, "/")
		// A …test package may know whatever it takes to give a test real parts.
		if len(from) > 2 && strings.HasSuffix(from[1], "test") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			used[[2]string{from[0], check(t, path, from[0], imported)}] = true
			checkLayers(t, "inspect", engine, path, imported)
			checkLayers(t, "web", web, path, imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for from, list := range rules {
		for _, to := range list {
			if !used[[2]string{from, to}] {
				t.Errorf("pkg/imports_test.go: %s may import %s and does not", from, to)
			}
		}
	}
}

// check returns the first element below pkg of an import of ours, "" for others.
func check(t *testing.T, path, from, imported string) (to string) {
	t.Helper()
	may, known := rules[from]
	if !known {
		t.Errorf("%s: pkg/imports_test.go: add %q to rules, with the packages of Libra that it may import", path, from)
		return ""
	}
	if ours, ok := strings.CutPrefix(imported, "libra/"); ok {
		to, _, _ = strings.Cut(strings.TrimPrefix(ours, "pkg/"), "/")
		if to != from && !slices.Contains(may, to) {
			t.Errorf("%s imports %s: %s may import %v", path, imported, from, may)
		}
		return to
	}
	if from == "libra" && strings.Contains(imported, ".") {
		t.Errorf("%s imports %s: the vocabulary is standard library only", path, imported)
	}
	for module, only := range technologies {
		if (imported == module || strings.HasPrefix(imported, module+"/")) && from != only {
			t.Errorf("%s imports %s: only %s may", path, imported, only)
		}
	}
	return ""
}

// checkLayers holds the layers inside a folder of pkg.
func checkLayers(t *testing.T, folder string, layers map[string][]string, path, imported string) {
	dir, inside := strings.CutPrefix(filepath.Dir(path), folder)
	to, ours := strings.CutPrefix(imported, "libra/pkg/"+folder)
	if !inside || !ours || dir != "" && dir[0] != '/' || to != "" && to[0] != '/' {
		return
	}
	from := strings.TrimPrefix(dir, "/")
	to = strings.TrimPrefix(to, "/")
	if may, known := layers[from]; !known || !slices.Contains(may, to) {
		t.Errorf("%s imports %s: inside pkg/%s %q may import %q", path, imported, folder, from, may)
	}
}

// docs/architecture.md lists every package of pkg, and of pkg/inspect and pkg/web
// each; it names none that does not exist. Packages inside other components are
// theirs alone.
func TestArchitectureListsEveryPackage(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "\n## The code\n")
	var listed []string
	for _, m := range regexp.MustCompile(`\bpkg/([a-z/]*)(?:\{([a-z,]+)\})?(_\w+)?`).FindAllStringSubmatch(code, -1) {
		if m[3] != "" {
			continue // a file
		}
		for last := range strings.SplitSeq(m[2], ",") {
			listed = append(listed, m[1]+last)
		}
	}
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == "." || d.Name() == "testdata" {
			return err
		}
		files, err := filepath.Glob(path + "/*.go")
		_, top := rules[path]
		inside := strings.HasPrefix(path, "inspect/") || strings.HasPrefix(path, "web/")
		if len(files) > 0 && (top || inside) && !slices.Contains(listed, path) {
			t.Errorf("docs/architecture.md: pkg/%s is not under The code", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range listed {
		if _, err := os.Stat("./" + name); err != nil { // "" is pkg itself
			t.Errorf("docs/architecture.md: pkg/%s does not exist", name)
		}
	}
}

// Signals, arguments and the end of a process belong to cmd and daemon.
func TestNobodyElseExits(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "daemon/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		forbidden(t, path, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func forbidden(t *testing.T, path string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && slices.Contains([]string{"os.Exit", "os.Args", "signal.Notify", "signal.NotifyContext", "log.Fatal", "log.Fatalf", "slog.Default", "slog.SetDefault"}, x.Name+"."+n.Sel.Name) {
				t.Errorf("%s uses %s.%s: that is for cmd and daemon", path, x.Name, n.Sel.Name)
			}
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				t.Errorf("%s has an init function", path)
			}
		}
		return true
	})
}
