package markup_test

import (
	"os"
	"path/filepath"
	"testing"

	"libra/pkg/inspect/markup"
)

// BenchmarkParse builds trees of the fixture pages, or of those in
// LIBRA_PAGES_DIR, and reads them.
func BenchmarkParse(b *testing.B) {
	dir := os.Getenv("LIBRA_PAGES_DIR")
	if dir == "" {
		dir = "../testdata/site"
	}
	names, err := filepath.Glob(dir + "/*.html")
	if err != nil || len(names) == 0 {
		b.Fatalf("no pages in %s: %v", dir, err)
	}
	var texts [][]byte
	size := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		texts = append(texts, text)
		size += len(text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range texts {
			markup.Parse(markup.Input{Body: text, MediaType: "text/html", Charset: "utf-8", URL: "http://a.test/dir/page"}, desktop)
		}
	}
}
