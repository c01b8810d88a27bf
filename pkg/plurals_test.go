package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// counted finds a number that a text counts things with, in the plural.
var counted = regexp.MustCompile(`%d (?:more |other |open )?(alarms|assets|components|credentials|events|files|folders|limits|lines|notifications|pages|programs|redirects|reports|requests|seconds|minutes|hours|silences|units|watches)\b`)

// alwaysMany are the texts whose number is never 1.
var alwaysMany = []string{
	"%d notifications in one",
	"only the first %d requests were made",
}

// A text that counts things is right for one of them, too: libra.Several and
// libra.Plural write "1 page" and "2 pages".
func TestCountsHaveASingular(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, many := range alwaysMany {
				text = strings.ReplaceAll(text, many, "")
			}
			if found := counted.FindString(text); found != "" {
				t.Errorf("%s: %q has no singular: use libra.Several or libra.Plural", files.Position(literal.Pos()), found)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
