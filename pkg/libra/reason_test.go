package libra_test

import (
	"encoding/json"
	"fmt"
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

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

func TestReasonString(t *testing.T) {
	for want, r := range map[string]libra.Reason{
		"no such host":                    {Text: "no such host"},
		"no such host: check it":          {Text: "no such host", Remedy: "check it"},
		"refused: nobody there; check it": {Text: "refused: nobody there", Remedy: "check it"},
		"http://x/ is down: check it":     {Text: "http://x/ is down", Remedy: "check it"},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReasonOf(t *testing.T) {
	want := libra.Reason{Code: libra.CodeInvalidURL, Text: `URL "ftp://example.org/" has scheme "ftp"`, Remedy: "only http and https can be inspected"}
	if got := libra.ReasonOf(fmt.Errorf("wrapped: %w", want)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := libra.ReasonOf(os.ErrNotExist); got != (libra.Reason{Text: os.ErrNotExist.Error()}) {
		t.Errorf("got %+v of an error without a reason", got)
	}
}

// A report of a version without codes keeps its reasons.
func TestReasonsWithoutCodes(t *testing.T) {
	var r libra.Report
	if err := json.Unmarshal([]byte(`{"outcome":"failed","reasons":["no such host"]}`), &r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]libra.Reason{{Text: "no such host"}}, r.Why()); diff != "" || r.HasReason("") || r.Outcome != libra.Error {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.ReasonList = libra.NoReasons()
	r.AddSentence("cannot fetch\n\"x\"", libra.Reason{Code: libra.CodeHostNotFound, Text: "no\tsuch\nhost"})
	want := libra.ReasonList{Reasons: []string{`cannot fetch "x"`}, Details: []libra.Reason{{Code: "host-not-found", Text: "no such host"}}}
	if diff := cmp.Diff(want, r.ReasonList); diff != "" || !r.HasReason(libra.CodeStopped, libra.CodeHostNotFound) || r.HasReason(libra.CodeStopped) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// docs/reasons.md names every JSON field that has codes.
func TestFieldsWithCodesAreDocumented(t *testing.T) {
	field := regexp.MustCompile("[`\"]([a-z]+_(?:details|code))[`\",]")
	read := func(path string) (names []string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range field.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return names
	}
	sorted := func(names []string) []string {
		slices.Sort(names)
		return slices.Compact(names)
	}
	var inCode []string
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			inCode = append(inCode, read(path)...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(inCode), sorted(read("../../docs/reasons.md"))); diff != "" {
		t.Errorf("docs/reasons.md (-code +docs):\n%s", diff)
	}
}

var codeForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// The table in docs/reasons.md is the constants with their comments.
func TestCodesAreDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, decl := range file.Decls {
		for _, spec := range decl.(*ast.GenDecl).Specs {
			c := spec.(*ast.ValueSpec)
			name := c.Names[0].Name
			code, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
			if err != nil || !codeForm.MatchString(code) {
				t.Errorf("%s: code %q", name, code)
			}
			meaning, found := strings.CutPrefix(strings.Join(strings.Fields(c.Doc.Text()), " "), name+": ")
			if !found {
				t.Errorf("%s has no comment that begins with its name", name)
			}
			want = append(want, fmt.Sprintf("| `%s` | %s |", code, strings.TrimSuffix(meaning, ".")))
		}
	}
	text, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/reasons.md (-codes.go +docs):\n%s", diff)
	}
}
