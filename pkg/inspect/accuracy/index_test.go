package accuracy_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFixtureIndex compares the index of the fixture pages with their titles.
func TestFixtureIndex(t *testing.T) {
	title := regexp.MustCompile(`(?s)<title>(.*?)</title>`)
	var b strings.Builder
	b.WriteString("# Fixture pages\n\nOne construct to a page; `chromium.json` holds what Chromium requested for each with scripting on and off\n" +
		"(off where it differs; `go test ./pkg/inspect/accuracy -run Golden -update` measures it again). `r/` holds what the pages refer to;\n" +
		"`r/f.ttf` is a font made for this purpose, one square glyph for every ASCII character.\n\n")
	pages := fixturePages(t)
	for _, name := range pages {
		text, err := os.ReadFile(siteDir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m := title.FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s has no title", name)
		}
		fmt.Fprintf(&b, "- [%s](%s): %s\n", strings.TrimSuffix(name, ".html"), name, m[1])
	}
	if len(pages) < 60 {
		t.Errorf("got %d fixture pages, want at least 60", len(pages))
	}
	const file = siteDir + "/INDEX.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("index (-pages +file), rewrite with -update:\n%s", diff)
	}
}
