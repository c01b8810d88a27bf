package markup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/markup"
)

// TestFree reads pages out of memory that others were read with: nothing of
// those shows, and what was read outlives its tree.
func TestFree(t *testing.T) {
	names, err := filepath.Glob("../testdata/site/*.html")
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	var kept, first []*markup.Document
	for round := range 3 {
		for i, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			doc := markup.Parse(markup.Input{Body: text, MediaType: "text/html", URL: "http://a.test/dir/page"}, desktop)
			lean := doc.Treeless()
			if round == 0 {
				first = append(first, &lean) // of trees that are kept
				kept = append(kept, doc)
				continue
			}
			doc.Free()
			if diff := cmp.Diff(first[i].References, lean.References); diff != "" {
				t.Errorf("%s, round %d: references (-first +now):\n%s", name, round, diff)
			}
			if diff := cmp.Diff(first[i].Sheets, lean.Sheets); diff != "" {
				t.Errorf("%s, round %d: sheets (-first +now):\n%s", name, round, diff)
			}
		}
	}
	for i, doc := range kept {
		if doc.Root == nil || doc.Root.FirstChild == nil {
			t.Errorf("%s: a tree that was kept is gone", names[i])
		}
	}
}
