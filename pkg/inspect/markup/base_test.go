package markup_test

import (
	"slices"
	"testing"

	"libra/pkg/inspect/markup"
)

// What Chromium 156 requests with a base that is no http or https URL: one of another
// scheme counts, and no relative reference resolves against it; an invalid one, data:
// and javascript: do not count. Of the last row Chromium requests nothing: it blocks
// what has a user name.
func TestBasesThatAreNoPages(t *testing.T) {
	for head, want := range map[string]string{
		"<base href='mailto:x'>":                             "",
		"<base href='foo:/bar/'>":                            "",
		"<base href='mailto:x'><base href=/q/>":              "",
		"<base href='http://['><base href=/q/>":              "https://example.org/q/a.png",
		"<base href='http://1.2.3.4.5/'><base href=/q/>":     "https://example.org/q/a.png",
		"<base href='data:text/html,x'><base href=/q/>":      "https://example.org/q/a.png",
		"<base href='JavaScript:x'><base href=/q/>":          "https://example.org/q/a.png",
		`<base href='\\cdn.example\q\'>`:                     "https://cdn.example/q/a.png",
		"<base href='http:///0x7f.1/q/'>":                    "http://127.0.0.1/q/a.png",
		"<base href='//user:secret@cdn.example/q/../r/%2e'>": "https://cdn.example/r/a.png",
	} {
		doc := markup.Parse(markup.Input{Body: []byte(head + "<img src=a.png><img src=https://cdn.example/b.png>"), MediaType: "text/html", URL: "https://example.org/p/"}, markup.Env{Width: 1280, Height: 800, DPR: 1})
		var got []string
		for _, r := range doc.References {
			got = append(got, r.URL)
		}
		if expect := slices.DeleteFunc([]string{want, "https://cdn.example/b.png"}, func(s string) bool { return s == "" }); !slices.Equal(got, expect) {
			t.Errorf("%s: %q, want %q", head, got, expect)
		}
	}
}
