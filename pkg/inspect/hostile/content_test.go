package hostile_test

import (
	"fmt"
	"net/http"
	"strings"

	"libra/pkg/libra"
)

func markup() []scenario {
	return []scenario{
		{name: "99,000 open elements", start: lazily(func() start { return html(repeat("<div>", 99_000) + "<img src=/x.png>") }), want: libra.Complete, heavy: true},
		{name: "2 million elements", start: lazily(func() start { return html(repeat("<p>x", 2_000_000)) }), want: libra.Partial, reason: "limit elements", heavy: true},
		{name: "a million comments", start: lazily(func() start { return html(repeat("<!---->", 1_000_000)) }), want: libra.Partial, reason: "limit elements", heavy: true},
		{name: "formatting reopened", start: lazily(func() start {
			return html("<p>" + numbered(490, "<b id=%d>") + repeat("<p>x", 90_000) + "<img src=/x.png>")
		}), want: libra.Complete, heavy: true},
		{name: "formatting reopened, closed in a comment", start: lazily(func() start {
			return html("<p>" + numbered(490, "<b id=%d>") + "<!--" + repeat("</b>", 490) + "-->" + repeat("<p>x", 90_000) + "<img src=/x.png>")
		}), want: libra.Complete, heavy: true},
		{name: "attributes reopened", start: lazily(func() start {
			return html("<p><b " + numbered(8000, "a%d ") + ">" + repeat("<p>x", 90_000) + "<img src=/x.png>")
		}), want: libra.Complete, heavy: true},
		{name: "bodies merged", start: lazily(func() start {
			return html("<body " + numbered(8000, "a%d ") + ">" + repeat("<body b>", 90_000) + "<img src=/x.png>")
		}), want: libra.Complete, heavy: true},
		{name: "100,000 formatting elements", start: lazily(func() start { return html(repeat("<b><i>", 50_000)) }), want: libra.Complete, heavy: true},
		{name: "nested tables", start: lazily(func() start { return html(repeat("<table><tr><td>", 20_000)) }), want: libra.Complete, heavy: true},
		{name: "100,000 assets", start: lazily(func() start { return html(numbered(100_000, "<img src=/%d.png>")) }), want: libra.Partial, reason: "limit", heavy: true},
		{name: "one attribute of 6 MB", start: lazily(func() start { return html("<img src='/" + repeat("a", 6<<20) + "'>") }), want: libra.Complete, heavy: true},
		{name: "200,000 attributes", start: lazily(func() start { return html("<p " + numbered(200_000, "a%d=1 ") + ">") }), want: libra.Partial, reason: "limit elements", heavy: true},
		{name: "srcset of 100,000", start: lazily(func() start { return html("<img srcset='" + numbered(100_000, "/%d.png 1x,") + "'>") }), want: libra.Partial, reason: "limit named", heavy: true},
		{name: "comment without end", start: lazily(func() start { return html("<!--" + repeat("-", 4<<20)) }), want: libra.Complete, heavy: true},
		{name: "NULs", start: lazily(func() start { return html(repeat("\x00", 4<<20)) }), want: libra.Complete, heavy: true},
		{name: "invalid UTF-8", start: html(repeat("\xff\xfe\x80<img src=/\xff.png>", 1000)), want: libra.Complete},
		{name: "unknown charset", start: site(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=klingon")
			fmt.Fprint(w, "<meta charset=x-nonsense><img src=/x.png>")
		}), want: libra.Complete},
		{name: "UTF-16 that is ASCII", start: site(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-16le")
			fmt.Fprint(w, "<img src=/x.png>")
		}), want: libra.Complete},
		{name: "data: URI of 4 MB", start: lazily(func() start { return html("<img src='data:image/svg+xml," + repeat("%3Csvg%3E", 500_000) + "'>") }), want: libra.Partial, reason: "limit data_uri_bytes", heavy: true},
		{name: "frames for ever", start: site(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<iframe src='%sx/'></iframe><iframe src='%sy/'></iframe>", r.URL.Path, r.URL.Path)
		}), want: libra.Partial, reason: "limit", heavy: true},
		{name: "frame of itself", start: html("<iframe src=/></iframe><iframe src='/#x'></iframe>"), want: libra.Complete},
		{name: "srcdoc in srcdoc", start: html(nested(40)), want: libra.Partial, reason: "limit frame_depth"},
		{name: "200 unknown hosts", start: html(numbered(200, "<img src=http://h%d.invalid/>")), want: libra.Partial, reason: "host"},
		{name: "assets in private space", start: html("<img src=http://10.0.0.1/><img src=http://[fd00::1]/><script src=http://192.168.1.1/x.js></script>"), want: libra.Partial, reason: "is a private address"},
		{name: "an SVG of 50,000 uses", start: site(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/svg+xml")
			fmt.Fprintf(w, "<svg xmlns='http://www.w3.org/2000/svg'>%s</svg>", numbered(50_000, "<use href='#a%d'/>"))
		}), want: libra.Complete, heavy: true},
	}
}

