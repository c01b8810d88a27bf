package inspect_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// What is of an odd media type is read where Chromium 156 reads it: a style sheet of
// any type in quirks mode, a classic script of a font's type, and what has no type
// that says something as if it had none.
func TestOddMediaTypes(t *testing.T) {
	const doctype = "<!doctype html>"
	for name, c := range map[string]struct {
		page, pageType, assetType string
		read                      bool
	}{
		"a sheet, quirks, image":      {"<html><link rel=stylesheet href=/asset>", "text/html", "image/png", true},
		"a sheet, quirks, font":       {"<html><link rel=stylesheet href=/asset>", "text/html", "font/woff", true},
		"a sheet, image":              {doctype + "<link rel=stylesheet href=/asset>", "text/html", "image/png", false},
		"a sheet, no type at all":     {doctype + "<link rel=stylesheet href=/asset>", "text/html", "css", true},
		"a sheet, any type":           {doctype + "<link rel=stylesheet href=/asset>", "text/html", "*/*", true},
		"a script, font":              {doctype + "<script src=/script></script>", "text/html", "font/woff", true},
		"a script, image":             {doctype + "<script src=/script></script>", "text/html", "image/png", false},
		"a document, no type at all":  {"<html><link rel=stylesheet href=/asset>", "html", "text/css", true},
		"a document, image alone":     {"<html><link rel=stylesheet href=/asset>", "image", "text/css", true},
		"a script, image alone":       {doctype + "<script src=/script></script>", "text/html", "image", true},
		"a document, any type":        {"<html><link rel=stylesheet href=/asset>", "*/*", "text/css", true},
		"a document, unknown/unknown": {"<html><link rel=stylesheet href=/asset>", "unknown/unknown", "text/css", true},
		"a document, plain text":      {"<html><link rel=stylesheet href=/asset>", "text/plain", "text/css", false},
	} {
		base := served(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/":
				w.Header().Set("Content-Type", c.pageType)
				io.WriteString(w, c.page)
			case "/asset":
				w.Header().Set("Content-Type", c.assetType)
				io.WriteString(w, "@import '/inside';")
			case "/script":
				w.Header().Set("Content-Type", c.assetType)
				io.WriteString(w, "import('/inside')")
			}
		})
		read := false
		for _, path := range paths(newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil), libra.Fetched) {
			read = read || path == "/inside"
		}
		if read != c.read {
			t.Errorf("%s: read %v, want %v", name, read, c.read)
		}
	}
}
