package markup_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

var desktop = markup.Env{Width: 1280, Height: 800, DPR: 1, Scripting: true}

// fetched lists what a document at http://a.test/dir/page makes a browser ask.
func fetched(t *testing.T, body string, env markup.Env) []string {
	t.Helper()
	var out []string
	doc := markup.Parse(markup.Input{Body: []byte(body), MediaType: "text/html", URL: "http://a.test/dir/page"}, env)
	for _, r := range doc.References {
		if r.Reason == "" {
			t.Errorf("%s has no reason", r.URL)
		}
		if r.Fetch == libra.Fetched {
			out = append(out, strings.TrimPrefix(r.URL, "http://a.test"))
		}
	}
	return out
}

func TestResolve(t *testing.T) {
	const base = "http://a.test/dir/page?q=1#f"
	for ref, want := range map[string]string{
		"x.png":                 "http://a.test/dir/x.png",
		" \t x\n.png ":          "http://a.test/dir/x.png",
		"a b.png":               "http://a.test/dir/a%20b.png",
		`..\..\up.png`:          "http://a.test/up.png",
		"./%2e%2E/x":            "http://a.test/x",
		"?other":                "http://a.test/dir/page?other",
		"#frag":                 "http://a.test/dir/page?q=1",
		"//b.test/x":            "http://b.test/x",
		`\\b.test\x`:            "http://b.test/x",
		"HTTPS://B.Test:443/x#": "https://b.test/x",
		"http:y.png":            "http://a.test/dir/y.png",
		"https:c.test/y":        "https://c.test/y",
		"http://a.test:80":      "http://a.test/",
		"http://0x7f.1/":        "http://127.0.0.1/",
		"http://010.0.0.1/":     "http://8.0.0.1/",
		"http://[::1]:8080/":    "http://[::1]:8080/",
		"http://bücher.test/é":  "http://xn--bcher-kva.test/%C3%A9",
		"http://user@c.test/x":  "http://c.test/x",
		"x?a=ü&b='c'":           "http://a.test/dir/x?a=%C3%BC&b=%27c%27",
		"http://c.test/a|b":     "http://c.test/a%7Cb",
		"a//b":                  "http://a.test/dir/a//b",
		"http://under_score.t/": "http://under_score.t/",
	} {
		if got, ok := (markup.Base{URL: base}).Resolve(ref); !ok || got != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", ref, got, ok, want)
		}
	}
	for _, ref := range []string{"", "  ", "data:image/png;base64,AA", "javascript:1", "mailto:a@b", "http://", "http://a b/", "http://1.2.3.4.5/", "http://256.1.1.1/", "http://a:99999/", "about:blank", "http://[::1", "http://a<b/"} {
		if got, ok := (markup.Base{URL: base}).Resolve(ref); ok {
			t.Errorf("Resolve(%q) = %q, want none", ref, got)
		}
	}
	if got, ok := (markup.Base{URL: "about:srcdoc"}).Resolve("x.png"); ok {
		t.Errorf("Resolve against about:srcdoc = %q, want none", got)
	}
}

func TestParseSrcset(t *testing.T) {
	for s, want := range map[string][]markup.Candidate{
		"a.png":                        {{URL: "a.png", Density: 1}},
		"a.png,b.png 2x":               {{URL: "a.png,b.png", Density: 2}},
		"a.png, b.png 2x":              {{URL: "a.png", Density: 1}, {URL: "b.png", Density: 2}},
		"a 640w, b 1280w":              {{URL: "a", Density: 0.5, Width: 640}, {URL: "b", Density: 1, Width: 1280}},
		"a 1z, b 1x":                   {{URL: "b", Density: 1}},
		"a -1x, b 1.5w, c 1w 1x, d 5h": nil,
		"a 100w 50h":                   {{URL: "a", Density: 100.0 / 1280, Width: 100}},
		"a f(1,2) 1x, b":               {{URL: "b", Density: 1}},
		",, a ,":                       {{URL: "a", Density: 1}},
	} {
		if diff := cmp.Diff(want, markup.ParseSrcset(s, 1280)); diff != "" {
			t.Errorf("ParseSrcset(%q) (-want +got):\n%s", s, diff)
		}
	}
}