// nested returns nested srcdoc frames.
func nested(depth int) string {
	doc := "<p>"
	for range depth {
		if len(doc) > 200_000 {
			break // every level doubles the escapes
		}
		doc = `<iframe srcdoc="` + strings.NewReplacer("&", "&amp;", `"`, "&quot;").Replace(doc) + `"></iframe>`
	}
	return doc
}

// sheets serves a page with style, and css for every other path.
func sheets(style string, css func(path string) string) start {
	return site(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<style>%s</style><body><div class=a id=b><p>text</p></div>", style)
			return
		}
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, css(r.URL.Path))
	})
}

func styles() []scenario {
	none := func(string) string { return "" }
	module := func(body func(string) string) start {
		return site(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprint(w, "<script type=module src=/m.js></script>")
				return
			}
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, body(r.URL.Path))
		})
	}
	return []scenario{
		{name: "imports in a circle", start: sheets("@import '/a';", func(p string) string {
			return map[string]string{"/a": "@import '/b';", "/b": "@import '/a'; @import '/b';"}[p]
		}), want: libra.Complete},
		{name: "imports for ever", start: sheets("@import '/a';", func(p string) string { return "@import '" + p + "a';" }), want: libra.Partial, reason: "limit import_depth"},
		{name: "imports, two each", start: sheets("@import '/a';", func(p string) string { return "@import '" + p + "a'; @import '" + p + "b';" }), want: libra.Partial, reason: "limit", heavy: true},
		{name: "200,000 open blocks", start: lazily(func() start { return sheets(repeat("@media all{", 200_000), none) }), want: libra.Complete, heavy: true},
		{name: "200,000 brackets", start: lazily(func() start { return sheets("a{b:"+repeat("(", 200_000)+"url(/x.png)", none) }), want: libra.Complete, heavy: true},
		{name: ":not in :not", start: lazily(func() start {
			return sheets(repeat(":not(", 50_000)+"p"+repeat(")", 50_000)+"{background:url(/x.png)}", none)
		}), want: libra.Complete, heavy: true},
		{name: "50,000 selectors", start: lazily(func() start {
			return sheets(numbered(50_000, ".a p:nth-child(%dn+1),")+"p{background:url(/x.png)}", none)
		}), want: libra.Complete, heavy: true},
		{name: "50,000 urls", start: lazily(func() start { return sheets(numbered(50_000, "p{background:url(/%d.png)}"), none) }), want: libra.Partial, reason: "limit", heavy: true},
		{name: "var() doubling", start: sheets(doubling(), none), want: libra.Complete, heavy: true},
		{name: "modules for ever", start: module(func(p string) string { return "import '" + p + "a';" }), want: libra.Partial, reason: "limit import_depth"},
		{name: "modules in a circle", start: module(func(p string) string { return "import '/m.js'; import '/n.js'" }), want: libra.Complete},
	}
}

// doubling is the billion laughs attack in CSS.
func doubling() string {
	var b strings.Builder
	b.WriteString("p{--v0:url(/x.png);")
	for i := range 40 {
		fmt.Fprintf(&b, "--v%d:var(--v%d),var(--v%d);", i+1, i, i)
	}
	b.WriteString("background:var(--v40)}")
	return b.String()
}
