package markup_test

import (
	"slices"
	"strings"
	"testing"

	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// A reference to a base that is longer than any URL which is requested takes little more
// than such a URL; it is still too long, and no other.
func TestLongBase(t *testing.T) {
	head := "<base href=/" + strings.Repeat("b", 900_000) + "/>"
	doc := markup.Parse(markup.Input{Body: []byte(head + "<img src=a.png><img src=b.png><img src=a.png><img src=/c.png>"), MediaType: "text/html", URL: "https://example.org/p/"}, markup.Env{Width: 1280, Height: 800, DPR: 1})
	var got []string
	for _, r := range doc.References {
		got = append(got, r.URL)
	}
	if len(got) != 4 || got[0] == got[1] || got[0] != got[2] || got[3] != "https://example.org/c.png" {
		t.Fatalf("%d references: %.60q", len(got), got)
	}
	for _, url := range got[:3] {
		if len(url) <= libra.MaxURLBytes || len(url) > libra.MaxURLBytes+40 {
			t.Errorf("%.60q has %d bytes, the limit is %d", url, len(url), libra.MaxURLBytes)
		}
	}
}

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
