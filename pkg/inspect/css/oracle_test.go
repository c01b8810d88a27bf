package css_test

import (
	"encoding/base64"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var (
	update   = flag.Bool("update", false, "write Chromium's answers into testdata (needs chromium)")
	fixtures = flag.String("fixtures", "testdata/*.txtar", "the fixture archives to use")
)

// fixture is one page with its style sheets, and what Chromium requests when
// it opens it, the page itself and the icon left out.
type fixture struct {
	name  string            // "topic/case"
	files map[string]string // by name inside the case
	want  []string
}

// loadFixtures reads the archives: files are named case/page.html,
// case/any.css and case/want.
func loadFixtures(t testing.TB) []fixture {
	t.Helper()
	names, err := filepath.Glob(*fixtures)
	if err != nil || len(names) == 0 {
		t.Fatalf("find fixtures %q: %v", *fixtures, err)
	}
	var all []fixture
	for _, name := range names {
		topic := strings.TrimSuffix(filepath.Base(name), ".txtar")
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			dir, file := path.Split(f.Name)
			id := topic + "/" + strings.TrimSuffix(dir, "/")
			if len(all) == 0 || all[len(all)-1].name != id {
				all = append(all, fixture{name: id, files: map[string]string{}})
			}
			c := &all[len(all)-1]
			if file == "want" {
				c.want = append([]string{}, strings.Fields(string(f.Data))...)
			} else {
				c.files[file] = string(f.Data)
			}
		}
	}
	return all
}

// oracle serves fixtures to Chromium and records its requests.
type oracle struct {
	fixtures map[string]fixture
	mu       sync.Mutex
	seen     map[string][]string // requests by fixture, in the order they came
}

var (
	pixel, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
	svg      = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><clipPath id="c"><path d="M0 0h9v9z"/></clipPath><filter id="f"><feFlood/></filter><path id="p" d="M0 0h9v9z"/></svg>`
)

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir, file := path.Split(r.URL.Path)
	id := strings.Trim(dir, "/")
	w.Header().Set("Cache-Control", "no-store")
	if file != "page.html" && file != "favicon.ico" {
		o.mu.Lock()
		asked := file
		if r.URL.RawQuery != "" {
			asked += "?" + r.URL.RawQuery
		}
		o.seen[id] = append(o.seen[id], asked)
		o.mu.Unlock()
	}
	if text, ok := o.fixtures[id].files[file]; ok {
		w.Header().Set("Content-Type", map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css"}[path.Ext(file)])
		_, _ = w.Write([]byte(text))
		return
	}
	switch path.Ext(file) {
	case ".png", ".jpg":
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(pixel)
	case ".svg":
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = w.Write([]byte(svg))
	case ".woff2", ".woff", ".ttf", ".otf", ".ttc":
		w.Header().Set("Content-Type", "font/ttf")
		_, _ = w.Write(testFont(0x20, 0x1ffff))
	default:
		http.NotFound(w, r)
	}
}

// settle waits in the page until its fonts are in and two frames are drawn.
const settle = `(async () => {
	for (let i = 0; i < 2; i++) {
		await document.fonts.ready;
		await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
	}
	await Promise.race([
		Promise.all(document.getAnimations().map(a => a.finished)),
		new Promise(r => setTimeout(r, 300)),
	]);
	await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
	await fetch('/settled');
	return true;
})()`

// requests has Chromium open every fixture and returns its requests, sorted.
func (o *oracle) requests(t *testing.T, cases []fixture) map[string][]string {
	t.Helper()
	server := httptest.NewServer(o)
	defer server.Close()
	ctx := chromium(t)
	for _, f := range cases {
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/"+f.name+"/page.html")); err != nil {
			t.Fatalf("open %s: %v", f.name, err)
		}
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](settle, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatalf("settle %s: %v", f.name, err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, list := range o.seen {
		slices.Sort(list)
		o.seen[id] = slices.Compact(list)
	}
	return o.seen
}

// TestChromiumAgreesWithGolden compares the golden answers with the requests of
// the installed Chromium; with -update it writes them.
func TestChromiumAgreesWithGolden(t *testing.T) {
	if os.Getenv("LIBRA_ORACLE") == "" && !*update {
		t.Skip("set LIBRA_ORACLE=1 to compare with the installed Chromium")
	}
	cases := loadFixtures(t)
	o := &oracle{fixtures: map[string]fixture{}, seen: map[string][]string{}}
	for _, f := range cases {
		o.fixtures[f.name] = f
	}
	got := o.requests(t, cases)
	if *update {
		writeGolden(t, got)
		return
	}
	for _, f := range cases {
		if diff := cmp.Diff(f.want, append([]string{}, got[f.name]...)); diff != "" {
			t.Errorf("%s: golden (-), Chromium (+)\n%s", f.name, diff)
		}
	}
}

// writeGolden puts Chromium's answers into the archives.
func writeGolden(t *testing.T, got map[string][]string) {
	t.Helper()
	names, _ := filepath.Glob(*fixtures)
	for _, name := range names {
		topic := strings.TrimSuffix(filepath.Base(name), ".txtar")
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var files []txtar.File
		for _, f := range archive.Files {
			dir, file := path.Split(f.Name)
			if file == "want" {
				continue
			}
			files = append(files, f)
			if file == "page.html" {
				id := topic + "/" + strings.TrimSuffix(dir, "/")
				text := ""
				if len(got[id]) > 0 {
					text = strings.Join(got[id], "\n") + "\n"
				}
				files = append(files, txtar.File{Name: dir + "want", Data: []byte(text)})
			}
		}
		archive.Files = files
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
