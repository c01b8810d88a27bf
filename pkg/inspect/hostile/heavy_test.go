package hostile_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/libra"
)

// workers is the number of pages that an inspector process inspects at a time,
// maxUnit the MemoryMax of its unit.
const (
	workers = 8
	maxUnit = 192 << 20
)

// TestHeavyPagesTogether has every worker inspect a page that is heavy and
// harmless: 40,000 elements, a frame of 10,000, 4,000 rules of style, 20 scripts
// of 1 MiB.
func TestHeavyPagesTogether(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector multiplies memory")
	}
	var page strings.Builder
	page.WriteString("<!doctype html><link rel=stylesheet href=/a.css><link rel=stylesheet href=/b.css>")
	for i := range 20 {
		fmt.Fprintf(&page, "<script src=/%d.js></script>", i)
	}
	page.WriteString("<iframe src=/frame></iframe>")
	row := func(i int) string {
		return fmt.Sprintf("<div class='row r%d'><p class=text>Lorem ipsum dolor sit amet, consectetur <a href=/%d>adipiscing</a> elit<b>,</b> sed do</p></div>\n", i%100, i)
	}
	for i := range 10_000 {
		page.WriteString(row(i))
	}
	body := page.String()
	frame := "<!doctype html>" + strings.Repeat(row(1), 2500)
	var style strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&style, ".r%d p.text, .row > .c%d { color: red; margin: 0 auto; background: url(/%d.png) }\n", i, i, i)
	}
	script := strings.Repeat("function f() { return [1, 2, 3].map(x => x + 1) }\n", 1<<20/50)
	s := scenario{name: "heavy", want: libra.Complete, patience: 30 * time.Second, start: site(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, body)
		case r.URL.Path == "/frame":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, frame)
		case strings.HasSuffix(r.URL.Path, ".css"):
			w.Header().Set("Content-Type", "text/css")
			fmt.Fprint(w, style.String())
		case strings.HasSuffix(r.URL.Path, ".js"):
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, script)
		default:
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, "png")
		}
	})}
	child := startChild(t)
	results := make([]outcome, workers)
	started := time.Now()
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = child.run(t, s) })
	}
	wg.Wait()
	var most int64
	for _, r := range results {
		judge(t, r)
		most = max(most, r.peak)
	}
	t.Logf("%d pages at a time, %d KiB of HTML each: %v, process peak %d MB", workers, len(body)>>10, time.Since(started).Round(time.Millisecond), most>>20)
	if most > maxUnit {
		t.Errorf("the process grew to %d MB, want at most %d", most>>20, maxUnit>>20)
	}
}
