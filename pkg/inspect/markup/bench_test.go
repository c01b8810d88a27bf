package markup_test

import (
	"os"
	"path/filepath"
	"strings"
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

// BenchmarkScript reads a script of 1 MB that requests nothing: for its imports,
// of which it names none, and for what makes requests.
func BenchmarkScript(b *testing.B) {
	const some = `function add(list, item) { if (!list) { return [item]; } list.push({name: "item", value: item.value / 2}); return list; } // adds
var greeting = 'hello, ' + user.first + "!"; for (let i = 0; i < 10; i++) { total += rows[i].price * 1.19; }
`
	text := strings.Repeat(some, 1_000_000/len(some))
	for name, judge := range map[string]bool{"imports": false, "judged": true} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if c := markup.ReadScript(text, "http://a.test/", false, markup.ImportMap{}, judge); c.MayFetch {
					b.Fatal("a script that requests nothing may fetch")
				}
			}
		})
	}
}
