package markup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/inspect/markup"
	"libra/pkg/weburl"
)

// FuzzHTML: whatever the bytes, references are absolute http URLs without a
// fragment, each with a label and a reason.
func FuzzHTML(f *testing.F) {
	pages, err := filepath.Glob("../testdata/site/*.html")
	if err != nil || len(pages) == 0 {
		f.Fatalf("no fixture pages to start from: %v", err)
	}
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "text/html", "", true)
	}
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><image href="a"/></svg>`), "image/svg+xml", "utf-8", false)
	f.Add([]byte(`<a>; rel=preload; as=image; title="x, \"y"; imagesrcset="b 1x, c 2x", </d>;rel=modulepreload,,`), "text/html", "", true)
	f.Fuzz(func(t *testing.T, body []byte, mediaType, charset string, scripting bool) {
		env := desktop
		env.Scripting = scripting
		doc := markup.Parse(markup.Input{Body: body, MediaType: mediaType, Charset: charset, URL: "http://a.test/dir/page", Link: string(body)}, env)
		if doc.Root == nil {
			t.Fatal("no tree")
		}
		for _, r := range doc.References {
			checkURL(t, r.URL, r.Inline != "" || r.URL == "")
			if r.Reason == "" || r.Fetch == "" || r.Type == "" {
				t.Errorf("reference without label, type or reason: %+v", r)
			}
		}
	})
}

// FuzzSrcset: candidates are non-empty, and one of them is picked.
func FuzzSrcset(f *testing.F) {
	for _, s := range []string{"a", "a 1x, b 2x", "a 640w, b 1280w", "a,b 2x", "a (1,2) 1x", ", ,a 1e3x,", "a 1w 2h, b"} {
		f.Add(s, "(min-width: 1px) calc(100vw - 2em), 50vw", "src", 1.5)
	}
	f.Fuzz(func(t *testing.T, srcset, sizes, src string, dpr float64) {
		candidates := markup.ParseSrcset(srcset, desktop.SourceSize(sizes))
		for _, c := range candidates {
			if c.URL == "" || c.Density < 0 {
				t.Errorf("candidate %+v of %q", c, srcset)
			}
		}
		got, ok := markup.Pick(candidates, src, dpr)
		if ok != (len(candidates) > 0 || src != "") || ok && got.URL == "" {
			t.Errorf("picked %+v, %v of %d candidates and src %q", got, ok, len(candidates), src)
		}
	})
}

// FuzzResolve: a resolved URL is absolute, parses, and resolves to itself.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"x", "../x", "//h/x", `\\h\x`, "http:x", "https://h:443/%2e/", "?q", "#f", "http://0x7f.1/", "http://[::1]/", "http://bücher/ü?ü", "a b\tc"} {
		f.Add("http://a.test/dir/page?q#f", s)
	}
	f.Fuzz(func(t *testing.T, base, ref string) {
		abs, ok := markup.Base{URL: base}.Resolve(ref)
		if !ok {
			return
		}
		checkURL(t, abs, false)
		if again, ok := (markup.Base{}).Resolve(abs); !ok || again != abs {
			t.Errorf("%q resolves to %q, and that to %q", ref, abs, again)
		}
	})
}

func checkURL(t *testing.T, s string, mayBeEmpty bool) {
	t.Helper()
	if s == "" && mayBeEmpty {
		return
	}
	u, err := weburl.Parse(s)
	if err != nil || u.String() != s || u.Host() == "" {
		t.Errorf("URL %q is not in normal form: %q, %v", s, u, err)
	}
	if strings.ContainsAny(s, "# \t\n\r\x00<>") || strings.ContainsAny(u.Path(), "\"`") {
		t.Errorf("URL %q has a byte that ends it in a page", s)
	}
}