func TestSourceSize(t *testing.T) {
	for sizes, want := range map[string]float64{
		"":                              1280,
		"50vw":                          640,
		"(min-width: 9px) 100px, 200px": 100,
		"(max-width: 9px) 100px, 200px": 200,
		"(min-width: 9px)100px":         100,
		"calc(100vw - 2em)":             1248,
		"calc((100vw - 80px) / 3)":      400,
		"calc(2 * (10px + 1vh))":        36,
		"min(300px, 50vw)":              300,
		"max(300px, 50vw)":              640,
		"clamp(100px, 25vw, 300px)":     300,
		"1in":                           96,
		"50%":                           1280,
		"-5px":                          1280,
		"calc(1px + 2)":                 1280,
		"not print 100px":               1280, "(min-width: 9px) 10px, 20px)": 10, "calc(1px/0)": 1280, "CALC(2px*3)": 6, "calc(2px * 1px)": 1280, "10DVMIN": 80,
		"0":           0,
		"bogus, 10px": 10,
		strings.Repeat("calc(", 100) + "1px" + strings.Repeat(")", 100): 1280,
	} {
		if got := desktop.SourceSize(sizes); got != want {
			t.Errorf("SourceSize(%.40q) = %v, want %v", sizes, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	for _, c := range []struct {
		srcset, src string
		dpr         float64
		want        string
	}{
		{"b 2x", "a", 1, "a"},
		{"b 2x", "a", 1.5, "b"},
		{"b 2x", "a", 1.4, "a"},
		{"b 2x", "a", 3, "b"},
		{"a 0.5x, b 1.5x", "", 1, "b"},
		{"a 400w, b 1300w", "s", 1, "b"},
		{"a 1x, b 1x", "", 1, "a"},
		{"", "", 1, ""},
	} {
		got, _ := markup.Pick(markup.ParseSrcset(c.srcset, 1280), c.src, c.dpr)
		if got.URL != c.want {
			t.Errorf("Pick(%q, %q, %v) = %q, want %q", c.srcset, c.src, c.dpr, got.URL, c.want)
		}
	}
}

func TestScriptReferences(t *testing.T) {
	for text, want := range map[string][]string{
		`import "./a.js"`: {"a.js"},
		`import x, {y as z} from './a.js'; export * from "./b.js"`: {"a.js", "b.js"},
		`// import "./a.js"` + "\n" + `/* import "./b.js" */`:      nil,
		"`import \"./a.js\" ${import(\"./b.js\")}`":                {"conditional b.js"},
		`x = /import ".\/a.js"/; y = 1 / 2; import("./c.js")`:      {"c.js"},
		`if (x) { import("./a.js") } import("./b.js")`:             {"conditional a.js", "b.js"},
		`const f = () => import("./a.js")`:                         {"conditional a.js"},
		`import(name); import("./a" + b); import.meta.url`:         nil,
		"import(`./a.js`)":                               {"a.js"},
		`import "./a.js"; import "bare"`:                 nil,
		`import d from "./d.json" with { type: "json" }`: {"d.json"},
		`a.import("./x.js"); "import './y.js'"`:          nil,
		`import "./es\x63.js"`:                           {"esc.js"},
		`import "unterminated`:                           nil,
	} {
		var got []string
		for _, r := range markup.ReadScript(text, "http://a.test/", true, markup.ImportMap{}, false).References {
			label := ""
			if r.Fetch != libra.Fetched {
				label = string(r.Fetch) + " "
			}
			got = append(got, label+strings.TrimPrefix(r.URL, "http://a.test/"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseNestsAsBrowsersDo(t *testing.T) {
	deep := strings.Repeat("<div>", 5000) + `<img src=in><style>p{}</style>` + strings.Repeat("</div>", 5000) + `<img src=out><noscript><img src=never></noscript>`
	if diff := cmp.Diff([]string{"/dir/in", "/dir/out"}, fetched(t, deep, desktop)); diff != "" {
		t.Errorf("5000 deep (-want +got):\n%s", diff)
	}
}

func TestParseDecodes(t *testing.T) {
	utf16 := "\xff\xfe"
	for _, r := range `<img src="é.png?é">` {
		utf16 += string([]byte{byte(r), byte(r >> 8)})
	}
	for name, c := range map[string]struct{ body, charset, want string }{
		"meta":           {"<meta charset=iso-8859-1><img src='\xe9.png?\xe9'>", "", "/dir/%C3%A9.png?%E9"},
		"server":         {"<img src='\xe9.png?\xe9'>", "windows-1252", "/dir/%C3%A9.png?%E9"},
		"server wins":    {"<meta charset=iso-8859-1><img src='é.png?é'>", "utf-8", "/dir/%C3%A9.png?%C3%A9"},
		"byte order":     {utf16, "", "/dir/%C3%A9.png?%C3%A9"},
		"unknown server": {"<img src=x.png>", "no-such-charset", "/dir/x.png"},
	} {
		doc := markup.Parse(markup.Input{Body: []byte(c.body), MediaType: "text/html", Charset: c.charset, URL: "http://a.test/dir/page"}, desktop)
		if len(doc.References) != 1 || doc.References[0].URL != "http://a.test"+c.want {
			t.Errorf("%s: got %+v, want %s", name, doc.References, c.want)
		}
	}
}

func TestParseXML(t *testing.T) {
	xhtml := `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><script src="a.js"/><title/></head><body><img src="b.png"/></body></html>`
	doc := markup.Parse(markup.Input{Body: []byte(xhtml), MediaType: "application/xhtml+xml", URL: "http://a.test/"}, desktop)
	var got []string
	for _, r := range doc.References {
		got = append(got, r.URL)
	}
	if diff := cmp.Diff([]string{"http://a.test/a.js", "http://a.test/b.png"}, got); diff != "" {
		t.Errorf("XHTML (-want +got):\n%s", diff)
	}
}

func TestParseMaxDataURI(t *testing.T) {
	env := desktop
	env.MaxDataURI = 100
	doc := markup.Parse(markup.Input{Body: []byte(`<img src="data:image/png;base64,` + strings.Repeat("A", 200) + `">`), URL: "http://a.test/"}, env)
	if doc.Truncated != 1 || len(doc.References) != 0 {
		t.Errorf("got %d truncated and %d references, want 1 and none", doc.Truncated, len(doc.References))
	}
}

func TestQuirks(t *testing.T) {
	const transitional = `<!doctype html public "-//W3C//DTD HTML 4.01 Transitional//EN"`
	for name, c := range map[string]struct {
		in   markup.Input
		want bool
	}{
		"no document type": {markup.Input{Body: []byte("<p>x")}, true},
		"HTML":             {markup.Input{Body: []byte("<!doctype html><p>x")}, false},
		"transitional":     {markup.Input{Body: []byte(transitional + ">")}, true},
		"with a system ID": {markup.Input{Body: []byte(transitional + ` "http://www.w3.org/TR/html4/loose.dtd">`)}, false},
		"a srcdoc":         {markup.Input{Body: []byte("<p>x"), Base: "http://a.test/", Srcdoc: true}, false},
		"a data: URI":      {markup.Input{Body: []byte("<p>x"), Base: "data:"}, true},
		"XHTML":            {markup.Input{Body: []byte("<html/>"), MediaType: "application/xhtml+xml"}, false},
	} {
		if got := markup.Parse(c.in, desktop).Quirks; got != c.want {
			t.Errorf("%s: quirks mode is %v", name, got)
		}
	}
}
