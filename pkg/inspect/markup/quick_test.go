package markup_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

// differ names the first difference of two trees, "" if there is none.
func differ(a, b *html.Node, path string) string {
	path += "/" + a.Data
	if a.Type != b.Type || a.DataAtom != b.DataAtom || a.Data != b.Data || a.Namespace != b.Namespace {
		return fmt.Sprintf("%.300s: %v %q %q instead of %v %q %q", path, b.Type, b.Data, b.Namespace, a.Type, a.Data, a.Namespace)
	}
	if len(a.Attr) != len(b.Attr) {
		return fmt.Sprintf("%.300s: %q instead of %q", path, b.Attr, a.Attr)
	}
	for i := range a.Attr {
		if a.Attr[i] != b.Attr[i] {
			return fmt.Sprintf("%.300s: %q instead of %q", path, b.Attr, a.Attr)
		}
	}
	x, y := a.FirstChild, b.FirstChild
	for ; x != nil && y != nil; x, y = x.NextSibling, y.NextSibling {
		if d := differ(x, y, path); d != "" {
			return d
		}
		if y.Parent != b || (y.PrevSibling == nil) != (x.PrevSibling == nil) {
			return path + ": links are broken"
		}
	}
	switch {
	case x != nil:
		return fmt.Sprintf("%.300s: no %q", path, x.Data)
	case y != nil:
		return fmt.Sprintf("%.300s: %q too many", path, y.Data)
	case a.LastChild == nil != (b.LastChild == nil):
		return path + ": links are broken"
	}
	return ""
}

// agree holds the quick parser against html.Parse; it may give up.
func agree(t *testing.T, text []byte, scripting bool) (quick bool) {
	t.Helper()
	got := markup.ParseQuick(text, scripting)
	if got == nil {
		return false
	}
	want, err := html.ParseWithOptions(bytes.NewReader(text), html.ParseOptionEnableScripting(scripting))
	if err != nil {
		t.Errorf("html.Parse: %v, the quick parser has a tree", err)
		return true
	}
	if d := differ(want, got, ""); d != "" {
		t.Errorf("trees differ at %s", d)
	}
	return true
}

// TestQuick holds the quick parser against html.Parse on the fixture pages and
// on whatever LIBRA_QUICK_DIR names; most must be read quickly.
func TestQuick(t *testing.T) {
	dir := os.Getenv("LIBRA_QUICK_DIR")
	if dir == "" {
		dir = "../testdata/site"
	}
	pages, quick := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, ".html") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, scripting := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", path, scripting), func(t *testing.T) {
				pages++
				if agree(t, text, scripting) {
					quick++
				} else if testing.Verbose() {
					t.Log("gives up")
				}
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d documents", quick, pages)
	if quick < pages/2 {
		t.Errorf("the quick parser gives up on %d of %d documents", pages-quick, pages)
	}
}

// quickSeeds are documents at the edges of what the quick parser does.
var quickSeeds = []string{
	"", "<", "</", "text", "<!doctype html><title>a&amp;b</title><p>c<p>d", "<p>a<b>b<p>c</b>d", "<a href=1><div>x</a>y</div>",
	"<table><tr><td>a<td>b<tr><th>c</table>d", "<table><caption>x<col><tbody></table>", "<ul><li>a<li>b<ul><li>c</ul></ul>",
	"<svg viewbox=1><path/><title>x<b>y</title><lineargradient xlink:href=#a></svg>z", "<select><option>a<option selected>b<hr></select>",
	"<script><!--<script></script>--></script>x", "<textarea>\n\nx</textarea>", "<pre>\n\nx</pre>", "<img a=1 A=2 b/><br/><x/>",
	"<p title='&copy=1&copy&notit;&#65;&ampx'>&notit;&copy=", "<!-->a<!--->b<!----!>c", "<a><a><b><b><b><b>x</a>y<p>z", "</p></br></body>x</html>y<!--z-->",
	"<form><form><div></form></div>", "<button><p>a<button>b", "<dl><dt>a<dd>b<dt>c</dl>", "<h1>a<h2>b</h3>c", "<ruby>a<rt>b<rp>c</ruby>",
	"<object><b>x</object>y<nobr>a<nobr>b", "<p><table></table>", "<!DOCTYPE html PUBLIC '-//W3C//DTD HTML 4.01//EN'><p><table>", "a\r\nb\rc<br\r/>",
}

// TestQuickRandom holds the parsers against each other on documents of random
// tags.
func TestQuickRandom(t *testing.T) {
	names := strings.Fields(`a a b i nobr code font p p div ul ol li dl dt dd table table tbody thead tr tr td td th caption colgroup col h1 h2
		form select option optgroup button input textarea span x-y svg path title desc foreignobject object marquee pre br hr img script
		style noscript ruby rb rt rtc rp address section body html head center iframe xmp template math image`)
	texts := []string{" ", "x", "\n", "&amp;", "<!--c-->", "</>", "<?p>", "<!doctype html>", "&#13;\n"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b strings.Builder
		if r.IntN(2) == 0 {
			b.WriteString("<!doctype html>")
		}
		few := names[r.IntN(len(names)-6):][:6] // so that they meet each other
		for range r.IntN(24) {
			from := names
			if r.IntN(3) > 0 {
				from = few
			}
			name := from[r.IntN(len(from))]
			switch r.IntN(8) {
			case 0, 1, 2:
				fmt.Fprintf(&b, "<%s>", name)
			case 3:
				fmt.Fprintf(&b, "<%s z=%d a=1 type=hidden/>", name, r.IntN(2))
			case 4, 5, 6:
				fmt.Fprintf(&b, "</%s>", name)
			default:
				b.WriteString(texts[r.IntN(len(texts))])
			}
		}
		agree(t, []byte(b.String()), r.IntN(2) == 0)
		if t.Failed() {
			t.Fatalf("document %q", b.String())
		}
	}
}

func FuzzQuick(f *testing.F) {
	for _, s := range quickSeeds {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, scripting bool) {
		agree(t, text, scripting)
	})
}
