package markup_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

// benchmark does something with the fixture pages, or with those in
// LIBRA_QUICK_DIR.
func benchmark(b *testing.B, do func(text []byte)) {
	dir := os.Getenv("LIBRA_QUICK_DIR")
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
		if _, err := html.Parse(bytes.NewReader(text)); err != nil {
			continue // nested deeper than html.Parse goes
		}
		texts = append(texts, text)
		size += len(text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range texts {
			do(text)
		}
	}
}

// BenchmarkTree builds trees, beside html.Parse.
func BenchmarkTree(b *testing.B) {
	b.Run("quick", func(b *testing.B) { benchmark(b, func(text []byte) { markup.ParseQuick(text, true) }) })
	b.Run("html", func(b *testing.B) {
		benchmark(b, func(text []byte) {
			if _, err := html.Parse(bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkParse builds trees and reads them.
func BenchmarkParse(b *testing.B) {
	benchmark(b, func(text []byte) {
		markup.Parse(markup.Input{Body: text, MediaType: "text/html", Charset: "utf-8", URL: "http://a.test/dir/page"}, desktop)
	})
}
